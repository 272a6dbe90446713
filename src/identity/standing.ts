/** Whether what was issued to an account still counts: a session, an access token. */
import type { Session, SessionStore } from '../ports.ts';
import type { AccessClaims } from '../token/access-token.ts';
import { isMarkedWith } from './marked-id.ts';
import type { Standing } from './source.ts';
import { type EpochMs, inMilliseconds } from '../time.ts';

/** `sid` of tokens issued for a robot's secret; taking the secret out of the policy ends them. */
export const robotSidPrefix = 'robot:';

/** The robot's secret that an access token was issued for. */
export function robotTokenIdOf({ sessionId }: Pick<AccessClaims, 'sessionId'>): string | undefined {
  return sessionId?.startsWith(robotSidPrefix) === true ? sessionId.slice(robotSidPrefix.length) : undefined;
}

/** What was issued to the account before counts no longer, whatever becomes of the account. 0: no such instant. */
export function countsFrom(
  standing: Pick<Standing, 'validFrom'> | undefined,
  { endedBefore }: Pick<SessionStore, 'endedBefore'>,
  account: string,
): EpochMs {
  return Math.max(standing?.validFrom ?? 0, account === '' ? 0 : endedBefore(account));
}

/** The credential that a token was found to be marked with; the same claims stand for the same token. */
const foundMarks = new WeakMap<AccessClaims, string>();

/** Whether an access token was ended, by itself, with its session or with its account, or its secret or password is another one. */
export function isEnded(
  standing: Standing,
  sessions: Pick<SessionStore, 'isRevoked' | 'endedBefore'>,
  claims: AccessClaims,
): boolean {
  const { account, tokenId, sessionId, issuedAt } = claims;
  if (sessions.isRevoked(tokenId) || (sessionId !== undefined && sessions.isRevoked(sessionId))) return true;
  if (account === '') return false;
  if (inMilliseconds(issuedAt) < countsFrom(standing, sessions, account)) return true;
  // Who has no password is marked with none: a workload is not the person whose name it took.
  if (standing.mark === undefined) return true;
  if (foundMarks.get(claims) === standing.mark) return false;
  if (!isMarkedWith(standing.mark, tokenId)) return true;
  foundMarks.set(claims, standing.mark);
  return false;
}

export type SessionEnd = 'session_account_gone' | 'session_password_changed' | 'session_ended';

/** Why a session counts no longer; undefined while it does. Only one that has `ended` never comes back. */
export function endOfSession(
  standing: Standing | undefined,
  sessions: Pick<SessionStore, 'endedBefore'>,
  { id, account, created }: Session,
): SessionEnd | undefined {
  if (created < countsFrom(standing, sessions, account)) return 'session_ended';
  // A name that became a machine's is not the person who logged in.
  if (standing?.principal?.kind !== 'user') return 'session_account_gone';
  return isMarkedWith(standing.mark, id) ? undefined : 'session_password_changed';
}
