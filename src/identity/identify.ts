/** Credentials -> an identified caller, or why not: the same for the registry's routes and for /token. */
import type { Access } from '../distribution/access.ts';
import type { Credentials } from '../distribution/credentials.ts';
import type { CompiledPolicy } from '../policy/evaluate.ts';
import { anonymous } from '../policy/model.ts';
import { reachOf } from '../policy/own-reach.ts';
import { narrowPolicy } from '../policy/secret-reach.ts';
import type { Clock, PolicySource, RobotUses, Session, SessionStore } from '../ports.ts';
import type { AccessClaims, AccessTokens } from '../token/access-token.ts';
import { parseSecret, secretHash } from './carried-secret.ts';
import type { AccessTokenRefusal, LoginRefusal, NoLonger, NothingShown, SessionRefusal } from './refusal.ts';
import {
  type AuthenticationMethod,
  type IdentitySource,
  type Issued,
  type Login,
  type Presented,
  type OwnToken,
  authenticate,
  standingOf,
} from './source.ts';
import { type SessionEnd, countsFrom, isEnded, robotSidPrefix, robotTokenIdOf } from './standing.ts';
import { type SessionTerms, endOf, liveSession } from './live-session.ts';
import { webTerms } from './web-session.ts';
import { type EpochSeconds, inMilliseconds, inSeconds } from '../time.ts';

/** What a client may show: an Authorization header, a refresh token in place of a name and password, or the page's cookie. */
export type Shown = Credentials | { readonly kind: 'session' | 'web'; readonly secret: string };

/** Where credentials come from, and what the request says for them. */
export interface Showing {
  readonly address: string | undefined;
  readonly userAgent?: string | undefined;
  /** No credentials stand for an anonymous caller. */
  readonly mayBeAnonymous?: boolean;
  /**
   * Whether the request goes on with an upload that the account had opened by then: neither failed
   * logins of others nor the expiry of its token stop it.
   */
  readonly continues?: (account: string, bySeconds: EpochSeconds) => boolean;
}

/** Who asks, and how far the credentials reach: Basic reaches as far as the policy, a token only to its `access`. */
export interface Caller extends Login {
  readonly method: AuthenticationMethod | 'access-token' | undefined;
  readonly bound: readonly Access[] | undefined;
  /** Of an access token. */
  readonly claims?: AccessClaims | undefined;
  /** `sid` of what is issued to this login, so that it ends with it. */
  readonly sessionId?: string | undefined;
}

/** `policy` as these credentials see it: one value for the whole request. */
export interface Identified {
  readonly kind: 'identified';
  readonly caller: Caller;
  readonly policy: CompiledPolicy;
}

export interface Refused<Refusal> {
  readonly kind: 'refused';
  readonly refusal: Refusal;
}

/** Each kind of credentials is refused in its own ways. */
export type RefusalOf<S extends Shown> = S extends { readonly kind: 'basic' }
  ? LoginRefusal
  : S extends { readonly kind: 'bearer' }
    ? AccessTokenRefusal
    : S extends { readonly kind: 'session' | 'web' }
      ? SessionRefusal
      : NothingShown;

export interface Identity {
  identify<S extends Shown>(shown: S, showing: Showing): Promise<Identified | Refused<RefusalOf<S>>>;
  /** Whom the caller stands for now, by the policy of now: a body may have been long in coming. */
  again(caller: Caller): Identified | Refused<NoLonger>;
  /** Why a session counts no longer by the policy of now; undefined while it does. */
  endOfSession(session: Session): SessionEnd | undefined;
}

export type LoginOutcome = 'ok' | 'wrong' | 'limited' | 'unavailable';

export interface IdentityParts {
  /** In the order in which they are asked whose the credentials are. */
  readonly sources: readonly IdentitySource[];
  readonly policies: PolicySource;
  readonly tokens: Pick<AccessTokens, 'verify'>;
  readonly sessions: Pick<SessionStore, 'find' | 'use' | 'revoke' | 'isRevoked' | 'endedBefore'>;
  readonly robotUses: Pick<RobotUses, 'mark'>;
  /** Hears what became of each password, secret, ID token and session that was shown. */
  readonly onLogin?: (method: AuthenticationMethod, outcome: LoginOutcome) => void;
  readonly clock: Clock;
  readonly service: string;
  /** Seconds without use after which a session ends. */
  readonly refreshTtlSeconds: number;
}

