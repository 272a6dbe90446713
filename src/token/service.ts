/** One token request from start to finish: distribution's spec/auth/token.md (GET) and oauth.md (POST). */
import type { Access } from '../distribution/access.ts';
import type { Credentials } from '../distribution/credentials.ts';
import { parseScopes } from '../distribution/scope.ts';
import type { Principal } from '../policy/model.ts';
import type { Clock, PolicySource } from '../ports.ts';
import type { AccessTokens } from './access-token.ts';
import { type AuthenticationMethod, type AuthenticationParts, authenticate } from './authenticate.ts';
import { grantAccess } from './grant.ts';
import type { TokenRefusal } from './refusal.ts';

export interface TokenRequest {
  readonly credentials: Credentials;
  /** As sent, each possibly a space-separated list. */
  readonly scopes: readonly string[];
  /** undefined or '': the client did not name one. */
  readonly service: string | undefined;
  readonly address: string | undefined;
}

export interface TokenGrant {
  readonly ok: true;
  readonly token: string;
  readonly expiresInSeconds: number;
  readonly access: readonly Access[];
  readonly principal: Principal;
  readonly method: AuthenticationMethod | undefined;
}

export type TokenOutcome = TokenGrant | { readonly ok: false; readonly refusal: TokenRefusal };

export interface TokenService {
  issue(request: TokenRequest): Promise<TokenOutcome>;
}

export interface TokenServiceParts extends AuthenticationParts {
  readonly tokens: AccessTokens;
  readonly policies: PolicySource;
  readonly clock: Clock;
  readonly service: string;
}

export function createTokenService(parts: TokenServiceParts): TokenService {
  const { tokens, policies, clock, service } = parts;
  return {
    async issue(request) {
      if (request.service !== undefined && request.service !== '' && request.service !== service) {
        return refuse({ reason: 'service_unknown', service: request.service });
      }
      const requested = parseScopes(request.scopes);
      if ('reason' in requested) return refuse(requested);
      const policy = policies.current();
      const { credentials, address } = request;
      const asked = request.scopes.some((scope) => scope.trim() !== '');
      let principal: Principal = { kind: 'anonymous' };
      let method: AuthenticationMethod | undefined;
      switch (credentials.kind) {
        case 'none':
          // `docker login` is a token without scope: answering it would make an empty login succeed.
          if (!asked) return refuse({ reason: 'credentials_missing' });
          break;
        case 'bearer':
        case 'malformed':
          return refuse({ reason: 'credentials_malformed' });
        case 'basic': {
          const result = await authenticate(parts, policy, credentials.account, credentials.password, clock());
          if (!result.ok) return refuse({ reason: result.reason, account: credentials.account });
          principal = result.principal;
          method = result.method;
        }
      }
      const now = clock();
      const access = grantAccess(policy, principal, requested, { address, now });
      const account = 'name' in principal ? principal.name : '';
      const token = await tokens.sign(account, access, Math.floor(now / 1000));
      return { ok: true, token, expiresInSeconds: tokens.ttlSeconds, access, principal, method };
    },
  };
}

function refuse(refusal: TokenRefusal): TokenOutcome {
  return { ok: false, refusal };
}
