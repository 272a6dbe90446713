/** When robots' secrets were last used: collected for a second, then written in one step. */
import type { RobotUses } from '../../ports.ts';
import { type RedisConnection, listOf } from './connection.ts';
import { robotUseKey } from './keys.ts';
import { markRobotUses, readRobotUses } from './scripts.ts';

const flushMs = 1000;
const keptMs = 400 * 24 * 3600 * 1000;
const atOnce = 500;
/** Beyond it new robots' marks are dropped while the store is away. */
const maxPending = 10_000;

/** Nothing waits for a mark: one may be lost with the process, or when Redis is away for long. */
export function createRedisRobotUses(connection: RedisConnection): RobotUses & { close(): Promise<void> } {
  const calls = connection.calls();
  const pending = new Map<string, number>();
  let timer: NodeJS.Timeout | undefined;
  let flushing: Promise<void> | undefined;

  async function writePending(): Promise<void> {
    while (pending.size > 0) {
      const marks = [...pending].slice(0, atOnce);
      const keys = marks.map(([tokenId]) => robotUseKey(tokenId));
      if (!(await calls.run(markRobotUses, keys, [keptMs, ...marks.map(([, time]) => Math.floor(time))])).ok) return;
      for (const [tokenId, time] of marks) if (pending.get(tokenId) === time) pending.delete(tokenId);
    }
  }

  function flush(): Promise<void> {
    clearTimeout(timer);
    timer = undefined;
    flushing ??= writePending().finally(() => {
      flushing = undefined;
      if (pending.size > 0) flushSoon();
    });
    return flushing;
  }

  function flushSoon(): void {
    timer ??= setTimeout(() => void flush(), flushMs).unref();
  }

  return {
    mark(tokenId, now) {
      const known = pending.get(tokenId);
      if (known === undefined && pending.size >= maxPending) return;
      pending.set(tokenId, Math.max(known ?? 0, now));
      flushSoon();
    },
    async lastUsed(tokenIds) {
      const found = new Map<string, number>();
      for (let begin = 0; begin < tokenIds.length; begin += atOnce) {
        const part = tokenIds.slice(begin, begin + atOnce);
        const times = listOf(await calls.run(readRobotUses, part.map(robotUseKey)));
        if (times === undefined) break;
        for (const [index, tokenId] of part.entries()) {
          const time = times[index];
          if (typeof time === 'string') found.set(tokenId, Number(time));
        }
      }
      for (const tokenId of tokenIds) {
        const time = pending.get(tokenId);
        if (time !== undefined) found.set(tokenId, Math.max(time, found.get(tokenId) ?? 0));
      }
      return found;
    },
    async close() {
      await flush();
      clearTimeout(timer);
      timer = undefined;
    },
  };
}
