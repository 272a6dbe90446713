/**
 * The gateway's own login at one registry: none, Basic or Bearer, as the registry asks. It learns what is asked for before
 * a password goes anywhere, tells wrong credentials from what right ones may not do, and does not hammer at either.
 */
import type { StoredLogin } from '../distribution/docker-logins.ts';
import type { Authorization, CredentialSource, LoginFailure, LoginServers, Refused, UpstreamLogin } from '../ports.ts';
import { type AskedLogin, type LoginPlace, askedLogin, isProtected, isSameLogin } from './asked-login.ts';
import { type Fetched, KeptTokens } from './kept-tokens.ts';
import { basicHeader, tokenAnswer, tokenRequest } from './token-exchange.ts';

export interface RegistryLoginParts extends Pick<LoginPlace, 'origin' | 'tokenHosts'> {
  /** undefined: only what is given to everybody. */
  readonly credentials: CredentialSource | undefined;
  readonly servers: LoginServers;
  /** Hears each time that credentials begin to be refused, or to be missing. */
  readonly onFailure: (detail: string) => void;
  /** Milliseconds that only grow. */
  readonly now?: () => number;
}

/** Asks nobody before it is asked. */
export function createRegistryLogin(parts: RegistryLoginParts): UpstreamLogin {
  const login = new RegistryLogin(parts);
  return {
    authorize: (scope) => login.authorize(scope),
    refused: (scope, used, wwwAuthenticate) => login.refused(scope, used, wwwAuthenticate),
    isOpenToAll: () => login.isOpenToAll(),
  };
}

type Bearer = AskedLogin & { readonly kind: 'bearer' };

/** What a look at credentials is worth for as long as others ask for the same. */
const freshMs = 5000;
/** Refused credentials are shown again after this time, then twice that, …: directories lock accounts at which one knocks. */
const holdMs = 30_000;
const longestHoldMs = 600_000;

const nothing: Authorization = { ok: true, header: undefined, isNew: false };
const refusedWords = 'its credentials are refused';

class RegistryLogin implements UpstreamLogin {
  readonly #parts: RegistryLoginParts;
  readonly #now: () => number;
  readonly #tokens: KeptTokens;
  /** Looks at passwords, kept like tokens: each is good for `freshMs`. */
  readonly #looks: KeptTokens;
  #asked: AskedLogin | undefined;
  #learning: Promise<AskedLogin | LoginFailure> | undefined;
  #hold:
    | { readonly login: StoredLogin; readonly failure: LoginFailure; readonly until: number; readonly ms: number }
    | undefined;
  #reported: string | undefined;

  constructor(parts: RegistryLoginParts) {
    this.#parts = parts;
    this.#now = parts.now ?? (() => performance.now());
    this.#tokens = new KeptTokens(this.#now);
    this.#looks = new KeptTokens(this.#now);
  }

