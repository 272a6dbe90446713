/** Whether what was issued to an account still counts: a session, an access token, a login that is under way. */
import { type Policy, type Principal, anonymous } from '../policy/model.ts';
import { principalIn } from '../policy/principal.ts';
import type { Clock, Session, SessionStore } from '../ports.ts';
import type { AccessClaims } from '../token/access-token.ts';
import { isMarkedWith } from './marked-id.ts';
import { liveRobotToken } from './robot-secret.ts';

/** `sid` of tokens issued for a robot's secret; taking the secret out of the policy ends them. */
export const robotSidPrefix = 'robot:';

/** The robot's secret that an access token was issued for. */
export function robotTokenIdOf({ sessionId }: Pick<AccessClaims, 'sessionId'>): string | undefined {
  return sessionId?.startsWith(robotSidPrefix) === true ? sessionId.slice(robotSidPrefix.length) : undefined;
}

/** Whom an account stands for today; undefined when it is gone or disabled. */
export function principalOf(policy: Policy, account: string): Principal | undefined {
  if (account === '') return anonymous;
  return (
    principalIn(policy, { kind: 'user', name: account }) ??
    principalIn(policy, { kind: 'robot', name: account }) ??
    principalIn(policy, { kind: 'workload', name: account })
  );
}

/** Milliseconds since 1970: what was issued to the account before counts no longer, whatever becomes of the account. 0: no such instant. */
export function countsFrom(
  policy: Policy,
  { endedBefore }: Pick<SessionStore, 'endedBefore'>,
  account: string,
): number {
  const entry = policy.users.get(account) ?? policy.robots.get(account) ?? policy.workloads.get(account);
  return Math.max(entry?.validFrom ?? 0, account === '' ? 0 : endedBefore(account));
}

/** Whether an access token was ended, by itself, with its session or with its account, or its secret or password is another one. */
export function isEnded(
  policy: Policy,
  sessions: Pick<SessionStore, 'isRevoked' | 'endedBefore'>,
  claims: AccessClaims,
  now: number,
): boolean {
  const { account, tokenId, sessionId, issuedAt } = claims;
  if (sessions.isRevoked(tokenId) || (sessionId !== undefined && sessions.isRevoked(sessionId))) return true;
  if (account === '') return false;
  if (issuedAt * 1000 < countsFrom(policy, sessions, account)) return true;
  const secretId = robotTokenIdOf(claims);
  if (secretId !== undefined) return !isMarkedWith(liveRobotToken(policy, account, secretId, now)?.sha256, tokenId);
  // Who has no password is marked with none: a workload is not the person whose name it took.
  return !isMarkedWith(policy.users.get(account)?.password?.text ?? '', tokenId);
}

export type SessionEnd = 'session_account_gone' | 'session_password_changed' | 'session_ended';

/** Why a session counts no longer; undefined while it does. Only one that has `ended` never comes back. */
export function endOfSession(
  policy: Policy,
  sessions: Pick<SessionStore, 'endedBefore'>,
  { id, account, created }: Session,
): SessionEnd | undefined {
  if (created < countsFrom(policy, sessions, account)) return 'session_ended';
  // A name that became a machine's is not the person who logged in.
  if (principalOf(policy, account)?.kind !== 'user') return 'session_account_gone';
  return isMarkedWith(policy.users.get(account)?.password?.text, id) ? undefined : 'session_password_changed';
}

/**
 * Ends for good what accounts hold when a policy disables them: the file that enables them again need not say so. To be
 * called with every policy that comes into force, the first as well: what happened before is not known.
 */
export function followDisabled(sessions: Pick<SessionStore, 'endAccount'>, clock: Clock): (policy: Policy) => void {
  let known: ReadonlySet<string> = new Set();
  return ({ users, robots, workloads }) => {
    const disabled = new Set<string>();
    for (const { name, disabled: isDisabled } of [...users.values(), ...robots.values(), ...workloads.values()]) {
      if (!isDisabled) continue;
      disabled.add(name);
      if (!known.has(name)) sessions.endAccount(name, clock());
    }
    known = disabled;
  };
}
