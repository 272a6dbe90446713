/** Where sessions, locks and marks are kept: in Redis when one is configured, otherwise in this process and its state directory. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { createMemoryDeviceLogins } from '../adapters/memory/device-logins.ts';
import { createMemoryFailedLogins } from '../adapters/memory/failed-logins.ts';
import { createMemoryPromotions } from '../adapters/memory/promotions.ts';
import { createMemoryRateLimiter } from '../adapters/memory/rate-limiter.ts';
import { createMemoryRobotUses } from '../adapters/memory/robot-uses.ts';
import { createMemorySessionStore } from '../adapters/memory/session-store.ts';
import { createRepositoryMarks } from '../adapters/memory/repository-marks.ts';
import { createMemoryTagActivity } from '../adapters/memory/tag-activity.ts';
import { createTagLocks } from '../adapters/memory/tag-locks.ts';
import type { OperatorLog } from '../adapters/log/log.ts';
import type { Config } from '../config/load.ts';
import type { UpstreamTerms } from '../config/upstreams.ts';
import { formatProblem } from '../document/problem.ts';
import type { Clock } from '../ports.ts';
import { clockLeewaySeconds } from '../token/access-token.ts';
import type { SessionMemory } from '../adapters/bounds.ts';
import type { Stores } from './stores.ts';
import { maxUploadSeconds } from '../sealed/upload-ticket.ts';

/** For how long it is remembered what has ended: as long as the longest thing lives that ended with it. */
export function memoryOf({ tokens, logins }: Pick<Config, 'tokens' | 'logins'>): Required<SessionMemory> {
  const { accessTtlSeconds, refreshTtlSeconds, personalMaxTtlSeconds } = tokens;
  // An expired token can still finish its upload, so a revocation is remembered as long as the longest upload.
  const revocationMemorySeconds = accessTtlSeconds + 2 * clockLeewaySeconds + maxUploadSeconds;
  const longest = [refreshTtlSeconds, personalMaxTtlSeconds, (logins.oidc?.recheckMs ?? 0) / 1000];
  return { revocationMemorySeconds, accountMemorySeconds: Math.max(revocationMemorySeconds, ...longest) };
}

/**
 * Rejects only when the state directory cannot be made; a store that does not answer yet is opened all the same. `onAnswer`
 * hears how long Redis took, and for what.
 */
export async function openStores(
  config: Config,
  clock: Clock,
  log: OperatorLog,
  onAnswer?: (op: string, seconds: number) => void,
): Promise<Stores> {
  const memory = memoryOf(config);
  // Loading the driver takes as long as much of the rest of a start.
  if (config.redis !== undefined) {
    const { openRedisStores } = await import('./redis-stores.ts');
    const longest = Math.max(600_000, ...config.upstreams.map(longestWriteMs));
    return openRedisStores(config.redis.reveal(), { ...memory, longestWriteMs: longest, onAnswer }, log);
  }
  mkdirSync(config.stateDir, { recursive: true, mode: 0o700 });
  const onProblem = (problem: Parameters<typeof formatProblem>[0]): void => log.error(formatProblem(problem));
  const file = join(config.stateDir, 'sessions.json');
  const sessions = createMemorySessionStore({ file, ...memory, clock, onProblem });
  const robotUses = createMemoryRobotUses({ file: join(config.stateDir, 'robot-uses.json'), onProblem });
  const tagActivity = createMemoryTagActivity({ file: join(config.stateDir, 'tag-activity.json'), clock, onProblem });
  return {
    sessions,
    robotUses,
    tagActivity,
    tagLocks: createTagLocks(),
    marks: createRepositoryMarks(),
    limiter: createMemoryRateLimiter(() => Math.floor(performance.now() * 1000)),
    failedLogins: createMemoryFailedLogins(() => performance.now()),
    promotions: createMemoryPromotions(clock),
    devices: createMemoryDeviceLogins(clock),
    gateways: () => 1,
    clockSkewMs: () => undefined,
    limitFallbacks: () => 0,
    announce: () => undefined,
    async close() {
      await tagActivity.close();
      await robotUses.close();
      await sessions.close();
    },
  };
}

/** Milliseconds: nothing that moves at all takes longer, from the first byte to the registry's answer. */
function longestWriteMs({ timeouts: { connectMs, idleMs, responseMs } }: UpstreamTerms): number {
  return 2 * (connectMs + idleMs + responseMs);
}
