/** The registries behind the gateway, as the configuration has them in force. */
import type { Secret } from '../secret.ts';

/** Who the gateway is at a registry. */
export type UpstreamCredentials =
  | { readonly username: string; readonly password: Secret }
  /** Absolute; one line, read at each login, so that a password can be changed there. */
  | { readonly username: string; readonly passwordFile: string }
  /** `docker-credential-<helper>` on PATH. */
  | { readonly helper: string };

export interface UpstreamTimeouts {
  readonly connectMs: number;
  readonly idleMs: number;
  readonly responseMs: number;
}

export interface UpstreamRedirects {
  readonly mode: 'pass' | 'follow';
  /** Not empty with `follow`. */
  readonly hosts: readonly string[];
}

/** One registry, and which names lead there. */
export interface UpstreamTerms {
  /** As in logs, metrics and messages. */
  readonly name: string;
  /** An origin, without a slash at the end. */
  readonly url: string;
  /** Whole segments without slashes at the ends; empty for what nobody else claims. No two have the same. */
  readonly prefix: string;
  /** Stands there in place of `prefix`; empty for nothing. */
  readonly remotePrefix: string;
  readonly access: 'read' | 'read-write';
  /** A remote name of one segment gets `library/` in front. Never with `remotePrefix`. */
  readonly library: boolean;
  /** Absolute path of a PEM file. Undefined: the authorities of the system. */
  readonly ca: string | undefined;
  /** Undefined: it is asked without. Otherwise its URL is https, or a loopback address. */
  readonly credentials: UpstreamCredentials | undefined;
  /**
   * `host` or `host:port` in lower case, besides that of `url`; without a port, that of the scheme. undefined: the registry
   * is open, and nobody logs in there.
   */
  readonly tokenHosts: readonly string[] | undefined;
  readonly timeouts: UpstreamTimeouts;
  readonly redirects: UpstreamRedirects;
}

/** What holds for every registry that says nothing else. */
export interface UpstreamDefaults {
  readonly timeouts: UpstreamTimeouts;
  readonly redirects: UpstreamRedirects;
}

/** What names say of registries, as plain data. */
export function namesOf(upstreams: readonly UpstreamTerms[]) {
  return upstreams.map(({ name, prefix, remotePrefix, access, library }) => ({
    name,
    prefix,
    remotePrefix,
    access,
    library,
  }));
}

/** The one that names lead to which no other claims, where there is one. */
export function defaultUpstream(upstreams: readonly UpstreamTerms[]): UpstreamTerms | undefined {
  return upstreams.find(({ prefix }) => prefix === '');
}

/** What `upstream: URL` means: one registry for every name, open, without any rewriting. */
export function soleUpstream(url: string, { timeouts, redirects }: UpstreamDefaults): UpstreamTerms {
  const { connectMs, idleMs, responseMs } = timeouts;
  return {
    name: 'main',
    url,
    prefix: '',
    remotePrefix: '',
    access: 'read-write',
    library: false,
    ca: undefined,
    credentials: undefined,
    tokenHosts: undefined,
    timeouts: { connectMs, idleMs, responseMs },
    redirects,
  };
}
