/** What was issued to a person to last: a session, an access token of their own. Whom it stands for at each use. */
import type { CompiledPolicy } from '../policy/evaluate.ts';
import type { Clock, PolicySource, Session, SessionStore } from '../ports.ts';
import { type IdentitySource, type Login, type SourceUnavailable, renew, standingOf } from './source.ts';
import { type SessionEnd, endOfSession } from './standing.ts';

export interface LastingParts {
  readonly sources: readonly IdentitySource[];
  readonly policies: PolicySource;
  readonly sessions: Pick<SessionStore, 'use' | 'revoke' | 'endedBefore'>;
  readonly clock: Clock;
}

/** One use, as the store was told of it. */
export interface LastingUse {
  readonly tokenHash: string;
  readonly use: Parameters<SessionStore['use']>[1];
  readonly idleSeconds: number;
}

export type Lasting =
  /** `session`: with what its source said of the person last. */
  | { readonly ok: true; readonly session: Session; readonly login: Login }
  | { readonly ok: false; readonly reason: SessionEnd; readonly detail?: string }
  | ({ readonly ok: false } & SourceUnavailable);

/** Asks the source about its person again where that was long ago, and judges by the policy in force then. */
export async function resume(
  parts: LastingParts,
  used: Session,
  { tokenHash, use, idleSeconds }: LastingUse,
): Promise<Lasting> {
  const { sources, policies, sessions } = parts;
  const ended = endOf(parts, policies.current(), used);
  const renewed = ended === undefined ? await renew(sources, policies.current().policy, used, use.now) : undefined;
  if (renewed?.ok === false && renewed.reason === 'source_unavailable') return renewed;
  const session = renewed?.ok === true ? { ...used, outside: renewed.outside } : used;
  const policy = policies.current();
  const reason = ended ?? (renewed?.ok === false ? renewed.reason : endOf(parts, policy, session));
  // What has ended for good is not kept in use until that is forgotten.
  if (reason === 'session_ended') await sessions.revoke({ id: used.id }, use.now);
  if (reason !== undefined) return { ok: false, reason };
  if (session.outside !== used.outside)
    await sessions.use(tokenHash, { ...use, outside: session.outside }, idleSeconds);
  const issued = { account: session.account, secretId: undefined, outside: session.outside };
  const found = standingOf(sources, policy.policy, issued, use.now);
  if (found?.principal === undefined || found.mark === undefined) return { ok: false, reason: 'session_account_gone' };
  const { principal, validFrom, mark, outside } = found;
  const lookedUp = session.outside?.lookedUp;
  return { ok: true, session, login: { principal, validFrom, mark, outside, lookedUp } };
}

/** Why it counts no longer by this policy; undefined while it does. */
export function endOf(
  {
    sources,
    sessions,
    clock,
  }: Pick<LastingParts, 'sources' | 'clock'> & {
    readonly sessions: Pick<SessionStore, 'endedBefore'>;
  },
  { policy }: CompiledPolicy,
  session: Session,
): SessionEnd | undefined {
  const issued = { account: session.account, secretId: undefined, outside: session.outside };
  return endOfSession(standingOf(sources, policy, issued, clock()), sessions, session);
}
