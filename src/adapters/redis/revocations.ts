/**
 * Revoked sessions, known without asking: every process keeps the whole list. It hears of new ones at once (a channel, which
 * may lose messages) and compares with the store every two seconds. What the store has lost, such as by a failover to a
 * replica that had not got it yet, it is told again.
 */
import { randomBytes } from 'node:crypto';
import type { RedisCalls, RedisConnection } from './connection.ts';
import { nameKey, revocationsChannel, sessionsKey } from './keys.ts';
import { pollRevocations, reassertRevocations } from './scripts.ts';

export interface Revocations {
  has(sessionId: string): boolean;
  /** From now on revoked here; the store is told when it turns out not to know. */
  add(sessionId: string, ms: number): void;
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

export function newMarker(): string {
  return randomBytes(9).toString('base64url');
}

export function followRevocations(connection: RedisConnection, calls: RedisCalls): Revocations {
  /** Name of a revoked id -> when it may be forgotten, on a clock that nobody sets. */
  const known = new Map<string, number>();
  /** What the store held when it held exactly what is known here; undefined when that is not certain. */
  let marker: string | undefined;
  /** Grows with everything learned elsewhere than from a comparison. */
  let learned = 0;
  let replicas = 0;
  let comparing = false;
  let compareAgain = false;
  let closed = false;
  let timer: NodeJS.Timeout | undefined;

  function learn(name: string, ms: number): void {
    const until = performance.now() + ms;
    if ((known.get(name) ?? 0) < until) known.set(name, until);
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
    for (const [name, until] of known) if (until <= now) known.delete(name);
    if (found.entries === undefined) return;
    for (const [name, ms] of found.entries) {
      if ((known.get(name) ?? 0) < now + ms) known.set(name, now + ms);
    }
    if (learned !== before) {
      // What was learned meanwhile may be on its way to the store: not a loss yet.
      compareAgain = true;
      return;
    }
    const lost = [...known].filter(([name, until]) => !found.entries?.has(name) && until - now > shortestReassertedMs);
    for (let begin = 0; begin < lost.length; begin += reassertedAtOnce) {
      const values = lost
        .slice(begin, begin + reassertedAtOnce)
        .flatMap(([name, until]) => [name, Math.floor(until - now)]);
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
      for (const name of names) if (/^[0-9a-f]{32}$/.test(name)) learn(name, Number(ms));
    },
  });
  connection.onReady(synchronize);
  synchronize();

  return {
    has(sessionId) {
      if (known.size === 0) return false;
      const until = known.get(nameKey(sessionId));
      return until !== undefined && until > performance.now();
    },
    add: (sessionId, ms) => learn(nameKey(sessionId), ms),
    replicas: () => replicas,
    synchronize,
    close() {
      closed = true;
      clearTimeout(timer);
    },
  };
}

interface Poll {
  readonly marker: string;
  readonly replicas: number;
  /** Undefined when nothing changed since the marker that was sent. */
  readonly entries: ReadonlyMap<string, number> | undefined;
}

function readPoll(reply: unknown): Poll | undefined {
  if (!Array.isArray(reply)) return undefined;
  const parts: readonly unknown[] = reply;
  const [marker, replicas, flat] = parts;
  if (typeof marker !== 'string' || typeof replicas !== 'number') return undefined;
  if (!Array.isArray(flat)) return { marker, replicas, entries: undefined };
  const entries = new Map<string, number>();
  for (let at = 0; at + 1 < flat.length; at += 2) entries.set(String(flat[at]), Number(flat[at + 1]));
  return { marker, replicas, entries };
}
