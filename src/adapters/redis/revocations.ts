/**
 * Revoked sessions and tokens and ended accounts, known without asking: every process keeps the whole list. It hears of
 * new ones at once (a channel, which may lose messages) and compares with the store every two seconds. What the store has
 * lost, such as by a failover to a replica that had not got it yet, it is told again.
 */
import { randomBytes } from 'node:crypto';
import { Runs, batches } from '../runs.ts';
import type { RedisCalls, RedisConnection } from './connection.ts';
import { endedAccountName, nameKey, revocationsChannel, sessionsKey } from './keys.ts';
import { pollRevocations, reassertRevocations } from './scripts.ts';

const pollMs = 2000;
const reassertedAtOnce = 500;

/** Random: no two states of the store have the same. */
export function newMarker(): string {
  return randomBytes(9).toString('base64url');
}

/** Answers at once, from what was heard; may miss for two seconds what was revoked elsewhere. */
export function followRevocations(connection: RedisConnection, calls: RedisCalls) {
  const known = new KnownRevocations();
  /** What the store held when it held exactly what is known here; undefined when that is not certain. */
  let marker: string | undefined;
  /** Grows with everything learned elsewhere than from a comparison. */
  let learned = 0;
  let replicas = 0;

  function learn(entry: Entry): void {
    known.keep(entry);
    marker = undefined;
    learned += 1;
  }

  /** Returns after how many milliseconds to compare again. */
  async function compare(): Promise<number> {
    const before = learned;
    const answer = await calls.run(pollRevocations, [sessionsKey], [marker ?? '?']);
    const found = answer.ok ? readPoll(answer.reply) : undefined;
    if (found === undefined) return pollMs;
    replicas = found.replicas;
    const now = performance.now();
    known.forgetExpired(now);
    if (found.entries === undefined) return pollMs;
    for (const entry of found.entries.values()) known.keep(entry);
    // What was learned meanwhile may be on its way to the store: not a loss yet.
    if (learned !== before) return 0;
    const lost = known.lost(found.entries, now);
    for (const some of batches(lost, reassertedAtOnce)) {
      const values = [newMarker(), ...some.flat()];
      if (!(await calls.run(reassertRevocations, [sessionsKey], values)).ok) return pollMs;
    }
    if (lost.length === 0 && learned === before) marker = found.marker;
    return pollMs;
  }

  const runs = new Runs(compare);
  const synchronize = (): void => void runs.now();
  connection.follow(revocationsChannel, {
    onJoined: synchronize,
    onMessage: (message) => readMessage(message).forEach(learn),
  });
  connection.onReady(synchronize);
  synchronize();

  return {
    has: (id: string) => known.has(id),
    /** From now on revoked here; the store is told when it turns out not to know. */
    add: (id: string, ms: number) => learn({ name: nameKey(id), at: 0, ms }),
    /** The same for what was issued to an account before `at`. */
    endAccount: (account: string, at: number, ms: number) =>
      learn({ name: endedAccountName(account), at: Math.floor(at), ms }),
    endedBefore: (account: string) => known.endedBefore(account),
    /** Replicas of the store at the last look. */
    replicas: () => replicas,
    /** Compares with the store now. */
    synchronize,
    close: () => runs.close(),
  };
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

/** One revocation. `at`: of an account, else 0. `ms`: for how long it is remembered. */
interface Entry {
  readonly name: string;
  readonly at: number;
  readonly ms: number;
}

/** An entry about to be forgotten is not fought for. */
const shortestReassertedMs = 1000;

/** On a clock that nobody sets. */
class KnownRevocations {
  /** Name of a revoked id or ended account -> when it may be forgotten. */
  readonly #until = new Map<string, number>();
  /** Name of an account -> what was issued before has ended, milliseconds since 1970. */
  readonly #ended = new Map<string, number>();

  keep({ name, at, ms }: Entry): void {
    const until = performance.now() + ms;
    if ((this.#until.get(name) ?? 0) < until) this.#until.set(name, until);
    if (at > (this.#ended.get(name) ?? 0)) this.#ended.set(name, at);
  }

  has(id: string): boolean {
    if (this.#until.size === 0) return false;
    const until = this.#until.get(nameKey(id));
    return until !== undefined && until > performance.now();
  }

  /** Milliseconds since 1970; 0 for an account of which nothing has ended. */
  endedBefore(account: string): number {
    return this.#ended.size === 0 ? 0 : (this.#ended.get(endedAccountName(account)) ?? 0);
  }

  /** What is remembered no longer. */
  forgetExpired(now: number): void {
    for (const [name, until] of this.#until) {
      if (until > now) continue;
      this.#until.delete(name);
      this.#ended.delete(name);
    }
  }

  /** What the store does not hold, or holds of an earlier instant: text and milliseconds of each, as scripts take it. */
  lost(stored: ReadonlyMap<string, Entry>, now: number): readonly (readonly [text: string, ms: number])[] {
    return [...this.#until].flatMap(([name, until]) => {
      const entry = stored.get(name);
      const at = this.#ended.get(name);
      const isWhole = entry !== undefined && entry.at >= (at ?? 0);
      return !isWhole && until - now > shortestReassertedMs ? [[textOf(name, at), Math.floor(until - now)]] : [];
    });
  }
}

function textOf(name: string, at: number | undefined): string {
  return at === undefined ? name : `${name}@${at}`;
}

/** A name, or a name and an instant, as scripts give it. */
function readEntry(text: string, ms: number): Entry {
  const [name = '', at = '0'] = text.split('@');
  return { name, at: Number(at), ms };
}

/** What a message of the channel tells; nothing of one that is not written as scripts do. */
function readMessage(message: string): readonly Entry[] {
  const [ms = '', ...names] = message.split(' ');
  if (!/^\d{1,15}$/.test(ms)) return [];
  return names.filter((name) => /^[0-9a-f]{32}(?:@\d{1,15})?$/.test(name)).map((name) => readEntry(name, Number(ms)));
}
