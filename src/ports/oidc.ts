/** Providers by which people log in with their browser (OpenID Connect). What is said of somebody is theirs to say. */

/** What a browser is sent away with, and what must be there when it comes back. */
export interface BegunLogin {
  /** Where the browser goes. */
  readonly url: string;
  /** Comes back with the browser. */
  readonly state: string;
  /** Is in the ID token. */
  readonly nonce: string;
  /** Known to nobody but the gateway until it asks for the tokens (RFC 7636). */
  readonly verifier: string;
}

/** Somebody as the provider knows them. */
export interface ProvidedPerson {
  readonly issuer: string;
  /** Never given to anybody else by this issuer. */
  readonly subject: string;
  /** Of any content. */
  readonly name: string;
  /** By the provider's own names. */
  readonly groups: readonly string[];
}

/** It cannot be asked, or not in time, or does not take this gateway for a client. `detail` for operators, without secrets. */
export interface ProviderUnavailable {
  readonly ok: false;
  readonly reason: 'unavailable';
  readonly detail: string;
}

/**
 * `declined`: by the provider or the person. `answer_spent`: what came back was used before, or is too old. `answer_forged`:
 * it is not from this provider, or not for this login. `person_unusable`: claims that are missing, or are not what they
 * should be. `detail` may hold text of anybody's.
 */
export interface ProvidedRefused {
  readonly ok: false;
  readonly reason: 'declined' | 'answer_spent' | 'answer_forged' | 'person_unusable';
  readonly detail: string;
}

/** None of its calls rejects, and none takes longer than about fifteen seconds. */
export interface LoginProvider {
  begin(): Promise<({ readonly ok: true } & BegunLogin) | ProviderUnavailable>;
  /** `query`: what the browser came back with. */
  finish(
    query: URLSearchParams,
    begun: Omit<BegunLogin, 'url'>,
  ): Promise<{ readonly ok: true; readonly person: ProvidedPerson } | ProvidedRefused | ProviderUnavailable>;
  /** As of the last call, or of a look at it from time to time. */
  health(): { readonly ok: boolean; readonly detail: string };
  close(): void;
}
