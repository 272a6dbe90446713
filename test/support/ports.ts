/** Ports for tests that are about something else: stores that know nothing and record nothing. */
import { createUpstreams } from '../../src/distribution/upstreams.ts';
import type { Limits } from '../../src/limits/spend.ts';
import type { Asking } from '../../src/operations/ask.ts';
import type { RobotUses, SessionStore } from '../../src/ports.ts';
import type { IdTokenGuard } from '../../src/identity/id-token-guard.ts';
import type { LoginGuard } from '../../src/identity/login-guard.ts';

export const noSessions: SessionStore = {
  open: () => Promise.resolve({ ok: false, reason: 'unavailable' }),
  find: () => Promise.resolve({ ok: false, reason: 'unknown' }),
  use: () => Promise.resolve({ ok: false, reason: 'unknown' }),
  revoke: () => Promise.resolve({ ok: true, ended: [] }),
  list: () => Promise.resolve({ ok: true, sessions: [] }),
  isRevoked: () => false,
  endAccount: () => {},
  own: () => Promise.resolve({ ok: true, hasEnded: false }),
  owner: () => Promise.resolve({ ok: true, owner: undefined }),
  endedBefore: () => 0,
  count: () => 0,
  health: () => ({ ok: true, detail: 'nothing is stored' }),
  close: () => Promise.resolve(),
};

export const noRobotUses: RobotUses = { mark: () => {}, lastUsed: () => Promise.resolve(new Map()) };

export const noLimits: Limits = {
  spend: () => Promise.resolve({ admitted: true, states: [] }),
  look: () => Promise.resolve([]),
};

/** Lets every token be checked. */
export const noTokenGuard: IdTokenGuard = { attempt: (_shown, judge) => judge(() => {}) };

/** Lets everybody try as often as they like. */
export const noGuard: LoginGuard = { attempt: (_login, verify) => verify() };

/** Everything is in one registry, by the clients' names. */
export const oneRegistry = createUpstreams([
  { name: 'main', prefix: '', remotePrefix: '', access: 'read-write', library: false },
]);

/** For a listener whose API is not asked. */
export const nothingAsked: Asking = { operations: [], parts: undefined };
