/** One token request from start to finish: distribution's spec/auth/token.md (GET) and oauth.md (POST). */
import type { Access } from '../distribution/access.ts';
import type { Credentials } from '../distribution/credentials.ts';
import { parseScopes } from '../distribution/scope.ts';
import type { LimitState, Limits } from '../limits/spend.ts';
import type { CompiledPolicy } from '../policy/evaluate.ts';
import { type Principal, anonymous } from '../policy/model.ts';
import { narrowPolicy } from '../policy/secret-reach.ts';
import type { Clock, PolicySource, RobotUses, SessionStore } from '../ports.ts';
import type { AccessTokens } from './access-token.ts';
import { type AuthenticationMethod, type AuthenticationParts, authenticateNow } from '../identity/authenticate.ts';
import { makeSecret, parseSecret, secretHash } from '../identity/carried-secret.ts';
import { grantAccess } from './grant.ts';
import type { TokenRefusal } from './refusal.ts';
import { makeMarkedId } from '../identity/marked-id.ts';
import { countsFrom, endOfSession, principalOf, robotSidPrefix } from '../identity/standing.ts';

/** A refresh token in place of a name and password. */
export type TokenCredentials = Credentials | { readonly kind: 'session'; readonly secret: string };

export interface TokenRequest {
  readonly credentials: TokenCredentials;
  /** As sent, each possibly a space-separated list. */
  readonly scopes: readonly string[];
  /** undefined or '': the client did not name one. */
  readonly service: string | undefined;
  /** The client wants to stay logged in (`offline_token`, `access_type=offline`). */
  readonly offline: boolean;
  readonly address: string | undefined;
  readonly userAgent: string | undefined;
}

export interface TokenGrant {
  readonly ok: true;
  readonly token: string;
  readonly expiresInSeconds: number;
  readonly access: readonly Access[];
  readonly principal: Principal;
  readonly method: AuthenticationMethod | undefined;
  /** Of the policy's limits on token requests, those that counted this one. */
  readonly limits: readonly LimitState[];
  /** For people who asked to stay logged in, never for machines. */
  readonly refreshToken?: string;
  readonly sessionId?: string;
}

export type TokenOutcome = TokenGrant | { readonly ok: false; readonly refusal: TokenRefusal };

export interface TokenService {
  issue(request: TokenRequest): Promise<TokenOutcome>;
}

export interface TokenServiceParts extends AuthenticationParts {
  readonly tokens: AccessTokens;
  readonly policies: PolicySource;
  readonly sessions: SessionStore;
  readonly robotUses: RobotUses;
  readonly limits: Pick<Limits, 'spend'>;
  readonly clock: Clock;
  readonly service: string;
  /** Seconds without use after which a session ends. */
  readonly refreshTtlSeconds: number;
}

/** Who asks, once that is known; `sid` ties access tokens to what can be revoked. */
interface Login {
  readonly ok: true;
  readonly principal: Principal;
  readonly method: AuthenticationMethod | undefined;
  /** The policy within what the credentials reach. */
  readonly policy: CompiledPolicy;
  readonly sid?: string;
  /** What the policy stores of the robot's secret; a person's password is looked up. */
  readonly secretHash?: string;
  readonly refreshToken?: string;
}

type Identified = Login | { readonly ok: false; readonly refusal: TokenRefusal };

/** Expected failures are refusals with a reason; it throws only for broken I/O. */
export function createTokenService(parts: TokenServiceParts): TokenService {
  const { tokens, clock, service, limits } = parts;
  return {
    async issue(request) {
      if (request.service !== undefined && request.service !== '' && request.service !== service) {
        return refuse({ reason: 'service_unknown', service: request.service });
      }
      const requested = parseScopes(request.scopes);
      if ('reason' in requested) return refuse(requested);
      const login = await identify(parts, request);
      if (!login.ok) return login;
      const { principal, method, sid, policy } = login;
      const account = 'name' in principal ? principal.name : '';
      const { admitted, states } = await limits.spend(policy, 'token', { principal, address: request.address });
      if (!admitted) return refuse({ reason: 'limit_reached', account, principal, states });
      const opened =
        request.offline && method === 'password' ? await openSession(parts, request, principal, policy) : undefined;
      if (opened !== undefined && !opened.ok) return opened;
      const now = clock();
      const access = grantAccess(policy, principal, requested, { address: request.address, now });
      const sessionId = opened?.sessionId ?? sid;
      const credential = login.secretHash ?? policy.policy.users.get(account)?.password?.text;
      // At least of the instant from which on the account's tokens count, as some other clock had it.
      const issuedAt = Math.max(
        Math.floor(now / 1000),
        Math.ceil(countsFrom(policy.policy, parts.sessions, account) / 1000),
      );
      const token = await tokens.sign(account, access, issuedAt, { sessionId, credential });
      const refreshToken = opened?.refreshToken ?? login.refreshToken;
      return {
        ok: true,
        token,
        expiresInSeconds: tokens.ttlSeconds,
        access,
        principal,
        method,
        limits: states,
        ...(refreshToken === undefined ? {} : { refreshToken }),
        ...(sessionId === undefined ? {} : { sessionId }),
      };
    },
  };
}

