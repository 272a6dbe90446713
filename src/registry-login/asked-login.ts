/** How a registry wants to be logged in at, by its own challenge, and whether that may be done where it says. */
import { type OfferedScheme, offeredSchemes } from '../distribution/www-authenticate.ts';
import { isLoopback } from '../network/host.ts';

export type AskedLogin =
  /** It wants nothing. */
  | { readonly kind: 'open' }
  | { readonly kind: 'basic' }
  | { readonly kind: 'bearer'; readonly realm: URL; readonly service: string | undefined }
  /** `detail`: why not, for operators. `isToken`: a token would do, if it were asked for elsewhere or otherwise. */
  | { readonly kind: 'unusable'; readonly detail: string; readonly isToken: boolean };

export interface LoginPlace {
  readonly origin: URL;
  /** `host` or `host:port` of token servers besides the registry itself; without a port that of the scheme. */
  readonly tokenHosts: readonly string[];
  /** Whether there is a password for it. Without one there are tokens only, where they are given to everybody. */
  readonly hasCredentials: boolean;
}

/** A token before a password, wherever both are asked for. */
export function askedLogin(wwwAuthenticate: string | undefined, place: LoginPlace): AskedLogin {
  const offered = offeredSchemes(wwwAuthenticate);
  if (!isProtected(place.origin))
    return unusable(`${place.origin.host} is reached without TLS, where nothing is secret`, false);
  const bearers = offered.filter(({ scheme }) => scheme === 'bearer').map((each) => bearer(each, place));
  const usable = bearers.find(({ kind }) => kind === 'bearer');
  if (usable !== undefined) return usable;
  if (place.hasCredentials && offered.some(({ scheme }) => scheme === 'basic')) return { kind: 'basic' };
  const schemes = offered.map(({ scheme }) => scheme).join(', ');
  return bearers[0] ?? unusable(`it asks for ${schemes === '' ? 'a login that cannot be read' : schemes}`, false);
}

/** Whether two challenges ask for the same thing at the same place. */
export function isSameLogin(left: AskedLogin | undefined, right: AskedLogin): boolean {
  if (left?.kind !== 'bearer' || right.kind !== 'bearer') return left?.kind === right.kind;
  return left.realm.href === right.realm.href && left.service === right.service;
}

/** TLS, or the machine itself. */
export function isProtected(url: URL): boolean {
  return url.protocol === 'https:' || (url.protocol === 'http:' && isLoopback(url.hostname));
}

function bearer({ parameters }: OfferedScheme, place: LoginPlace): AskedLogin {
  const named = parameters.get('realm') ?? '';
  const realm = /^https?:\/\/[\x21-\x7e]+$/i.test(named) && URL.canParse(named) ? new URL(named) : undefined;
  if (realm === undefined) return unusable('it names no address of a token server');
  if (realm.username !== '' || realm.password !== '')
    return unusable('it names a token server with a login in its address');
  if (!isProtected(realm)) return unusable(`it names the token server ${realm.host} without TLS`);
  if (realm.origin !== place.origin.origin && !place.tokenHosts.some((host) => isAt(host, realm)))
    return unusable(
      `it names the token server ${realm.host}, which is not its own; list it in tokenHosts if it is to be trusted`,
    );
  realm.hash = '';
  // What is asked for is for the gateway to say.
  for (const name of ['service', 'scope', 'account', 'client_id', 'offline_token']) realm.searchParams.delete(name);
  return { kind: 'bearer', realm, service: parameters.get('service') };
}

/** As a URL spells both: case, ports that go without saying and forms of addresses make no difference. */
function isAt(host: string, { protocol, host: named }: URL): boolean {
  const url = `${protocol}//${host}/`;
  return !/[/\\?#@*]/.test(host) && URL.canParse(url) && new URL(url).host === named;
}

function unusable(detail: string, isToken = true): AskedLogin {
  return { kind: 'unusable', detail, isToken };
}
