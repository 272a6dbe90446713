/** Where sessions, locks and marks are kept: in Redis when one is configured, otherwise in this process and its state directory. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { createMemoryFailedLogins } from '../adapters/memory/failed-logins.ts';
import { createMemoryRateLimiter } from '../adapters/memory/rate-limiter.ts';
import { createMemoryRobotUses } from '../adapters/memory/robot-uses.ts';
import { createMemorySessionStore } from '../adapters/memory/session-store.ts';
import { createRepositoryMarks } from '../adapters/memory/repository-marks.ts';
import { createTagLocks } from '../adapters/memory/tag-locks.ts';
import { createRedisConnection } from '../adapters/redis/connection.ts';
import { createRedisFailedLogins } from '../adapters/redis/failed-logins.ts';
import { followGateways } from '../adapters/redis/gateways.ts';
import { followHealth } from '../adapters/redis/health.ts';
import { createRedisRateLimiter } from '../adapters/redis/rate-limiter.ts';
import { createRedisRepositoryMarks } from '../adapters/redis/repository-marks.ts';
import { createRedisRobotUses } from '../adapters/redis/robot-uses.ts';
import { createRedisSessionStore } from '../adapters/redis/session-store.ts';
import { createRedisTagLocks } from '../adapters/redis/tag-locks.ts';
import type { OperatorLog } from '../adapters/log/log.ts';
import type { Config } from '../config/load.ts';
import { formatProblem } from '../document/problem.ts';
import type { Clock, FailedLogins, RateLimiter, RepositoryMarks, RobotUses, SessionStore, TagLocks } from '../ports.ts';
import { clockLeewaySeconds } from '../token/access-token.ts';
import { maxUploadSeconds } from '../sealed/upload-ticket.ts';

export interface Stores {
  readonly sessions: SessionStore;
  readonly robotUses: RobotUses;
  readonly tagLocks: TagLocks;
  readonly marks: RepositoryMarks;
  readonly limiter: RateLimiter;
  readonly failedLogins: FailedLogins;
  /** Gateways that share them, as far as is known. */
  readonly gateways: () => number;
  /** Milliseconds by which this machine's clock is ahead of the store's. */
  readonly clockSkewMs: () => number;
  /** Requests that limits counted in this process because the store was away. */
  readonly limitFallbacks: () => number;
  close(): Promise<void>;
}

/** Throws only when the state directory cannot be made; a store that does not answer yet is opened all the same. */
export function openStores(config: Config, clock: Clock, log: OperatorLog): Stores {
  // An expired token can still finish its upload, so a revocation is remembered as long as the longest upload.
  const revocationMemorySeconds = config.tokens.accessTtlSeconds + 2 * clockLeewaySeconds + maxUploadSeconds;
  const memory = {
    revocationMemorySeconds,
    accountMemorySeconds: Math.max(config.tokens.refreshTtlSeconds, revocationMemorySeconds),
  };
  if (config.redis !== undefined) {
    const connection = createRedisConnection(config.redis.reveal(), {
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
    const gateways = followGateways(connection);
    const limiter = createRedisRateLimiter(connection, gateways.count);
    return {
      sessions,
      robotUses,
      tagLocks,
      marks: createRedisRepositoryMarks(connection, longestWriteMs(config.timeouts)),
      limiter,
      failedLogins: createRedisFailedLogins(connection, gateways.count),
      gateways: gateways.count,
      clockSkewMs: gateways.clockSkewMs,
      limitFallbacks: limiter.fallbacks,
      async close() {
        stopChecking();
        await gateways.close();
        await robotUses.close();
        await sessions.close();
        await connection.close();
      },
    };
  }
  mkdirSync(config.stateDir, { recursive: true, mode: 0o700 });
  const onProblem = (problem: Parameters<typeof formatProblem>[0]): void => log.error(formatProblem(problem));
  const file = join(config.stateDir, 'sessions.json');
  const sessions = createMemorySessionStore({ file, ...memory, clock, onProblem });
  const robotUses = createMemoryRobotUses({ file: join(config.stateDir, 'robot-uses.json'), onProblem });
  return {
    sessions,
    robotUses,
    tagLocks: createTagLocks(),
    marks: createRepositoryMarks(),
    limiter: createMemoryRateLimiter(() => Math.floor(performance.now() * 1000)),
    failedLogins: createMemoryFailedLogins(() => performance.now()),
    gateways: () => 1,
    clockSkewMs: () => 0,
    limitFallbacks: () => 0,
    async close() {
      await robotUses.close();
      await sessions.close();
    },
  };
}

/** Milliseconds: nothing that moves at all takes longer, from the first byte to the registry's answer. */
function longestWriteMs({ connectMs, idleMs, responseMs }: Config['timeouts']): number {
  return Math.max(600_000, 2 * (connectMs + idleMs + responseMs));
}
