/**
 * Revoked sessions and tokens and ended accounts, known without asking: every process keeps the whole list. It hears of new ones at once (a channel, which
 * may lose messages) and compares with the store every two seconds. What the store has lost, such as by a failover to a
 * replica that had not got it yet, it is told again.
 */
import { randomBytes } from 'node:crypto';
import type { RedisCalls, RedisConnection } from './connection.ts';
import { endedAccountName, nameKey, revocationsChannel, sessionsKey } from './keys.ts';
import { pollRevocations, reassertRevocations } from './scripts.ts';

export interface Revocations {
  has(id: string): boolean;
  /** From now on revoked here; the store is told when it turns out not to know. */
  add(id: string, ms: number): void;
  /** The same for what was issued to an account before `at`. */
  endAccount(account: string, at: number, ms: number): void;
  endedBefore(account: string): number;
  /** Replicas of the store at the last look. */
  replicas(): number;
  /** Compares with the store now. */
  synchronize(): void;
  close(): void;
}

const pollMs = 2000;
const reassertedAtOnce = 500;
/** An entry about to be forgotten is not fought for. */
const shortestReassertedMs = 1000;

/** Random: no two states of the store have the same. */
export function newMarker(): string {
  return randomBytes(9).toString('base64url');
}

/** Answers at once, from what was heard; may miss for two seconds what was revoked elsewhere. */
export function followRevocations(connection: RedisConnection, calls: RedisCalls): Revocations {
  /** Name of a revoked id or ended account -> when it may be forgotten, on a clock that nobody sets. */
  const known = new Map<string, number>();
  /** Name of an account -> what was issued before has ended, milliseconds since 1970. */
  const ended = new Map<string, number>();
  /** What the store held when it held exactly what is known here; undefined when that is not certain. */
  let marker: string | undefined;
  /** Grows with everything learned elsewhere than from a comparison. */
  let learned = 0;
  let replicas = 0;
  let comparing = false;
  let compareAgain = false;
  let closed = false;
  let timer: NodeJS.Timeout | undefined;

  function keep({ name, at, ms }: Entry): void {
    const until = performance.now() + ms;
    if ((known.get(name) ?? 0) < until) known.set(name, until);
    if (at > (ended.get(name) ?? 0)) ended.set(name, at);
  }

  function learn(entry: Entry): void {
    keep(entry);
    marker = undefined;
    learned += 1;
  }

  async function compare(): Promise<void> {
    const before = learned;
    const answer = await calls.run(pollRevocations, [sessionsKey], [marker ?? '?']);
    const found = answer.ok ? readPoll(answer.reply) : undefined;
    if (found === undefined) return;
    replicas = found.replicas;
    const now = performance.now();
    for (const [name, until] of known) {
      if (until > now) continue;
      known.delete(name);
      ended.delete(name);
    }
    if (found.entries === undefined) return;
    for (const entry of found.entries.values()) keep(entry);
    if (learned !== before) {
      // What was learned meanwhile may be on its way to the store: not a loss yet.
      compareAgain = true;
      return;
    }
    const lost = [...known].filter(([name, until]) => {
      const stored = found.entries?.get(name);
      const isWhole = stored !== undefined && stored.at >= (ended.get(name) ?? 0);
      return !isWhole && until - now > shortestReassertedMs;
    });
    for (let begin = 0; begin < lost.length; begin += reassertedAtOnce) {
      const values = lost
        .slice(begin, begin + reassertedAtOnce)
        .flatMap(([name, until]) => [textOf(name, ended.get(name)), Math.floor(until - now)]);
      if (!(await calls.run(reassertRevocations, [sessionsKey], [newMarker(), ...values])).ok) return;
    }
    if (lost.length === 0 && learned === before) marker = found.marker;
  }

  function synchronize(): void {
    if (closed) return;
    if (comparing) {
      compareAgain = true;
      return;
    }
    clearTimeout(timer);
    comparing = true;
    void compare().finally(() => {
      comparing = false;
      if (closed) return;
      timer = setTimeout(synchronize, compareAgain ? 0 : pollMs).unref();
      compareAgain = false;
    });
  }

  connection.follow(revocationsChannel, {
    onJoined: synchronize,
    onMessage(message) {
      const [ms = '', ...names] = message.split(' ');
      if (!/^\d{1,15}$/.test(ms)) return;
      for (const name of names) if (/^[0-9a-f]{32}(?:@\d{1,15})?$/.test(name)) learn(readEntry(name, Number(ms)));
    },
  });
  connection.onReady(synchronize);
  synchronize();

  return {
    has(id) {
      if (known.size === 0) return false;
      const until = known.get(nameKey(id));
      return until !== undefined && until > performance.now();
    },
    add: (id, ms) => learn({ name: nameKey(id), at: 0, ms }),
    endAccount: (account, at, ms) => learn({ name: endedAccountName(account), at: Math.floor(at), ms }),
    endedBefore: (account) => (ended.size === 0 ? 0 : (ended.get(endedAccountName(account)) ?? 0)),
    replicas: () => replicas,
    synchronize,
    close() {
      closed = true;
      clearTimeout(timer);
    },
  };
}

/** One revocation. `at`: of an account, else 0. `ms`: for how long it is remembered. */
interface Entry {
  readonly name: string;
  readonly at: number;
  readonly ms: number;
}

/** As scripts take and give it. */
function textOf(name: string, at: number | undefined): string {
  return at === undefined ? name : `${name}@${at}`;
}

function readEntry(text: string, ms: number): Entry {
  const [name = '', at = '0'] = text.split('@');
  return { name, at: Number(at), ms };
}

interface Poll {
  readonly marker: string;
  readonly replicas: number;
  /** Undefined when nothing changed since the marker that was sent. */
  readonly entries: ReadonlyMap<string, Entry> | undefined;
}

function readPoll(reply: unknown): Poll | undefined {
  if (!Array.isArray(reply)) return undefined;
  const parts: readonly unknown[] = reply;
  const [marker, replicas, flat] = parts;
  if (typeof marker !== 'string' || typeof replicas !== 'number') return undefined;
  if (!Array.isArray(flat)) return { marker, replicas, entries: undefined };
  const entries = new Map<string, Entry>();
  for (let at = 0; at + 1 < flat.length; at += 2) {
    const entry = readEntry(String(flat[at]), Number(flat[at + 1]));
    entries.set(entry.name, entry);
  }
  return { marker, replicas, entries };
}
