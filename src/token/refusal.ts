/** Every reason a token request can fail. The audit log gets the reason, the client one sentence per status. */
import type { ScopesProblem } from '../distribution/scope.ts';
import type { LimitState } from '../limits/spend.ts';
import type { Principal } from '../policy/model.ts';
import type { LoginRefusal, NothingShown, SessionRefusal } from '../identity/refusal.ts';

export type TokenRefusal =
  | LoginRefusal
  | SessionRefusal
  | NothingShown
  /** A limit of the policy on token requests. */
  | {
      readonly reason: 'limit_reached';
      readonly account: string;
      readonly principal: Principal;
      readonly states: readonly LimitState[];
    }
  | { readonly reason: 'service_unknown'; readonly service: string }
  | ScopesProblem
  | { readonly reason: 'request_malformed'; readonly detail: string }
  | { readonly reason: 'grant_type_unsupported' };
