/** What outlives a request: sessions, limits, locks and marks, wherever they are kept. */
import type { ReplicaFacts } from '../ports/doctor.ts';
import type {
  DeviceLogins,
  FailedLogins,
  Promotions,
  RateLimiter,
  RepositoryMarks,
  RobotUses,
  SessionStore,
  TagActivity,
  TagLocks,
} from '../ports.ts';

export interface Stores {
  readonly sessions: SessionStore;
  readonly robotUses: RobotUses;
  readonly tagLocks: TagLocks;
  readonly marks: RepositoryMarks;
  readonly limiter: RateLimiter;
  readonly failedLogins: FailedLogins;
  readonly promotions: Promotions;
  readonly devices: DeviceLogins;
  readonly tagActivity: TagActivity;
  /** Gateways that share them, as far as is known. */
  readonly gateways: () => number;
  /** Milliseconds by which this machine's clock is ahead of the store's; undefined where it has none of its own. */
  readonly clockSkewMs: () => number | undefined;
  /** Requests that limits counted in this process because the store was away. */
  readonly limitFallbacks: () => number;
  /** Says from now on to the others that share them what this gateway is; where nobody does, nothing. */
  announce(describe: () => ReplicaFacts): void;
  close(): Promise<void>;
}
