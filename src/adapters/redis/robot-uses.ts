/** When robots' secrets were last used: collected for a second, then written in one step. */
import type { RobotUses } from '../../ports.ts';
import { Runs, batches } from '../runs.ts';
import { type RedisConnection, listOf } from './connection.ts';
import { robotUseKey } from './keys.ts';
import { markRobotUses, readRobotUses } from './scripts.ts';
import { readInstant } from '../../time.ts';

const flushMs = 1000;
const keptMs = 400 * 24 * 3600 * 1000;
const atOnce = 500;
/** Beyond it new robots' marks are dropped while the store is away. */
const maxPending = 10_000;

/** Nothing waits for a mark: one may be lost with the process, or when Redis is away for long. */
export function createRedisRobotUses(connection: RedisConnection): RobotUses & { close(): Promise<void> } {
  const calls = connection.calls();
  const pending = new Map<string, number>();
  const writing = new Runs(async () => {
    while (pending.size > 0) {
      const marks = [...pending].slice(0, atOnce);
      const keys = marks.map(([tokenId]) => robotUseKey(tokenId));
      const times = marks.map(([, time]) => Math.floor(time));
      if (!(await calls.run(markRobotUses, keys, [keptMs, ...times])).ok) return flushMs;
      for (const [tokenId, time] of marks) if (pending.get(tokenId) === time) pending.delete(tokenId);
    }
    return undefined;
  });

  return {
    mark(tokenId, now) {
      const known = pending.get(tokenId);
      if (known === undefined && pending.size >= maxPending) return;
      pending.set(tokenId, Math.max(known ?? 0, now));
      writing.soon(flushMs);
    },
    async lastUsed(tokenIds) {
      const stored: unknown[] = [];
      for (const part of batches(tokenIds, atOnce)) {
        const times = listOf(await calls.run(readRobotUses, part.map(robotUseKey)));
        if (times === undefined) break;
        stored.push(...times);
      }
      const latest = tokenIds.map(
        (id, at) => [id, Math.max(readInstant(stored[at]) ?? 0, pending.get(id) ?? 0)] as const,
      );
      return new Map(latest.filter(([, time]) => time > 0));
    },
    async close() {
      await writing.now();
      writing.close();
    },
  };
}
