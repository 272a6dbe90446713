/** Failed logins of one process: all there are without Redis, and what is gone on with while Redis is away. */
import { createHash } from 'node:crypto';
import { clientSite } from '../../limits/client-network.ts';
import type { FailedBy, FailedLogins, Failures, LoginAttempt, LoginRecord } from '../../ports.ts';
import {
  failuresMs,
  knownGoodMs,
  listedFrom,
  maxFingerprints,
  maxListedName,
  maxWorst,
  turnMs,
} from '../limit-bounds.ts';

/** What is kept of each kind; beyond it those that failed least recently are forgotten. */
const maxRecords = 50_000;

interface Record {
  count: number;
  /** On the clock of this process. */
  at: number;
  /** Of pairs: fingerprints of mistakes, the latest first. */
  wrong: readonly string[];
}

export const failedBy: readonly FailedBy[] = ['pair', 'network', 'site', 'account'];

export type LocalFailedLogins = FailedLogins & {
  lookNow(attempt: LoginAttempt): LoginRecord;
  /** As `fail`, as many times. */
  failNow(attempt: LoginAttempt, times: number): void;
  succeedNow(attempt: LoginAttempt): void;
  /** As `turn`, with turns so many milliseconds apart. */
  turnNow(account: string, take: boolean, intervalMs: number): number;
  /** Takes over what another store says; `goodMs`: for how long more the account is known at its network. */
  learn(attempt: LoginAttempt, record: LoginRecord, goodMs: number): void;
  /** Whole milliseconds for which the account is known at its network; at least 1 where it is. */
  goodMs(attempt: LoginAttempt): number;
  /** Records with at least the number of failures from which they are listed. */
  many(): readonly { readonly by: FailedBy; readonly name: string; readonly failures: Failures }[];
};

/** The name of the record that an attempt counts in: of bounded length, whatever a client sent. */
export function recordName({ account, network }: LoginAttempt, by: FailedBy): string {
  switch (by) {
    case 'pair':
      return `${bounded(account)}\n${network}`;
    case 'network':
      return network;
    case 'site':
      return clientSite(network);
    case 'account':
      return bounded(account);
  }
}

/** Longer names are told apart by a hash, behind the part that lists show. */
function bounded(account: string): string {
  if (account.length <= maxListedName) return account;
  return account.slice(0, maxListedName) + createHash('sha256').update(account).digest('hex');
}

/** The engine may keep a part of a string as a view of the whole, here of all that a client sent. */
function copyOf(text: string): string {
  return Buffer.from(text, 'utf16le').toString('utf16le');
}

