/** Failed logins that one process knows of, with what it knows of good ones: all there are without Redis. */
import { createHash } from 'node:crypto';
import { clientSite } from '../../limits/client-network.ts';
import type { FailedBy, FailedLogins, Failures, LoginAttempt, LoginRecord } from '../../ports.ts';
import { failuresMs, knownGoodMs, listedFrom, maxFingerprints, maxListedName, maxWorst, turnMs } from '../bounds.ts';
import { Recent } from '../recent.ts';

export const failedBy: readonly FailedBy[] = ['pair', 'network', 'site', 'account'];

/** One value for each kind. */
export function ofEach<T>(of: (by: FailedBy) => T): Readonly<Record<FailedBy, T>> {
  return { pair: of('pair'), network: of('network'), site: of('site'), account: of('account') };
}

/** The name of the record that an attempt counts in: of bounded length, whatever a client sent. */
export function recordName({ account, network }: Pick<LoginAttempt, 'account' | 'network'>, by: FailedBy): string {
  switch (by) {
    case 'pair':
      return `${boundedName(account)}\n${network}`;
    case 'network':
      return network;
    case 'site':
      return clientSite(network);
    case 'account':
      return boundedName(account);
  }
}

/** Longer names are told apart by a hash, behind the part that lists show. */
function boundedName(account: string): string {
  if (account.length <= maxListedName) return account;
  return account.slice(0, maxListedName) + createHash('sha256').update(account).digest('hex');
}

/** Of IPv4 a site is the address, which is listed as such. */
export function isSite(name: string): boolean {
  return name.endsWith('/48');
}

/** Account, as far as lists show it, and network of a record's name. A network holds no line break, an account may hold anything. */
export function partsOf(by: FailedBy, name: string): { readonly account?: string; readonly network?: string } {
  if (by === 'network' || by === 'site') return { network: name };
  if (by === 'account') return { account: name.slice(0, maxListedName) };
  const end = name.lastIndexOf('\n');
  return { account: name.slice(0, Math.min(end, maxListedName)), network: name.slice(end + 1) };
}

/** What is kept of each kind; beyond it those that failed least recently are forgotten. */
const maxRecords = 50_000;

interface Held {
  count: number;
  /** On the clock of this process. */
  at: number;
  /** Of pairs: fingerprints of mistakes, the latest first. */
  wrong: readonly string[];
}

const none: Failures = { count: 0, ageMs: 0 };

export class LoginRecords {
  readonly #now: () => number;
  readonly #records: Readonly<{ [kind in FailedBy]: Recent<Held> }>;
  readonly #goodUntil: Recent<number>;
  /** Account -> when its next turn is. */
  readonly #turns: Recent<number>;

  /** `now`: milliseconds on a clock that nobody sets. */
  constructor(now: () => number, limit = maxRecords) {
    this.#now = now;
    this.#records = ofEach(() => new Recent<Held>(limit));
    this.#goodUntil = new Recent(limit);
    this.#turns = new Recent(limit);
  }

