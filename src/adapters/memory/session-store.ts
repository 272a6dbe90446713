/** Sessions of one process, kept across restarts by a file. It holds no refresh token, only their SHA-256. */
import { z } from 'zod';
import type { Problem } from '../../document/problem.ts';
import type { Clock, Session, SessionStore, Unavailable } from '../../ports.ts';
import { cutClientText, maxListedSessions } from '../session-limits.ts';
import { openStateFile } from './state-file.ts';

export interface MemorySessionStoreOptions {
  /** In a directory that exists and belongs to this process alone. Undefined: a restart ends all sessions. */
  readonly file: string | undefined;
  /** At least as long as an access token lives, allowed clock skew included. */
  readonly revocationMemorySeconds: number;
  /** As long as a session may lie unused; `revocationMemorySeconds` when left out. */
  readonly accountMemorySeconds?: number;
  readonly clock: Clock;
  /** A file that cannot be used or written. */
  readonly onProblem: (problem: Problem) => void;
}

const content = z.object({
  sessions: z.array(
    z.object({
      tokenHash: z.string(),
      expires: z.number(),
      id: z.string(),
      account: z.string(),
      service: z.string(),
      created: z.number(),
      lastUsed: z.number(),
      address: z.string().optional(),
      userAgent: z.string().optional(),
    }),
  ),
  /** Ids, and until when they are remembered. */
  revoked: z.array(z.object({ id: z.string(), until: z.number() })),
  /** Accounts whose sessions and tokens of before `at` have ended. */
  ended: z.array(z.object({ account: z.string(), at: z.number(), until: z.number() })).default([]),
});

interface Entry {
  readonly session: Session;
  readonly expires: number;
}

const unavailable: Unavailable = { ok: false, reason: 'unavailable' };

/**
 * What was opened or revoked is on disk before the call returns; when the disk does not take it, the answer is
 * `unavailable`, the session is not opened, and the revocation holds in this process. When a session was last used is
 * written within seconds.
 */
export function createMemorySessionStore(options: MemorySessionStoreOptions): SessionStore {
  const { revocationMemorySeconds, accountMemorySeconds = revocationMemorySeconds, clock, onProblem } = options;
  const entries = new Map<string, Entry>();
  const revoked = new Map<string, number>();
  const endedAccounts = new Map<string, { readonly at: number; readonly until: number }>();

  const { file, held } = openStateFile({
    path: options.file,
    kind: 'portcullis sessions',
    version: 1,
    schema: content,
    onProblem,
    current() {
      forgetExpired();
      return {
        sessions: [...entries].map(([tokenHash, { session, expires }]) => ({ tokenHash, expires, ...session })),
        revoked: [...revoked].map(([id, until]) => ({ id, until })),
        ended: [...endedAccounts].map(([account, end]) => ({ account, ...end })),
      };
    },
  });
  for (const { tokenHash, expires, address, userAgent, ...rest } of held?.sessions ?? [])
    entries.set(tokenHash, { expires, session: { ...rest, address, userAgent } });
  for (const { id, until } of held?.revoked ?? []) revoked.set(id, until);
  for (const { account, ...end } of held?.ended ?? []) endedAccounts.set(account, end);

  function forgetExpired(): void {
    const now = clock();
    for (const [tokenHash, entry] of entries) if (entry.expires <= now) entries.delete(tokenHash);
    for (const [id, until] of revoked) if (until <= now) revoked.delete(id);
    for (const [account, { until }] of endedAccounts) if (until <= now) endedAccounts.delete(account);
  }

  function live(tokenHash: string): Entry | undefined {
    const entry = entries.get(tokenHash);
    return entry === undefined || entry.expires <= clock() ? undefined : entry;
  }

  return {
    async open(tokenHash, session, idleSeconds) {
      const { address, userAgent } = session;
      entries.set(tokenHash, {
        session: { ...session, address: cutClientText(address), userAgent: cutClientText(userAgent) },
        expires: clock() + idleSeconds * 1000,
      });
      if (await file.save()) return { ok: true };
      entries.delete(tokenHash);
      return unavailable;
    },

    use(tokenHash, { now, address, userAgent }, idleSeconds) {
      const entry = live(tokenHash);
      if (entry === undefined) return Promise.resolve({ ok: false, reason: 'unknown' });
      const session = {
        ...entry.session,
        lastUsed: now,
        address: cutClientText(address) ?? entry.session.address,
        userAgent: cutClientText(userAgent) ?? entry.session.userAgent,
      };
      entries.set(tokenHash, { session, expires: clock() + idleSeconds * 1000 });
      file.saveSoon();
      return Promise.resolve({ ok: true, session });
    },

    async revoke(which) {
      const ending = [...entries].filter(
        ([tokenHash, { session, expires }]) =>
          expires > clock() &&
          ('tokenHash' in which
            ? tokenHash === which.tokenHash
            : 'id' in which
              ? session.id === which.id
              : session.account === which.account),
      );
      const until = clock() + revocationMemorySeconds * 1000;
      for (const [tokenHash, { session }] of ending) {
        entries.delete(tokenHash);
        revoked.set(session.id, until);
      }
      // Also when the session is not here (any more): access tokens may still carry its id.
      if ('id' in which) revoked.set(which.id, until);
      // Anyone may send tokens to be revoked: nothing found costs no write, unless an earlier one is still missing.
      else if (ending.length === 0 && file.problem() === undefined) return { ok: true, ended: [] };
      if (!(await file.save())) return unavailable;
      return { ok: true, ended: ending.map(([, { session }]) => session) };
    },

    list(account) {
      forgetExpired();
      const sessions = [...entries.values()]
        .map(({ session }) => session)
        .filter((session) => account === undefined || session.account === account)
        .sort((a, b) => b.lastUsed - a.lastUsed)
        .slice(0, maxListedSessions);
      return Promise.resolve({ ok: true, sessions });
    },

    isRevoked(sessionId) {
      const until = revoked.get(sessionId);
      return until !== undefined && until > clock();
    },

    endAccount(account, at) {
      const known = endedAccounts.get(account)?.at ?? 0;
      endedAccounts.set(account, { at: Math.max(known, at), until: clock() + accountMemorySeconds * 1000 });
      void file.save();
    },

    endedBefore(account) {
      const end = endedAccounts.get(account);
      return end === undefined || end.until <= clock() ? 0 : end.at;
    },

    health() {
      const problem = file.problem();
      if (problem !== undefined) return { ok: false, detail: `sessions cannot be written to disk: ${problem}` };
      return { ok: true, detail: options.file === undefined ? 'in this process, lost at its end' : 'in this process' };
    },

    close: () => file.close(),
  };
}