/** `now`: milliseconds on a clock that nobody sets. */
export function createMemoryFailedLogins(now: () => number, limit = maxRecords): LocalFailedLogins {
  const records: Readonly<{ [kind in FailedBy]: Map<string, Record> }> = {
    pair: new Map(),
    network: new Map(),
    site: new Map(),
    account: new Map(),
  };
  const goodUntil = new Map<string, number>();
  /** Account -> when its next turn is. */
  const turns = new Map<string, number>();

  function recordOf(attempt: LoginAttempt, by: FailedBy): Record | undefined {
    const record = records[by].get(recordName(attempt, by));
    return record === undefined || now() - record.at >= failuresMs ? undefined : record;
  }

  function failuresOf(record: Record | undefined): Failures {
    return record === undefined ? none : { count: record.count, ageMs: now() - record.at };
  }

  /** To the end of the map, whose begin is forgotten first. */
  function keep<T>(map: Map<string, T>, name: string, value: T): void {
    map.delete(name);
    map.set(copyOf(name), value);
    const [oldest] = map.keys();
    if (map.size > limit && oldest !== undefined) map.delete(oldest);
  }

  function isGood(attempt: LoginAttempt): boolean {
    return (goodUntil.get(recordName(attempt, 'pair')) ?? 0) > now();
  }

  const local: LocalFailedLogins = {
    lookNow(attempt) {
      const of = (by: FailedBy): Failures => failuresOf(recordOf(attempt, by));
      return {
        failures: { pair: of('pair'), network: of('network'), site: of('site'), account: of('account') },
        isKnownGood: isGood(attempt),
        isKnownWrong: recordOf(attempt, 'pair')?.wrong.includes(attempt.fingerprint) === true,
      };
    },
    failNow(attempt, times) {
      const wrong = recordOf(attempt, 'pair')?.wrong ?? [];
      if (wrong.includes(attempt.fingerprint)) return;
      for (const by of failedBy) {
        const count = (recordOf(attempt, by)?.count ?? 0) + times;
        const fingerprints = by === 'pair' ? [attempt.fingerprint, ...wrong].slice(0, maxFingerprints) : [];
        keep(records[by], recordName(attempt, by), { count, at: now(), wrong: fingerprints });
      }
    },
    succeedNow(attempt) {
      const own = recordOf(attempt, 'pair')?.count ?? 0;
      records.pair.delete(recordName(attempt, 'pair'));
      for (const by of ['network', 'site', 'account'] as const) {
        const record = recordOf(attempt, by);
        if (record === undefined) continue;
        record.count -= own;
        if (record.count <= 0) records[by].delete(recordName(attempt, by));
      }
      keep(goodUntil, recordName(attempt, 'pair'), now() + knownGoodMs);
    },
    learn(attempt, { failures, isKnownWrong }, goodMs) {
      for (const by of failedBy) {
        const { count, ageMs } = failures[by];
        const name = recordName(attempt, by);
        const known = by === 'pair' ? (recordOf(attempt, by)?.wrong ?? []) : [];
        const wrong =
          by === 'pair' && isKnownWrong
            ? [...new Set([attempt.fingerprint, ...known])].slice(0, maxFingerprints)
            : known;
        if (count === 0) records[by].delete(name);
        else keep(records[by], name, { count, at: now() - ageMs, wrong });
      }
      if (goodMs > 0 && !isGood(attempt)) keep(goodUntil, recordName(attempt, 'pair'), now() + goodMs);
    },
    goodMs: (attempt) => Math.max(0, Math.ceil((goodUntil.get(recordName(attempt, 'pair')) ?? 0) - now())),
    many() {
      return failedBy.flatMap((by) =>
        [...records[by]].flatMap(([name, record]) => {
          if (by === 'site' && !isSite(name)) return [];
          const failures = failuresOf(record);
          return failures.count >= listedFrom[by] && failures.ageMs < failuresMs ? [{ by, name, failures }] : [];
        }),
      );
    },
    turnNow(account, take, intervalMs) {
      const name = bounded(account);
      const left = (turns.get(name) ?? 0) - now();
      if (left > 0) return left;
      if (take) keep(turns, name, now() + intervalMs);
      return 0;
    },
    turn: (account, take) => Promise.resolve(local.turnNow(account, take, turnMs)),
    look: (attempt) => Promise.resolve(local.lookNow(attempt)),
    fail: (attempt) => Promise.resolve(local.failNow(attempt, 1)),
    succeed: (attempt) => Promise.resolve(local.succeedNow(attempt)),
    worst() {
      const worst = local
        .many()
        .toSorted((left, right) => left.failures.ageMs - right.failures.ageMs)
        .slice(0, maxWorst)
        .map(({ by, name, failures }) => ({ by, ...partsOf(by, name), failures }));
      return Promise.resolve({ ok: true, worst });
    },
  };
  return local;
}

/** Of IPv4 a site is the address, which is listed as such. */
export function isSite(name: string): boolean {
  return name.endsWith('/48');
}

const none: Failures = { count: 0, ageMs: 0 };

/** Account, as far as lists show it, and network of a record's name. A network holds no line break, an account may hold anything. */
export function partsOf(by: FailedBy, name: string): { readonly account?: string; readonly network?: string } {
  if (by === 'network' || by === 'site') return { network: name };
  if (by === 'account') return { account: name.slice(0, maxListedName) };
  const end = name.lastIndexOf('\n');
  return { account: name.slice(0, Math.min(end, maxListedName)), network: name.slice(end + 1) };
}