  async authorize(scope: string): Promise<Authorization | LoginFailure> {
    const { credentials } = this.#parts;
    if (credentials === undefined) {
      const isToken = this.#asked?.kind === 'bearer' && scope !== '';
      return isToken ? this.#token(this.#asked as Bearer, scope) : nothing;
    }
    const asked = this.#asked ?? (await this.#learn());
    if ('ok' in asked) return asked;
    if (asked.kind === 'open') return nothing;
    if (asked.kind === 'unusable') return this.#noWay(asked.detail);
    if (asked.kind === 'bearer' && (scope !== '' || this.#hold === undefined)) return this.#token(asked, scope);
    // A look at how things are gets no token of better days.
    const login = await this.#login();
    if (!login.ok) return login;
    return asked.kind === 'bearer' ? this.#token(asked, scope) : this.#basic(login.login);
  }

  async refused(scope: string, used: Authorization, wwwAuthenticate: string | undefined): Promise<Refused> {
    const { credentials } = this.#parts;
    const before = this.#asked;
    // One that says nothing leaves it at what was known.
    if (wwwAuthenticate !== undefined || before === undefined || before.kind === 'open')
      this.#asked = askedLogin(wwwAuthenticate, this.#place());
    const asked = this.#asked ?? { kind: 'open' };
    if (asked.kind === 'unusable' && (credentials !== undefined || asked.isToken)) return this.#noWay(asked.detail);
    if (credentials === undefined && (asked.kind !== 'bearer' || scope === '')) return 'guarded';
    if (!isSameLogin(before, asked) || used.header === undefined) return 'again';
    return asked.kind === 'bearer' ? this.#tokenRefused(asked, scope, used) : this.#passwordRefused(scope, used.header);
  }

  isOpenToAll(): boolean {
    return this.#parts.credentials === undefined && this.#asked?.kind === 'bearer';
  }

  #place(): LoginPlace {
    const { origin, tokenHosts, credentials } = this.#parts;
    return { origin, tokenHosts, hasCredentials: credentials !== undefined };
  }

  /** What the registry asks for at its door, for all who want to know. */
  #learn(): Promise<AskedLogin | LoginFailure> {
    const { servers, origin } = this.#parts;
    this.#learning ??= servers.ask({ url: new URL('/v2/', origin), headers: {} }).then((answer) => {
      this.#learning = undefined;
      if (!answer.ok) return failed(answer.reason === 'broken' ? 'unreachable' : answer.reason, answer.detail);
      const { status, wwwAuthenticate } = answer;
      const asked: AskedLogin = status === 401 ? askedLogin(wwwAuthenticate, this.#place()) : { kind: 'open' };
      // What is out of order now says nothing of tomorrow; what cannot be used is asked for anew each time.
      if (status < 500 && status !== 429 && asked.kind !== 'unusable') this.#asked = asked;
      return asked;
    });
    return this.#learning;
  }

  /** Said anew each time: what the registry asks for may be put right meanwhile. */
  #noWay(detail: string): LoginFailure {
    this.#asked = undefined;
    return this.#report(failed('login_failed', detail));
  }

  #report(failure: LoginFailure): LoginFailure {
    if (this.#reported !== failure.detail) this.#parts.onFailure(failure.detail);
    this.#reported = failure.detail;
    return failure;
  }

  #passed(): void {
    this.#hold = undefined;
    this.#reported = undefined;
  }

  /** The credentials, unless they were refused a short while ago. */
  async #login(): Promise<{ readonly ok: true; readonly login: StoredLogin } | LoginFailure> {
    const hold = this.#hold;
    const isOver = hold !== undefined && this.#now() >= hold.until;
    if (isOver) this.#parts.credentials?.forget(hold.login);
    const reading = await this.#parts.credentials?.get();
    if (reading?.ok !== true)
      return this.#report(failed('login_failed', reading?.detail ?? 'there are no credentials'));
    return hold !== undefined && !isOver && isSameAccount(reading.login, hold.login) ? hold.failure : reading;
  }

  /** Other ones than those that were refused just now, where there are any. */
  async #other(refused: StoredLogin): Promise<StoredLogin | undefined> {
    const { credentials } = this.#parts;
    credentials?.forget(refused);
    const reading = await credentials?.get();
    return reading?.ok === true && !isSameAccount(reading.login, refused) ? reading.login : undefined;
  }

  /** Nobody shows them for a while. */
  #refuse(login: StoredLogin, by: string): LoginFailure {
    const ms = Math.min(longestHoldMs, this.#hold === undefined ? holdMs : 2 * this.#hold.ms);
    const failure = failed('login_failed', `${refusedWords} by ${by}`);
    this.#hold = { login, failure, until: this.#now() + ms, ms };
    return this.#report(failure);
  }

  #basic(login: StoredLogin): Authorization | LoginFailure {
    const { origin } = this.#parts;
    if (login.kind !== 'password')
      return this.#report(failed('login_failed', 'it asks for a password, and its helper has an identity token'));
    if (!isProtected(origin)) return this.#noWay(`${origin.host} is reached without TLS`);
    // Of refused ones it was said already; whether these are any better only the registry tells.
    if (this.#hold === undefined) this.#reported = undefined;
    return { ok: true, header: basicHeader(login), isNew: false };
  }

  async #passwordRefused(scope: string, header: string): Promise<Refused> {
    const { host } = this.#parts.origin;
    const looked = await this.#looks.get(header, () => this.#look(header, scope === ''), freshMs);
    if (!looked.ok) return looked;
    if (looked.header !== header) return 'again';
    return failed('login_failed', `${host} refuses ${scope} to the account that the gateway has there (401)`);
  }

  /** The header that is good at the registry's door: this one or, since it is refused there, a newer one. */
  async #look(header: string, isRefused: boolean): Promise<Fetched> {
    const { credentials, origin } = this.#parts;
    const reading = await credentials?.get();
    if (reading?.ok !== true || reading.login.kind !== 'password')
      return failed('login_failed', reading?.ok === false ? reading.detail : refusedWords);
    const current = basicHeader(reading.login);
    const isGood = async (shown: string): Promise<boolean | LoginFailure> => {
      const answer = await this.#parts.servers.ask({ url: new URL('/v2/', origin), headers: { authorization: shown } });
      if (!answer.ok) return failed(answer.reason === 'timeout' ? 'timeout' : 'unreachable', answer.detail);
      return answer.status !== 401 && answer.status !== 403;
    };
    const good = current === header && isRefused ? false : await isGood(current);
    if (typeof good === 'object') return good;
    if (good) return this.#found(current);
    const other = await this.#other(reading.login);
    if (other?.kind !== 'password') return this.#refuse(reading.login, origin.host);
    const better = await isGood(basicHeader(other));
    if (typeof better === 'object') return better;
    return better ? this.#found(basicHeader(other)) : this.#refuse(other, origin.host);
  }

  #found(header: string): Fetched {
    this.#passed();
    return { ok: true, header, goodForMs: freshMs };
  }

  #token(asked: Bearer, scope: string): Promise<Authorization | LoginFailure> {
    return this.#tokens.get(keyOf(asked, scope), () => this.#fetchToken(asked, scope));
  }

  #tokenRefused(asked: Bearer, scope: string, used: Authorization): Refused {
    const key = keyOf(asked, scope);
    this.#tokens.drop(key, used.header ?? '');
    if (!used.isNew) return 'again';
    const what = scope === '' ? '' : ` for ${scope}`;
    const failure = failed('login_failed', `it refuses the token that ${asked.realm.host} gives${what}`);
    this.#tokens.fail(key, failure);
    return failure;
  }

  async #fetchToken(asked: Bearer, scope: string): Promise<Fetched> {
    const { host } = asked.realm;
    if (this.#parts.credentials === undefined) {
      const fetched = await this.#exchange(asked, scope, undefined);
      return isRefusal(fetched)
        ? failed(
            'login_failed',
            `the registry has access control of its own: ${host} gives nobody a token for ${scope}`,
          )
        : fetched;
    }
    const before = await this.#login();
    if (!before.ok) return before;
    const fetched = await this.#exchange(asked, scope, before.login);
    if (!isRefusal(fetched)) return fetched;
    if (scope === '') return this.#fetchByOther(asked, before.login);
    // Wrong credentials, or right ones that may not do this: a token that only says who asks tells.
    const checked = await this.#tokens.get(keyOf(asked, ''), () => this.#fetchToken(asked, ''), freshMs);
    if (!checked.ok) return checked;
    const now = await this.#login();
    const again = now.ok && now.login !== before.login ? await this.#exchange(asked, scope, now.login) : fetched;
    if (!isRefusal(again)) return again;
    return failed('login_failed', `${host} gives the gateway's account no token for ${scope} (${again.refused})`);
  }

  async #fetchByOther(asked: Bearer, refused: StoredLogin): Promise<Fetched> {
    const { host } = asked.realm;
    const other = await this.#other(refused);
    if (other === undefined) return this.#refuse(refused, host);
    const fetched = await this.#exchange(asked, '', other);
    return isRefusal(fetched) ? this.#refuse(other, host) : fetched;
  }

  async #exchange(asked: Bearer, scope: string, login: StoredLogin | undefined): Promise<Fetched | Refusal> {
    const { host } = asked.realm;
    const answer = await this.#parts.servers.ask(tokenRequest(asked, scope, login));
    if (!answer.ok) {
      const reason = answer.reason === 'broken' ? 'login_failed' : answer.reason;
      return failed(reason, `the token server ${host}: ${answer.detail}`);
    }
    const read = tokenAnswer(answer);
    if (read.kind === 'refused') return { refused: read.status };
    if (read.kind === 'unusable') return failed('login_failed', `the token server ${host} ${read.detail}`);
    this.#passed();
    return { ok: true, header: `Bearer ${read.token}`, goodForMs: read.goodForMs };
  }
}

interface Refusal {
  /** Status. */
  readonly refused: number;
}

function isRefusal(fetched: Fetched | Refusal): fetched is Refusal {
  return 'refused' in fetched;
}

function isSameAccount(left: StoredLogin, right: StoredLogin): boolean {
  return JSON.stringify(left) === JSON.stringify(right);
}

/** Tokens of one server and service are no good for another. */
function keyOf({ realm, service }: Bearer, scope: string): string {
  return JSON.stringify([realm.href, service, scope]);
}

function failed(reason: LoginFailure['reason'], detail: string): LoginFailure {
  return { ok: false, reason, detail };
}
