/** Why what a client shows is not taken, kind by kind. */
import type { Held } from './login-delays.ts';
import type { AuthenticationRefusal, IdTokenRefusal, SourceUnavailable } from './source.ts';
import type { SessionEnd } from './standing.ts';

export interface NothingShown {
  readonly reason: 'credentials_missing' | 'credentials_malformed';
}

/** `detail` says what is wrong with the copy of the secret, in words for the client. */
export interface SecretMalformed {
  readonly reason: 'secret_malformed';
  readonly account: string;
  readonly detail: string;
}

export type LoginRefusal =
  | {
      readonly reason: Exclude<AuthenticationRefusal, 'secret_malformed' | 'hashing_busy'>;
      readonly account: string;
      /** For operators. */
      readonly detail?: string | undefined;
    }
  | { readonly reason: 'hashing_busy'; readonly account: string }
  | SecretMalformed
  /** Too many failed logins; nothing was compared. */
  | ({ readonly reason: 'login_held'; readonly account: string } & Held)
  | IdTokenRefused
  | ({ readonly account: string } & SourceUnavailable);

/** The ID token of a CI job was not taken. */
export interface IdTokenRefused {
  readonly reason: 'id_token_refused';
  /** As given: it may be that of no workload. */
  readonly account: string;
  readonly refused: IdTokenRefusal;
}

/** What was issued to somebody no longer counts. */
export interface NoLonger {
  readonly reason: 'token_revoked' | 'account_gone';
  readonly account: string;
}

export type AccessTokenRefusal =
  { readonly reason: 'token_invalid' } | { readonly reason: 'token_expired'; readonly account: string } | NoLonger;

export type SessionRefusal =
  | SecretMalformed
  /** `store_unavailable`: nothing is known about the credentials. */
  | { readonly reason: 'session_unknown' | 'store_unavailable' }
  | {
      readonly reason: 'session_of_other_service' | 'login_needed' | SessionEnd;
      readonly account: string;
      readonly detail?: string;
    }
  | ({ readonly account: string } & SourceUnavailable);
