/** The URL of Redis in every form that reaches one. */
import { isIPv6 } from 'node:net';
import { refuse, type Parsed } from '../document/parsed.ts';
import { isHostname } from './host.ts';

export interface RedisHost {
  readonly host: string;
  readonly port: number;
}

/** How to reach Redis: one server, a master that sentinels know by name, or a cluster. Holds the password in clear. */
export interface RedisTarget {
  readonly kind: 'single' | 'sentinel' | 'cluster';
  readonly tls: boolean;
  /** Sentinels for `sentinel`, seed nodes for `cluster`, else exactly one server. */
  readonly hosts: readonly [RedisHost, ...RedisHost[]];
  readonly username?: string;
  readonly password?: string;
  readonly database: number;
  /** Only for `sentinel`. */
  readonly masterName?: string;
}

const redisExample = 'redis://localhost:6379/0';

/**
 * `redis://[user:password@]host[:port][/database]`, `redis+sentinel://…@host:port,host:port/master[/database]` and
 * `redis+cluster://…@host:port,host:port`; with `rediss` for TLS. Messages never repeat the URL: it may hold a password.
 */
export function parseRedisUrl(text: string): Parsed<RedisTarget> {
  const [, secure, variant, authority = '', path = '', extra = ''] =
    /^redis(s?)(?:\+(sentinel|cluster))?:\/\/([^/?#]*)(?:\/([^?#]*))?([?#].*)?$/s.exec(text) ?? [];
  if (secure === undefined) {
    return refuse(
      'expected a redis://, rediss://, redis+sentinel://, rediss+sentinel://, redis+cluster:// or rediss+cluster:// URL',
      `for example ${redisExample}; a "/", "?" or "#" in the password is written %2F, %3F or %23`,
    );
  }
  if (extra !== '')
    return refuse('a query or fragment in the Redis URL is not supported', 'remove everything from the ? or # on');
  const kind = variant === 'sentinel' || variant === 'cluster' ? variant : 'single';
  const at = authority.lastIndexOf('@');
  const credentials = parseUserInfo(at === -1 ? '' : authority.slice(0, at));
  if (!credentials.ok) return credentials;
  const hosts = authority
    .slice(at + 1)
    .split(',')
    .map((host) => parseRedisHost(host, kind === 'sentinel' ? 26_379 : 6_379));
  const known = hosts.filter((host) => host !== undefined);
  const [first, ...others] = known;
  if (first === undefined || known.length !== hosts.length) {
    return refuse('the Redis URL has no valid host, or one that is not host:port', `for example ${redisExample}`);
  }
  if (kind === 'single' && others.length > 0) {
    return refuse('redis:// takes one host', 'use redis+sentinel:// or redis+cluster:// for several');
  }
  const place = parseRedisPath(kind, path);
  if (!place.ok) return place;
  return {
    ok: true,
    value: { kind, tls: secure === 's', hosts: [first, ...others], ...credentials.value, ...place.value },
  };
}

function parseUserInfo(text: string): Parsed<{ readonly username?: string; readonly password?: string }> {
  if (text === '') return { ok: true, value: {} };
  const colon = text.indexOf(':');
  const username = decode(colon === -1 ? text : text.slice(0, colon));
  const password = colon === -1 ? undefined : decode(text.slice(colon + 1));
  if (username === undefined || (colon !== -1 && password === undefined)) {
    return refuse('the user name or password in the Redis URL is not percent-encoded', 'write a % as %25');
  }
  if (password === undefined) {
    return refuse(
      'the Redis URL has a user name without a password',
      'write redis://:password@host for a password alone',
    );
  }
  return { ok: true, value: { password, ...(username === '' ? {} : { username }) } };
}

function decode(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}

function parseRedisHost(text: string, defaultPort: number): RedisHost | undefined {
  const [, bracketed, plain, digits] = /^(?:\[([^\]]+)\]|([^:[\]]+))(?::(\d{1,5}))?$/.exec(text) ?? [];
  const host = bracketed ?? plain;
  if (host === undefined) return undefined;
  const port = digits === undefined ? defaultPort : Number(digits);
  if (port < 1 || port > 65_535) return undefined;
  return (bracketed === undefined ? isHostname(host) : isIPv6(host)) ? { host, port } : undefined;
}

function parseRedisPath(
  kind: RedisTarget['kind'],
  path: string,
): Parsed<{ readonly database: number; readonly masterName?: string }> {
  const parts = path.split('/');
  const masterName = kind === 'sentinel' ? parts.shift() : undefined;
  const [digits = '', ...rest] = parts;
  if (rest.length > 0 || !/^\d{0,5}$/.test(digits)) {
    return refuse('the database in the Redis URL must be a number', `for example ${redisExample}`);
  }
  const database = Number(digits);
  if (kind === 'cluster' && database !== 0) return refuse('a Redis cluster has only database 0', 'remove the path');
  if (kind !== 'sentinel') return { ok: true, value: { database } };
  if (masterName === undefined || !/^[\w.-]{1,128}$/.test(masterName)) {
    return refuse('the sentinel URL must name the master', 'for example redis+sentinel://a:26379,b:26379/mymaster/0');
  }
  return { ok: true, value: { database, masterName } };
}
