/**
 * What docker's `config.json` says of a host: which credential helper keeps its login (`credHelpers`, `credsStore`), or the
 * login itself (`auths`). As docker/cli reads it, with keys that have a scheme, a path or the usual port as well.
 */
import { field } from './json.ts';

export type StoredLogin =
  | { readonly kind: 'password'; readonly account: string; readonly password: string }
  /** A refresh token, good at the token endpoint only. */
  | { readonly kind: 'identity-token'; readonly token: string };

export interface DockerLogins {
  /** Asked first. The names under which the helper may keep the login, in order. */
  readonly helper: { readonly name: string; readonly servers: readonly string[] } | undefined;
  /** In the file itself. */
  readonly kept: StoredLogin | undefined;
}

/** `config` is the content of the file; whatever in it is of another form counts as missing. */
export function dockerLoginsFor(config: unknown, host: string, isTls: boolean): DockerLogins {
  const own = comparable(host, isTls);
  const entryIn = (section: string): unknown => {
    const entries = field(config, section);
    if (typeof entries !== 'object' || entries === null) return undefined;
    const pairs = Object.entries(entries);
    return (pairs.find(([key]) => key === host) ?? pairs.find(([key]) => comparable(key, isTls) === own))?.[1];
  };
  const named = entryIn('credHelpers') ?? field(config, 'credsStore');
  const withPort = /:\d+$/.test(own) ? [] : [`${own}:${isTls ? 443 : 80}`];
  const servers = [...new Set([host, own, ...withPort])];
  return {
    helper:
      typeof named === 'string' && named !== '' ? { name: named, servers: [...servers, `https://${host}`] } : undefined,
    kept: keptLogin(entryIn('auths')),
  };
}

/** Without scheme, path and the port that goes without saying. */
function comparable(key: string, isTls: boolean): string {
  const [, scheme = isTls ? 'https' : 'http', host = ''] = /^(?:(https?):\/\/)?([^/]*)/i.exec(key) ?? [];
  const port = scheme.toLowerCase() === 'https' ? ':443' : ':80';
  const lower = host.toLowerCase();
  return lower.endsWith(port) ? lower.slice(0, -port.length) : lower;
}

function keptLogin(entry: unknown): StoredLogin | undefined {
  const token = field(entry, 'identitytoken');
  if (typeof token === 'string' && token !== '') return { kind: 'identity-token', token };
  const auth = field(entry, 'auth');
  const text = typeof auth === 'string' ? Buffer.from(auth, 'base64').toString().replace(/\0+$/, '') : '';
  const colon = text.indexOf(':');
  if (colon > 0) return storedLogin(text.slice(0, colon), text.slice(colon + 1));
  const [account, password] = [field(entry, 'username'), field(entry, 'password')];
  return typeof account === 'string' && typeof password === 'string' ? storedLogin(account, password) : undefined;
}

/** `<token>` as the name says that the secret is an identity token; undefined for nothing at all. */
export function storedLogin(account: string, secret: string): StoredLogin | undefined {
  if (account === '' || secret === '') return undefined;
  return account === '<token>'
    ? { kind: 'identity-token', token: secret }
    : { kind: 'password', account, password: secret };
}
