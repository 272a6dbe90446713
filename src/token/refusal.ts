/** Every reason a token request can fail. The audit log gets the reason, the client one sentence per status. */
import type { AuthenticationRefusal } from './authenticate.ts';

export type TokenRefusal =
  | { readonly reason: AuthenticationRefusal; readonly account: string }
  | { readonly reason: 'credentials_missing' }
  | { readonly reason: 'credentials_malformed' }
  | { readonly reason: 'service_unknown'; readonly service: string }
  | { readonly reason: 'scopes_too_many' }
  | { readonly reason: 'request_malformed'; readonly detail: string }
  | { readonly reason: 'grant_type_unsupported' };
