/** The session behind what somebody shows, as long as it lasts: a refresh token, the page's cookie. */
import type { CompiledPolicy } from '../policy/evaluate.ts';
import type { Clock, PolicySource, Session, SessionStore } from '../ports.ts';
import type { SessionRefusal } from './refusal.ts';
import { type IdentitySource, type Login, type Renewal, renew, standingOf } from './source.ts';
import { type SessionEnd, endOfSession } from './standing.ts';

/** What kind of session is asked for: one of another kind is none. */
export interface SessionTerms {
  readonly kind: Session['kind'];
  readonly idleSeconds: number;
  /** That it is used is written down this often, in milliseconds; 0: each time. */
  readonly markMs: number;
}

export interface LiveSessionParts {
  readonly sources: readonly IdentitySource[];
  readonly policies: PolicySource;
  readonly sessions: Pick<SessionStore, 'find' | 'use' | 'revoke' | 'endedBefore'>;
  readonly clock: Clock;
  readonly service: string;
}

export interface LiveSession {
  readonly session: Session;
  readonly login: Login;
  readonly policy: CompiledPolicy;
}

/** Whose it is by the policy of now; somebody from outside is looked up again where that was long ago. */
export async function liveSession(
  parts: LiveSessionParts,
  tokenHash: string,
  terms: SessionTerms,
  { address, userAgent }: { readonly address: string | undefined; readonly userAgent?: string | undefined },
): Promise<LiveSession | SessionRefusal> {
  const use = { now: parts.clock(), address, userAgent };
  const used = await lookUp(parts.sessions, tokenHash, terms, use);
  if (!used.ok) return { reason: used.reason === 'unknown' ? 'session_unknown' : 'store_unavailable' };
  return resume(parts, used.session, { tokenHash, use, idleSeconds: terms.idleSeconds });
}

/** One use, as the store was told of it. */
interface SessionUse {
  readonly tokenHash: string;
  readonly use: Parameters<SessionStore['use']>[1];
  readonly idleSeconds: number;
  /** What its source said of the person a moment ago, when it is not to be asked again. */
  readonly renewed?: Pick<Extract<Renewal, { readonly ok: true }>, 'endsAt'> | undefined;
}

/** The same for what the store has said of it. */
export async function resume(
  parts: LiveSessionParts,
  used: Session,
  { tokenHash, use, idleSeconds, renewed: recent }: SessionUse,
): Promise<LiveSession | SessionRefusal> {
  const { id, account, service } = used;
  if (service !== parts.service) return { reason: 'session_of_other_service', account };
  const ended = endOf(parts, parts.policies.current(), used);
  const mayAsk = ended === undefined && recent === undefined;
  const renewed = mayAsk ? await renew(parts.sources, parts.policies.current().policy, used, use.now) : undefined;
  if (renewed?.ok === false && renewed.reason === 'source_unavailable')
    return { reason: renewed.reason, account, detail: renewed.detail };
  const session = renewed?.ok === true ? { ...used, outside: renewed.outside } : used;
  const policy = parts.policies.current();
  const reason = ended ?? (renewed?.ok === false ? renewed.reason : endOf(parts, policy, session));
  // What has ended for good is not kept in use until that is forgotten.
  if (reason === 'session_ended') await parts.sessions.revoke({ id }, use.now);
  if (reason !== undefined) return { reason, account };
  if (session.outside !== used.outside)
    await parts.sessions.use(tokenHash, { ...use, outside: session.outside }, idleSeconds);
  const issued = { account, secretId: undefined, outside: session.outside };
  const found = standingOf(parts.sources, policy.policy, issued, use.now);
  if (found?.principal === undefined || found.mark === undefined) return { reason: 'session_account_gone', account };
  const { principal, validFrom, mark, outside } = found;
  const lookedUp = session.outside?.lookedUp;
  const endsAt = renewed?.ok === true ? renewed.endsAt : recent?.endsAt;
  return { session, login: { principal, validFrom, mark, outside, lookedUp, endsAt }, policy };
}

async function lookUp(
  sessions: LiveSessionParts['sessions'],
  tokenHash: string,
  { kind, idleSeconds, markMs }: SessionTerms,
  use: Parameters<SessionStore['use']>[1],
): Promise<Awaited<ReturnType<SessionStore['find']>>> {
  const found = await (markMs === 0 ? sessions.use(tokenHash, use, idleSeconds) : sessions.find(tokenHash));
  if (!found.ok) return found;
  if (found.session.kind !== kind) return { ok: false, reason: 'unknown' };
  const isMarked = markMs === 0 || use.now - found.session.lastUsed < markMs;
  return isMarked ? found : sessions.use(tokenHash, use, idleSeconds);
}

/** Why a session counts no longer by this policy; undefined while it does. */
export function endOf(
  {
    sources,
    sessions,
    clock,
  }: Pick<LiveSessionParts, 'sources' | 'clock'> & {
    readonly sessions: Pick<SessionStore, 'endedBefore'>;
  },
  { policy }: CompiledPolicy,
  session: Session,
): SessionEnd | undefined {
  const issued = { account: session.account, secretId: undefined, outside: session.outside };
  return endOfSession(standingOf(sources, policy, issued, clock()), sessions, session);
}
