/**
 * Tag locks across gateways: a key with a lease for each tag, all tags of one call in one step.
 *
 * How far they hold: a holder renews its lease while its task runs. When it cannot (Redis is gone, or lost its memory,
 * or the process stood still), another gateway may enter once the lease has run out, at the earliest `leaseMs` minus
 * `renewMs` after the last contact, and at once after a failover to a replica that had not heard of the lock. The task is
 * not stopped then; `onLost` is told. A gateway that dies keeps others waiting for at most `leaseMs`.
 */
import { randomUUID } from 'node:crypto';
import type { TagLocks } from '../../ports.ts';
import { createTagLocks } from '../memory/tag-locks.ts';
import type { RedisCalls, RedisConnection } from './connection.ts';
import { tagLockKey } from './keys.ts';
import { keepTags, releaseTags, takeTags } from './scripts.ts';

export interface RedisTagLocksOptions {
  /** A lock ran out while its task was running: another gateway may have written the same tag. */
  readonly onLost?: (repository: string, tags: readonly string[]) => void;
  readonly leaseMs?: number;
}

const longestPauseMs = 100;

/** `leaseMs`: how long a lock of a gateway that died holds. Without Redis nobody gets a turn. */
export function createRedisTagLocks(connection: RedisConnection, options: RedisTagLocksOptions = {}): TagLocks {
  const { onLost = () => {}, leaseMs = 15_000 } = options;
  const calls = connection.calls();
  // Writers of one process queue here, in order; only the first of them asks Redis.
  const local = createTagLocks();

  return {
    async withTags(repository, tags, waitMs, task) {
      if (tags.length === 0) return { ok: true, value: await task() };
      const deadline = performance.now() + waitMs;
      const turn = await local.withTags(repository, tags, waitMs, async () => {
        const lock = {
          keys: [...new Set(tags)].sort().map((tag) => tagLockKey(repository, tag)),
          holder: randomUUID(),
          leaseMs,
        };
        const taken = await take(calls, lock, deadline);
        if (!taken.ok) return taken;
        const stopRenewing = renew(calls, lock, () => onLost(repository, tags));
        try {
          return { ok: true as const, value: await task() };
        } finally {
          stopRenewing();
          void release(calls, lock);
        }
      });
      return turn.ok ? turn.value : turn;
    },
  };
}

interface Lock {
  readonly keys: readonly string[];
  readonly holder: string;
  readonly leaseMs: number;
}

type Taken = { readonly ok: true } | { readonly ok: false; readonly reason: 'busy' | 'unavailable' };

async function take(calls: RedisCalls, lock: Lock, deadline: number): Promise<Taken> {
  for (;;) {
    const asked = performance.now();
    const answer = await calls.run(takeTags, lock.keys, [lock.holder, lock.leaseMs]);
    if (!answer.ok) {
      // It may have been taken all the same.
      void release(calls, lock);
      return answer;
    }
    // A process that stood still may hear of a lease that has run out already: it asks again.
    if (answer.reply === 1 && performance.now() - asked < lock.leaseMs / 2) return { ok: true };
    const leftMs = deadline - performance.now();
    if (leftMs <= 0) {
      if (answer.reply === 1) void release(calls, lock);
      return { ok: false, reason: 'busy' };
    }
    // Jittered, so that waiting gateways do not ask in step, and each has its chance.
    const pauseMs = Math.min(leftMs, longestPauseMs * (0.25 + Math.random() * 0.75));
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
  }
}

/** Keeps the lease alive until the returned function is called. */
function renew(calls: RedisCalls, lock: Lock, onLost: () => void): () => void {
  let heldUntil = performance.now() + lock.leaseMs;
  let stopped = false;
  let asking = false;

  async function keep(): Promise<void> {
    asking = true;
    const asked = performance.now();
    const answer = await calls.run(keepTags, lock.keys, [lock.holder, lock.leaseMs]);
    asking = false;
    if (stopped) return;
    if (answer.ok && answer.reply === 1) heldUntil = asked + lock.leaseMs;
    else if (answer.ok || performance.now() >= heldUntil) {
      stop();
      onLost();
    }
  }

  const timer = setInterval(() => {
    if (!asking) void keep();
  }, lock.leaseMs / 5).unref();
  const stop = (): void => {
    stopped = true;
    clearInterval(timer);
  };
  return stop;
}

/** Tried twice: what stays behind makes others wait until the lease runs out. */
async function release(calls: RedisCalls, lock: Lock): Promise<void> {
  if ((await calls.run(releaseTags, lock.keys, [lock.holder])).ok) return;
  await new Promise((resolve) => setTimeout(resolve, 1000).unref());
  await calls.run(releaseTags, lock.keys, [lock.holder]);
}
