/** How the gateway logs in at a registry that has access control of its own. */
import type { StoredLogin } from '../distribution/docker-logins.ts';

/** `login_failed`: the registry was asked, or its helper, and there is no way in. `detail` for operators; never a secret. */
export interface LoginFailure {
  readonly ok: false;
  readonly reason: 'unreachable' | 'timeout' | 'login_failed';
  readonly detail: string;
}

/** What goes with one request. */
export interface Authorization {
  readonly ok: true;
  /** Value of `Authorization`; undefined: none is asked for. */
  readonly header: string | undefined;
  /** It was made for this request: another one would be no better. */
  readonly isNew: boolean;
}

/** One registry's. What it gives goes to that registry alone, and nowhere that it redirects to. Nothing rejects. */
export interface UpstreamLogin {
  /** `scope`: of the request, in the registry's names, space-separated; '' for none. Takes half a minute at worst. */
  authorize(scope: string): Promise<Authorization | LoginFailure>;
  /**
   * The registry answered 401 to what went with `used`. `again`: the request may go once more, with what `authorize` gives
   * then. `guarded`: it wants a login, and there is none for it.
   */
  refused(scope: string, used: Authorization, wwwAuthenticate: string | undefined): Promise<Refused>;
  /** Whether a 401 to a request without scope is all there is to say: it gives tokens for pulling to everybody. */
  readonly isOpenToAll: () => boolean;
}

export type Refused = 'again' | 'guarded' | LoginFailure;

/** Where the credentials for a registry come from. */
export interface CredentialSource {
  /** The same object until they change. */
  get(): Promise<CredentialReading>;
  /** They were refused: the next ones may be others. */
  forget(login: StoredLogin): void;
}

export type CredentialReading =
  { readonly ok: true; readonly login: StoredLogin } | { readonly ok: false; readonly detail: string };

export interface LoginRequest {
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  /** A form, posted; without one it is a GET. */
  readonly form?: string;
}

export type LoginAnswer =
  | {
      readonly ok: true;
      readonly status: number;
      readonly wwwAuthenticate: string | undefined;
      readonly content: string;
    }
  | { readonly ok: false; readonly reason: 'unreachable' | 'timeout' | 'broken'; readonly detail: string };

/** A registry's own door and its token server. */
export interface LoginServers {
  /** One request, its answer whole: at most 64 KiB, within some seconds. A redirect is an answer like any other. Never rejects. */
  ask(request: LoginRequest): Promise<LoginAnswer>;
}