async function identify(parts: TokenServiceParts, request: TokenRequest): Promise<Identified> {
  const { credentials, scopes } = request;
  switch (credentials.kind) {
    case 'none':
      // `docker login` is a token without scope: answering it would make an empty login succeed.
      if (scopes.every((scope) => scope.trim() === '')) return refuse({ reason: 'credentials_missing' });
      return { ok: true, principal: anonymous, method: undefined, policy: parts.policies.current() };
    case 'bearer':
    case 'malformed':
      return refuse({ reason: 'credentials_malformed' });
    case 'session':
      return resumeSession(parts, request, credentials.secret);
    case 'basic': {
      const { account, password } = credentials;
      const presented = { account, password, address: request.address };
      const { result, policy } = await authenticateNow(parts, parts.policies, presented, parts.clock);
      if (!result.ok) {
        if (result.reason === 'login_held') return refuse({ ...result, account });
        const { reason, detail = '' } = result;
        return refuse(reason === 'secret_malformed' ? { reason, account, detail } : { reason, account });
      }
      const { principal, method, robotToken } = result;
      if (robotToken === undefined) return { ok: true, principal, method, policy };
      parts.robotUses.mark(robotToken.id, parts.clock());
      const narrowed = narrowPolicy(policy, account, robotToken);
      const sid = robotSidPrefix + robotToken.id;
      return { ok: true, principal, method, policy: narrowed, sid, secretHash: robotToken.sha256 };
    }
  }
}

/** The refresh grant. The token is not rotated: dockerd keeps a static copy of it (moby staticCredentialStore). */
async function resumeSession(
  parts: TokenServiceParts,
  { address, userAgent }: TokenRequest,
  text: string,
): Promise<Identified> {
  const secret = parseSecret(text);
  if ('problem' in secret) return refuse({ reason: 'secret_malformed', account: '', detail: secret.problem });
  if (secret.kind !== 'session') return refuse({ reason: 'session_unknown' });
  const use = { now: parts.clock(), address, userAgent };
  const found = await parts.sessions.use(secretHash(secret.text), use, parts.refreshTtlSeconds);
  if (!found.ok) return refuse({ reason: found.reason === 'unknown' ? 'session_unknown' : 'store_unavailable' });
  const { session } = found;
  const { account } = session;
  if (session.service !== parts.service) return refuse({ reason: 'session_of_other_service', account });
  const policy = parts.policies.current();
  const reason = endOfSession(policy.policy, parts.sessions, session);
  // What has ended for good is not kept in use until that is forgotten.
  if (reason === 'session_ended') await parts.sessions.revoke({ id: session.id }, use.now);
  if (reason !== undefined) return refuse({ reason, account });
  const principal = principalOf(policy.policy, account) ?? anonymous;
  return { ok: true, principal, method: 'session', policy, sid: session.id, refreshToken: secret.text };
}

async function openSession(
  { sessions, clock, service, refreshTtlSeconds }: TokenServiceParts,
  { address, userAgent }: TokenRequest,
  principal: Principal,
  { policy }: CompiledPolicy,
): Promise<
  | { readonly ok: true; readonly sessionId: string; readonly refreshToken: string }
  | { readonly ok: false; readonly refusal: TokenRefusal }
> {
  const secret = makeSecret('session');
  const now = clock();
  const account = 'name' in principal ? principal.name : '';
  const session = {
    id: makeMarkedId(policy.users.get(account)?.password?.text ?? ''),
    account,
    service,
    created: Math.max(now, countsFrom(policy, sessions, account)),
    lastUsed: now,
    address,
    userAgent: userAgent?.slice(0, 256),
  };
  const opened = await sessions.open(secretHash(secret.text), session, refreshTtlSeconds);
  if (!opened.ok) return { ok: false, refusal: { reason: 'store_unavailable' } };
  return { ok: true, sessionId: session.id, refreshToken: secret.text };
}

function refuse(refusal: TokenRefusal): { readonly ok: false; readonly refusal: TokenRefusal } {
  return { ok: false, refusal };
}
