/** Every reason a token request can fail. The audit log gets the reason, the client one sentence per status. */
import type { ScopesProblem } from '../distribution/scope.ts';
import type { LimitState } from '../limits/spend.ts';
import type { Principal } from '../policy/model.ts';
import type { AuthenticationRefusal } from '../identity/authenticate.ts';
import type { Held } from '../identity/login-delays.ts';

export type TokenRefusal =
  | { readonly reason: Exclude<AuthenticationRefusal, 'secret_malformed'>; readonly account: string }
  /** `detail` says what is wrong with the copy of the secret, in words for the client. */
  | { readonly reason: 'secret_malformed'; readonly account: string; readonly detail: string }
  /** Too many failed logins; nothing was compared. */
  | ({ readonly reason: 'login_held'; readonly account: string } & Held)
  /** A limit of the policy on token requests. */
  | {
      readonly reason: 'limit_reached';
      readonly account: string;
      readonly principal: Principal;
      readonly states: readonly LimitState[];
    }
  | { readonly reason: 'session_unknown' }
  | { readonly reason: 'session_of_other_service'; readonly account: string }
  | { readonly reason: 'session_account_gone'; readonly account: string }
  | { readonly reason: 'session_password_changed'; readonly account: string }
  /** For good, with everything issued to the account until then. */
  | { readonly reason: 'session_ended'; readonly account: string }
  /** A session could not be looked up or recorded; nothing is known about the credentials. */
  | { readonly reason: 'store_unavailable' }
  | { readonly reason: 'credentials_missing' }
  | { readonly reason: 'credentials_malformed' }
  | { readonly reason: 'service_unknown'; readonly service: string }
  | ScopesProblem
  | { readonly reason: 'request_malformed'; readonly detail: string }
  | { readonly reason: 'grant_type_unsupported' };
