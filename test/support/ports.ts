/** Ports for tests that are about something else: stores that know nothing and record nothing. */
import type { RobotUses, SessionStore } from '../../src/ports.ts';

export const noSessions: SessionStore = {
  open: () => Promise.resolve({ ok: false, reason: 'unavailable' }),
  use: () => Promise.resolve({ ok: false, reason: 'unknown' }),
  revoke: () => Promise.resolve({ ok: true, ended: [] }),
  list: () => Promise.resolve({ ok: true, sessions: [] }),
  isRevoked: () => false,
  health: () => ({ ok: true, detail: 'nothing is stored' }),
  close: () => Promise.resolve(),
};

export const noRobotUses: RobotUses = { mark: () => {}, lastUsed: () => Promise.resolve(new Map()) };
