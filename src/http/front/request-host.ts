/** The Host of a request: RFC 9112 section 3.2, and what of it may show in answers. */
import { isIPv6 } from 'node:net';
import { inNetworks } from '../../policy/conditions.ts';

export interface RequestHost {
  /** Lower case; an IPv6 address in its brackets. */
  readonly name: string;
  readonly port: number | undefined;
}

/** undefined for what is no host: empty, with a user name, a path, a port beyond 65535. A dot at the end is kept. */
export function parseHost(text: string): RequestHost | undefined {
  const [, bracketed, plain = '', digits = ''] =
    /^(?:\[([^\]]*)\]|((?:[a-z0-9_-]+\.)*[a-z0-9_-]+\.?))(?::(\d*))?$/i.exec(text) ?? [];
  if (bracketed === undefined ? plain === '' || plain.length > 254 : !isIPv6(bracketed)) return undefined;
  const port = digits === '' ? undefined : Number(digits);
  if (port !== undefined && port > 65_535) return undefined;
  return { name: (bracketed === undefined ? plain : `[${bracketed}]`).toLowerCase(), port };
}

const loopbackNames: ReadonlySet<string> = new Set(['localhost', '127.0.0.1', '[::1]']);
const loopbackNetworks = ['127.0.0.0/8', '::1/128'];
/** Of configuration: there is one, or few. */
const parsedUrls = new Map<string, URL>();

/** Parsed once; only for URLs that no client chooses. */
export function parsedUrl(text: string): URL {
  let url = parsedUrls.get(text);
  if (url === undefined) parsedUrls.set(text, (url = new URL(text)));
  return url;
}

export interface Arrival {
  /** The Host header. */
  readonly host: string | undefined;
  /** The other end of the connection, whatever a header says. */
  readonly remoteAddress: string | undefined;
  readonly trustedProxies: readonly string[];
}

/**
 * The origin under which this client reaches the gateway: `publicUrl`, but for one at a loopback address, whose other
 * names are believed from the same machine, because clients refuse a private realm that is not the registry's own host.
 * A proxy on that machine sends on what strangers write, and is not believed.
 */
export function publicOrigin(publicUrl: string, { host, remoteAddress, trustedProxies }: Arrival): string {
  const own = parsedUrl(publicUrl);
  if (host === own.host) return publicUrl;
  if (!isLoopbackName(own.hostname) || !inNetworks(loopbackNetworks, remoteAddress)) return publicUrl;
  if (inNetworks(trustedProxies, remoteAddress)) return publicUrl;
  const asked = parseHost(host ?? '');
  if (asked === undefined || !loopbackNames.has(asked.name)) return publicUrl;
  const usual = own.protocol === 'https:' ? 443 : 80;
  if ((asked.port ?? usual) !== (own.port === '' ? usual : Number(own.port))) return publicUrl;
  return `${own.protocol}//${asked.name}${own.port === '' ? '' : `:${own.port}`}`;
}

/** `localhost`, what lies below it, and addresses of the machine itself, as a URL spells them. */
export function isLoopbackName(hostname: string): boolean {
  return hostname === '[::1]' || /^127(?:\.\d+){3}$/.test(hostname) || /^(?:.+\.)?localhost\.?$/.test(hostname);
}