/** The one way from credentials to a caller. Nothing throws for bad ones. */
export function createIdentity(parts: IdentityParts): Identity {
  function identify<S extends Shown>(shown: S, showing: Showing): Promise<Identified | Refused<RefusalOf<S>>>;
  function identify(shown: Shown, showing: Showing): Promise<Identified | Refused<RefusalOf<Shown>>> {
    switch (shown.kind) {
      case 'none':
        return Promise.resolve(fromNothing(parts, showing));
      case 'malformed':
        return Promise.resolve(refuse({ reason: 'credentials_malformed' }));
      case 'basic':
        return fromPassword(parts, shown, showing);
      case 'bearer':
        return fromAccessToken(parts, shown.token, showing);
      case 'session':
        return fromSession(parts, shown.secret, showing);
      case 'web':
        return bySession(parts, shown.secret, showing, webTerms);
    }
  }
  return {
    identify,
    again(caller) {
      const policy = parts.policies.current();
      const issued = { account: accountOf(caller), secretId: caller.robotToken?.id, outside: caller.outside };
      const found = stillStanding(parts, policy, issued, caller);
      return 'reason' in found ? refuse(found) : identified({ ...caller, ...found }, policy);
    },
    endOfSession: (session) => endOf(parts, parts.policies.current(), session),
  };
}

/** The account's name; '' for anonymous, as in access tokens. */
export function accountOf({ principal }: Pick<Caller, 'principal'>): string {
  return 'name' in principal ? principal.name : '';
}

/** `current` as this caller's credentials see it: the secret behind the request bounds every decision. */
export function policyOf({ principal, robotToken, ownToken }: Caller, current: CompiledPolicy): CompiledPolicy {
  const reach = ownToken === undefined ? robotToken : reachOf(ownToken.reach);
  return reach === undefined || !('name' in principal) ? current : narrowPolicy(current, principal.name, reach);
}

/** Of the robot's secret, or of the person's own access token, that stands behind the caller. */
export function secretIdOf({ robotToken, ownToken }: Pick<Caller, 'robotToken' | 'ownToken'>): string | undefined {
  return ownToken?.id ?? robotToken?.id;
}

const nobody: Login = { principal: anonymous, validFrom: 0, mark: '' };

type How = Pick<Caller, 'method'> & Partial<Pick<Caller, 'bound' | 'claims' | 'sessionId' | 'ownToken'>>;

/** Written out: a spread with more behind it takes longer than all the rest of identifying. */
function callerOf(
  { principal, validFrom, mark, robotToken, outside, endsAt, evidence, lookedUp }: Login,
  { method, bound, claims, sessionId, ownToken }: How,
): Caller {
  const standing = { principal, validFrom, mark, robotToken, outside };
  return { ...standing, endsAt, evidence, lookedUp, method, bound, claims, sessionId, ownToken };
}

function identified(caller: Caller, policy: CompiledPolicy): Identified {
  return { kind: 'identified', caller, policy: policyOf(caller, policy) };
}

function refuse<Refusal>(refusal: Refusal): Refused<Refusal> {
  return { kind: 'refused', refusal };
}

function fromNothing({ policies }: IdentityParts, { mayBeAnonymous }: Showing): Identified | Refused<NothingShown> {
  if (mayBeAnonymous !== true) return refuse({ reason: 'credentials_missing' });
  return identified(callerOf(nobody, { method: undefined }), policies.current());
}

async function fromPassword(
  parts: IdentityParts,
  { account, password }: Pick<Presented, 'account' | 'password'>,
  { address, userAgent, continues }: Showing,
): Promise<Identified | Refused<LoginRefusal>> {
  const isExcused = continues?.(account, inSeconds(parts.clock())) === true;
  const { result, policy, method } = await authenticateNow(parts, { account, password, address, userAgent, isExcused });
  if (method !== undefined) parts.onLogin?.(method, outcomeOf(result));
  if (!result.ok) {
    if (result.reason === 'login_held')
      return refuse({ reason: result.reason, account, by: result.by, waitMs: result.waitMs });
    if (result.reason === 'id_token_refused')
      return refuse({ reason: result.reason, account, refused: result.refused });
    if (result.reason === 'source_unavailable')
      return refuse({ reason: result.reason, account, detail: result.detail });
    const { reason, detail = '' } = result;
    if (reason === 'secret_malformed') return refuse({ reason, account, detail });
    return refuse(detail === '' ? { reason, account } : { reason, account, detail });
  }
  const { login } = result;
  const { robotToken, ownToken } = login;
  if (robotToken === undefined)
    return identified(callerOf(login, { method, ownToken, sessionId: ownToken?.id }), policy);
  parts.robotUses.mark(robotToken.id, parts.clock());
  return identified(callerOf(login, { method, sessionId: robotSidPrefix + robotToken.id }), policy);
}

