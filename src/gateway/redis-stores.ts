/** What replicas share, in Redis. Loaded only where one is configured. */
import type { SessionMemory } from '../adapters/bounds.ts';
import type { OperatorLog } from '../adapters/log/log.ts';
import { createRedisConnection } from '../adapters/redis/connection.ts';
import { createRedisDeviceLogins } from '../adapters/redis/device-logins.ts';
import { createRedisFailedLogins } from '../adapters/redis/failed-logins.ts';
import { followGateways } from '../adapters/redis/gateways.ts';
import { followHealth } from '../adapters/redis/health.ts';
import { createRedisPromotions } from '../adapters/redis/promotions.ts';
import { createRedisRateLimiter } from '../adapters/redis/rate-limiter.ts';
import { createRedisRepositoryMarks } from '../adapters/redis/repository-marks.ts';
import { createRedisRobotUses } from '../adapters/redis/robot-uses.ts';
import { createRedisSessionStore } from '../adapters/redis/session-store.ts';
import { createRedisTagActivity } from '../adapters/redis/tag-activity.ts';
import { announceReplica } from '../adapters/redis/replicas.ts';
import { createRedisTagLocks } from '../adapters/redis/tag-locks.ts';
import type { Stores } from './stores.ts';

interface Terms extends SessionMemory {
  readonly longestWriteMs: number;
  readonly onAnswer?: ((op: string, seconds: number) => void) | undefined;
}

/** A Redis that does not answer yet is followed all the same. */
export function openRedisStores(url: string, terms: Terms, log: OperatorLog): Stores {
  const { longestWriteMs, onAnswer, ...memory } = terms;
  const connection = createRedisConnection(url, {
    ...(onAnswer === undefined ? {} : { onAnswer }),
    onHealth({ ok, detail }) {
      if (ok) log.info('Redis works again', { detail });
      else log.error('Redis does not do what the gateway needs; logins that last are refused', { detail });
    },
  });
  const stopChecking = followHealth(connection);
  const sessions = createRedisSessionStore(connection, memory);
  const robotUses = createRedisRobotUses(connection);
  const tagLocks = createRedisTagLocks(connection, {
    onLost: (repository, tags) => log.error('a tag lock ran out during a push', { repository, tags }),
  });
  const tagActivity = createRedisTagActivity(connection);
  const gateways = followGateways(connection);
  const limiter = createRedisRateLimiter(connection, gateways.count);
  let announced: ReturnType<typeof announceReplica> | undefined;
  return {
    sessions,
    robotUses,
    tagLocks,
    marks: createRedisRepositoryMarks(connection, longestWriteMs),
    limiter,
    failedLogins: createRedisFailedLogins(connection, gateways.count),
    promotions: createRedisPromotions(connection),
    devices: createRedisDeviceLogins(connection),
    tagActivity,
    gateways: gateways.count,
    clockSkewMs: gateways.clockSkewMs,
    limitFallbacks: limiter.fallbacks,
    announce: (describe) => void (announced ??= announceReplica(connection, describe)),
    async close() {
      stopChecking();
      await announced?.close();
      await gateways.close();
      await tagActivity.close();
      await robotUses.close();
      await sessions.close();
      await connection.close();
    },
  };
}