  look(attempt: LoginAttempt): LoginRecord {
    return {
      failures: ofEach((by) => this.#failuresOf(this.#recordOf(attempt, by))),
      isKnownGood: this.#leftOf(this.#goodUntil, recordName(attempt, 'pair')) > 0,
      isKnownWrong: this.#wrongOf(attempt).includes(attempt.fingerprint),
    };
  }

  /** As `FailedLogins.fail`, as many times. */
  fail(attempt: LoginAttempt, times = 1): void {
    const wrong = this.#wrongOf(attempt);
    if (wrong.includes(attempt.fingerprint)) return;
    for (const by of failedBy) {
      const count = (this.#recordOf(attempt, by)?.count ?? 0) + times;
      const fingerprints = by === 'pair' ? [attempt.fingerprint, ...wrong].slice(0, maxFingerprints) : [];
      this.#records[by].set(copyOf(recordName(attempt, by)), { count, at: this.#now(), wrong: fingerprints });
    }
  }

  succeed(attempt: LoginAttempt): void {
    const own = this.#recordOf(attempt, 'pair')?.count ?? 0;
    const pair = recordName(attempt, 'pair');
    this.#records.pair.delete(pair);
    for (const by of ['network', 'site', 'account'] as const) {
      const record = this.#recordOf(attempt, by);
      if (record === undefined) continue;
      record.count -= own;
      if (record.count <= 0) this.#records[by].delete(recordName(attempt, by));
    }
    this.#goodUntil.set(copyOf(pair), this.#now() + knownGoodMs);
  }

  /** As `FailedLogins.turn`, with turns so many milliseconds apart. */
  turn(account: string, take: boolean, intervalMs: number): number {
    const name = boundedName(account);
    const left = this.#leftOf(this.#turns, name);
    if (left > 0) return left;
    if (take) this.#turns.set(copyOf(name), this.#now() + intervalMs);
    return 0;
  }

  /** Takes over what another store says; `goodMs`: for how long more the account is known at its network. */
  learn(attempt: LoginAttempt, { failures, isKnownWrong }: LoginRecord, goodMs: number): void {
    for (const by of failedBy) {
      const { count, ageMs } = failures[by];
      const name = recordName(attempt, by);
      const known = by === 'pair' ? this.#wrongOf(attempt) : [];
      const wrong =
        by === 'pair' && isKnownWrong ? [...new Set([attempt.fingerprint, ...known])].slice(0, maxFingerprints) : known;
      if (count === 0) this.#records[by].delete(name);
      else this.#records[by].set(copyOf(name), { count, at: this.#now() - ageMs, wrong });
    }
    const pair = recordName(attempt, 'pair');
    if (goodMs > 0 && this.#leftOf(this.#goodUntil, pair) <= 0) this.#goodUntil.set(copyOf(pair), this.#now() + goodMs);
  }

  /** Whole milliseconds for which the account is known at its network; at least 1 where it is. */
  goodMs(attempt: LoginAttempt): number {
    return Math.max(0, Math.ceil(this.#leftOf(this.#goodUntil, recordName(attempt, 'pair'))));
  }

  /** Records with at least the number of failures from which they are listed. */
  many(): readonly { readonly by: FailedBy; readonly name: string; readonly failures: Failures }[] {
    return failedBy.flatMap((by) =>
      [...this.#records[by].entries()].flatMap(([name, record]) => {
        if (by === 'site' && !isSite(name)) return [];
        const failures = this.#failuresOf(record);
        return failures.count >= listedFrom[by] && failures.ageMs < failuresMs ? [{ by, name, failures }] : [];
      }),
    );
  }

  #recordOf(attempt: LoginAttempt, by: FailedBy): Held | undefined {
    const record = this.#records[by].get(recordName(attempt, by));
    return record === undefined || this.#now() - record.at >= failuresMs ? undefined : record;
  }

  #wrongOf(attempt: LoginAttempt): readonly string[] {
    return this.#recordOf(attempt, 'pair')?.wrong ?? [];
  }

  #failuresOf(record: Held | undefined): Failures {
    return record === undefined ? none : { count: record.count, ageMs: this.#now() - record.at };
  }

  /** Milliseconds until the instant kept for a name; none left is 0 or less. */
  #leftOf(instants: Recent<number>, name: string): number {
    return (instants.get(name) ?? 0) - this.#now();
  }
}

/** The engine may keep a part of a string as a view of the whole, here of all that a client sent. */
function copyOf(text: string): string {
  return Buffer.from(text, 'utf16le').toString('utf16le');
}

/** `now`: milliseconds on a clock that nobody sets. Of each kind `limit` records are kept. */
export function createMemoryFailedLogins(now: () => number, limit?: number): FailedLogins {
  const records = new LoginRecords(now, limit);
  return {
    look: (attempt) => Promise.resolve(records.look(attempt)),
    fail: (attempt) => Promise.resolve(records.fail(attempt)),
    succeed: (attempt) => Promise.resolve(records.succeed(attempt)),
    turn: (account, take) => Promise.resolve(records.turn(account, take, turnMs)),
    worst() {
      const worst = records
        .many()
        .toSorted((left, right) => left.failures.ageMs - right.failures.ageMs)
        .slice(0, maxWorst)
        .map(({ by, name, failures }) => ({ by, ...partsOf(by, name), failures }));
      return Promise.resolve({ ok: true, worst });
    },
  };
}