/** By the policy in force when it answers: while hashing waits, a password may be changed or an account closed. */
async function authenticateNow(
  { sources, policies, clock }: IdentityParts,
  presented: Presented,
): Promise<Awaited<ReturnType<typeof authenticate>> & { readonly policy: CompiledPolicy }> {
  for (;;) {
    const policy = policies.current();
    const { result, method } = await authenticate(sources, policy.policy, presented, clock());
    if (!result.ok || policy === policies.current()) return { result, method, policy };
  }
}

/** Of whoever was not let in: whether that is their fault, nobody's yet, or ours. */
function outcomeOf(result: { readonly ok: boolean; readonly reason?: string }): LoginOutcome {
  if (result.ok) return 'ok';
  switch (result.reason) {
    case 'login_held':
    case 'hashing_busy':
      return 'limited';
    case 'source_unavailable':
    case 'store_unavailable':
      return 'unavailable';
    default:
      return 'wrong';
  }
}

async function fromAccessToken(
  parts: IdentityParts,
  token: string,
  { continues }: Showing,
): Promise<Identified | Refused<AccessTokenRefusal>> {
  const verified = await parts.tokens.verify(token, inSeconds(parts.clock()));
  if (!verified.ok && verified.reason === 'token_invalid') return refuse({ reason: 'token_invalid' });
  const { claims } = verified;
  const { account, access, expiresAt } = claims;
  // As of its expiry, too: an upload from later on is none of its own. A token of long ago, whose revocation may be
  // forgotten, finishes nothing.
  const mayFinish = (): boolean =>
    continues?.(account, inSeconds(parts.clock())) === true && continues(account, expiresAt);
  if (!verified.ok && !mayFinish()) return refuse({ reason: 'token_expired', account });
  const policy = parts.policies.current();
  const issued = { account, secretId: robotTokenIdOf(claims), outside: claims.outside };
  const found = stillStanding(parts, policy, issued, { claims });
  if ('reason' in found) return refuse(found);
  const ownToken = ownTokenOf(claims);
  return identified(callerOf(found, { method: 'access-token', bound: access, claims, ownToken }), policy);
}

/** For which the token was issued. */
function ownTokenOf({ reach, sessionId, issuedAt }: AccessClaims): OwnToken | undefined {
  if (reach === undefined || sessionId === undefined) return undefined;
  return { id: sessionId, created: inMilliseconds(issuedAt), reach };
}

/** Whom an account stands for now, or why what was issued to it no longer counts. */
function stillStanding(
  { sources, sessions, clock }: IdentityParts,
  { policy }: CompiledPolicy,
  issued: Issued,
  { claims, mark: before, ownToken }: Pick<Caller, 'claims' | 'ownToken'> & Partial<Pick<Caller, 'mark'>>,
): Login | NoLonger {
  const { account } = issued;
  const found = account === '' ? nobody : standingOf(sources, policy, issued, clock());
  if (found?.principal === undefined) return { reason: 'account_gone', account };
  const { principal, validFrom, mark, robotToken, outside } = found;
  const isSame = claims === undefined ? mark === before : !isEnded(found, sessions, claims);
  const isOver =
    ownToken !== undefined &&
    (sessions.isRevoked(ownToken.id) || ownToken.created < countsFrom(found, sessions, account));
  if (mark === undefined || !isSame || isOver) return { reason: 'token_revoked', account };
  return { principal, validFrom, mark, robotToken, outside };
}

async function fromSession(
  parts: IdentityParts,
  text: string,
  showing: Showing,
): Promise<Identified | Refused<SessionRefusal>> {
  const found = await refreshed(parts, text, showing);
  const result = found.kind === 'identified' ? { ok: true } : { ok: false, reason: found.refusal.reason };
  parts.onLogin?.('session', outcomeOf(result));
  return found;
}

/** The refresh grant. The token is not rotated: dockerd keeps a static copy of it (moby staticCredentialStore). */
async function refreshed(
  parts: IdentityParts,
  text: string,
  showing: Showing,
): Promise<Identified | Refused<SessionRefusal>> {
  const secret = parseSecret(text);
  if ('problem' in secret) return refuse({ reason: 'secret_malformed', account: '', detail: secret.problem });
  if (secret.kind !== 'session') return refuse({ reason: 'session_unknown' });
  return bySession(parts, secret.text, showing, { kind: undefined, idleSeconds: parts.refreshTtlSeconds, markMs: 0 });
}

async function bySession(
  parts: IdentityParts,
  secret: string,
  showing: Showing,
  terms: SessionTerms,
): Promise<Identified | Refused<SessionRefusal>> {
  const found = await liveSession(parts, secretHash(secret), terms, showing);
  if ('reason' in found) return refuse(found);
  const { session, login, policy } = found;
  return identified(callerOf(login, { method: 'session', sessionId: session.id }), policy);
}
