/** One token request from start to finish: distribution's spec/auth/token.md (GET) and oauth.md (POST). */
import type { Access } from '../distribution/access.ts';
import { parseScopes } from '../distribution/scope.ts';
import type { Upstreams } from '../distribution/upstreams.ts';
import type { LimitState, Limits } from '../limits/spend.ts';
import type { Principal } from '../policy/model.ts';
import type { Clock, SessionReach, SessionStore } from '../ports.ts';
import type { AccessTokens } from './access-token.ts';
import { makeSecret, secretHash } from '../identity/carried-secret.ts';
import { type Caller, type Identity, type Shown, accountOf, secretIdOf } from '../identity/identify.ts';
import { grantAccess } from './grant.ts';
import type { TokenRefusal } from './refusal.ts';
import { countsFrom } from '../identity/standing.ts';
import { newSession } from '../identity/web-session.ts';
import { inSeconds } from '../time.ts';

export interface TokenRequest {
  readonly credentials: Shown;
  /** As sent, each possibly a space-separated list. */
  readonly scopes: readonly string[];
  /** undefined or '': the client did not name one. */
  readonly service: string | undefined;
  /** The client wants to stay logged in (`offline_token`, `access_type=offline`). */
  readonly offline: boolean;
  readonly address: string | undefined;
  readonly userAgent: string | undefined;
  /** Before somebody is logged in: false where that cannot be written down, and must not be done. */
  readonly isWrittenFirst?: (caller: Caller) => Promise<boolean>;
}

export interface TokenGrant {
  readonly ok: true;
  readonly token: string;
  readonly expiresInSeconds: number;
  readonly access: readonly Access[];
  readonly requested: readonly Access[];
  readonly principal: Principal;
  readonly method: Caller['method'];
  /** Of the robot's secret, or the person's access token, that was shown. */
  readonly secretId: string | undefined;
  /** What the person's access token was made for. */
  readonly reach: SessionReach | undefined;
  readonly evidence: Caller['evidence'];
  /** Of the policy's limits on token requests, those that counted this one. */
  readonly limits: readonly LimitState[];
  /** For people who asked to stay logged in, never for machines. */
  readonly refreshToken: string | undefined;
  readonly sessionId: string | undefined;
}

export type TokenOutcome =
  | TokenGrant
  | {
      readonly ok: false;
      readonly refusal: TokenRefusal | { readonly reason: 'audit_unavailable'; readonly account: string };
    };

export interface TokenService {
  issue(request: TokenRequest): Promise<TokenOutcome>;
}

export interface TokenServiceParts {
  readonly identity: Pick<Identity, 'identify'>;
  readonly tokens: AccessTokens;
  readonly sessions: Pick<SessionStore, 'open' | 'endedBefore'>;
  readonly limits: Pick<Limits, 'spend'>;
  readonly clock: Clock;
  readonly service: string;
  /** Absent: one registry, by whose names clients call everything. */
  readonly upstreams?: Pick<Upstreams, 'canonical'>;
  /** The registry verifies tokens itself: what they carry is what may be done. */
  readonly isFinal?: boolean;
  /** Seconds without use after which a session ends. */
  readonly refreshTtlSeconds: number;
  /** Hears of each token by what was shown for it. */
  readonly onIssued?: (method: Caller['method']) => void;
}

/** Expected failures are refusals with a reason; it throws only for broken I/O. */
export function createTokenService(parts: TokenServiceParts): TokenService {
  const { identity, tokens, clock, service, limits } = parts;
  return {
    async issue(request) {
      const { credentials, scopes, address, userAgent } = request;
      if (request.service !== undefined && request.service !== '' && request.service !== service) {
        return refuse({ reason: 'service_unknown', service: request.service });
      }
      const requested = parseScopes(scopes, parts.upstreams?.canonical);
      if ('reason' in requested) return refuse(requested);
      // Tokens do not breed.
      if (credentials.kind === 'bearer') return refuse({ reason: 'credentials_malformed' });
      // `docker login` is a token without scope: answering it would make an empty login succeed.
      const mayBeAnonymous = scopes.some((scope) => scope.trim() !== '');
      const identified = await identity.identify(credentials, { address, userAgent, mayBeAnonymous });
      if (identified.kind === 'refused') return refuse(identified.refusal);
      const { caller, policy } = identified;
      const { principal, method } = caller;
      const account = accountOf(caller);
      const { admitted, states } = await limits.spend(policy, 'token', { principal, address });
      if (!admitted) return refuse({ reason: 'limit_reached', account, principal, states });
      const opens = request.offline && method === 'password';
      if ((opens || !mayBeAnonymous) && (await request.isWrittenFirst?.(caller)) === false)
        return { ok: false, refusal: { reason: 'audit_unavailable', account } };
      const opened = opens ? await openSession(parts, request, caller) : undefined;
      if (opened !== undefined && !opened.ok) return opened;
      const now = clock();
      const access = grantAccess(policy, principal, requested, { address, now }, parts.isFinal);
      const sessionId = opened?.sessionId ?? caller.sessionId;
      // At least of the instant from which on the account's tokens count, as some other clock had it.
      const from = countsFrom(caller, parts.sessions, account);
      const issuedAt = Math.max(inSeconds(now), Math.ceil(from / 1000));
      // What the login stands on may have ended by now, where clocks differ.
      const endsAt = Math.max(caller.endsAt ?? Infinity, issuedAt + 1);
      const token = await tokens.sign(account, access, issuedAt, {
        sessionId,
        credential: caller.mark,
        endsAt,
        outside: caller.outside,
        reach: caller.ownToken?.reach,
      });
      parts.onIssued?.(method);
      const refreshToken = opened?.refreshToken ?? (credentials.kind === 'session' ? credentials.secret : undefined);
      return {
        ok: true,
        token,
        expiresInSeconds: Math.min(tokens.ttlSeconds, endsAt - issuedAt),
        access,
        requested,
        principal,
        method,
        secretId: secretIdOf(caller),
        reach: caller.ownToken?.reach,
        evidence: caller.evidence,
        limits: states,
        refreshToken,
        sessionId,
      };
    },
  };
}

async function openSession(
  { sessions, clock, service, refreshTtlSeconds }: TokenServiceParts,
  { address, userAgent }: TokenRequest,
  caller: Caller,
): Promise<
  | { readonly ok: true; readonly sessionId: string; readonly refreshToken: string }
  | { readonly ok: false; readonly refusal: TokenRefusal }
> {
  const secret = makeSecret('session');
  const session = newSession({ sessions, clock, service }, caller, { address, userAgent });
  const opened = await sessions.open(secretHash(secret.text), session, refreshTtlSeconds);
  if (!opened.ok) return { ok: false, refusal: { reason: 'store_unavailable' } };
  return { ok: true, sessionId: session.id, refreshToken: secret.text };
}

function refuse(refusal: TokenRefusal): { readonly ok: false; readonly refusal: TokenRefusal } {
  return { ok: false, refusal };
}
