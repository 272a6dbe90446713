/** Sessions of one process, kept across restarts by a file. It holds no refresh token, only their SHA-256. */
import type { Problem } from '../../document/problem.ts';
import type { Clock, SessionStore } from '../../ports.ts';
import { type SessionMemory, unavailable } from '../session-limits.ts';
import { HeldSessions, heldContent } from './held-sessions.ts';
import { openStateFile } from './state-file.ts';

export interface MemorySessionStoreOptions extends SessionMemory {
  /** In a directory that exists and belongs to this process alone. Undefined: a restart ends all sessions. */
  readonly file: string | undefined;
  readonly clock: Clock;
  /** A file that cannot be used or written. */
  readonly onProblem: (problem: Problem) => void;
}

/**
 * What was opened or revoked is on disk before the call returns; when the disk does not take it, the answer is
 * `unavailable`, the session is not opened, and the revocation holds in this process. When a session was last used is
 * written within seconds.
 */
export function createMemorySessionStore(options: MemorySessionStoreOptions): SessionStore {
  const { revocationMemorySeconds, accountMemorySeconds = revocationMemorySeconds, clock, onProblem } = options;
  const sessions = new HeldSessions(clock);
  const { file, held } = openStateFile({
    path: options.file,
    kind: 'portcullis sessions',
    version: 1,
    schema: heldContent,
    onProblem,
    current: () => sessions.content(),
  });
  if (held !== undefined) sessions.restore(held);

  return {
    async open(tokenHash, session, idleSeconds) {
      sessions.open(tokenHash, session, idleSeconds);
      if (await file.save()) return { ok: true };
      sessions.drop(tokenHash);
      return unavailable;
    },

    use(tokenHash, use, idleSeconds) {
      const session = sessions.use(tokenHash, use, idleSeconds);
      if (session === undefined) return Promise.resolve({ ok: false, reason: 'unknown' });
      file.saveSoon();
      return Promise.resolve({ ok: true, session });
    },

    async revoke(which) {
      const ended = sessions.end(which, revocationMemorySeconds);
      // Anyone may send tokens to be revoked: nothing found costs no write, unless an earlier one is still missing.
      const isNothing = ended.length === 0 && !('id' in which) && file.problem() === undefined;
      return isNothing || (await file.save()) ? { ok: true, ended } : unavailable;
    },

    list: (account) => Promise.resolve({ ok: true, sessions: sessions.list(account) }),

    isRevoked: (id) => sessions.isRevoked(id),

    endAccount(account, at) {
      sessions.endAccount(account, at, accountMemorySeconds);
      void file.save();
    },

    endedBefore: (account) => sessions.endedBefore(account),

    health() {
      const problem = file.problem();
      if (problem !== undefined) return { ok: false, detail: `sessions cannot be written to disk: ${problem}` };
      return { ok: true, detail: options.file === undefined ? 'in this process, lost at its end' : 'in this process' };
    },

    close: () => file.close(),
  };
}
