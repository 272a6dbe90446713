/** Redirects to object storage: which may be passed on or followed, and what is asked and taken there. */
import type { IncomingHttpHeaders, IncomingMessage, OutgoingHttpHeaders } from 'node:http';
import { contentHeaders, wishHeaders } from './content-headers.ts';

export interface RedirectRules {
  /** `pass` hands a redirect to the client; `follow` fetches the content for it. */
  readonly mode: 'pass' | 'follow';
  /** `host`, `host:port` or `*.suffix`, in lower case; without a port the scheme's own. None: `pass` allows any. */
  readonly hosts: readonly string[];
  /** Other registries behind this gateway: what they have is judged by names, and never fetched for another one. */
  readonly registries?: readonly URL[];
}

/** Redirects in a row that are followed; object storage needs one, a change of region another. */
export const maxHops = 3;

/** Those with a Location that a client follows (RFC 9110, 15.4); 304 is none. */
export function isRedirect(status: number): boolean {
  return status === 301 || status === 302 || status === 303 || status === 307 || status === 308;
}

/**
 * Why a redirect of `from` may not lead there, for the log; never the whole URL, whose signature is as good as a password.
 * What is followed came over TLS all the way or not at all; where a redirect is passed on that is for the client to say.
 */
export function redirectProblem(
  url: URL,
  from: URL,
  upstream: URL,
  { mode, hosts, registries = [] }: RedirectRules,
): string | undefined {
  if (url.protocol !== 'http:' && url.protocol !== 'https:') return `a redirect leads to ${url.protocol}`;
  if (url.host === upstream.host) return 'a redirect of the storage leads back to the registry';
  if (registries.some((registry) => isAtOnePort(registry, url)))
    return `a redirect leads to ${url.host}, which is another registry behind this gateway`;
  if (mode === 'follow' && from.protocol === 'https:' && url.protocol === 'http:')
    return `a redirect leads from https to http, to ${url.host}; let the storage be reached over https`;
  if ((hosts.length === 0 && mode === 'pass') || hosts.some((host) => matches(host, url))) return undefined;
  return `a redirect leads to ${url.host}, which redirects.hosts does not list`;
}

function isAtOnePort(left: URL, right: URL): boolean {
  return left.hostname === right.hostname && portOf(left) === portOf(right);
}

function portOf({ port, protocol }: URL): string {
  return port === '' ? (protocol === 'https:' ? '443' : '80') : port;
}

function matches(entry: string, url: URL): boolean {
  const [, name = '', port] = /^(.*?)(?::(\d+))?$/.exec(entry) ?? [];
  if (port === undefined ? url.port !== '' : port !== portOf(url)) return false;
  return name.startsWith('*.') ? url.hostname.endsWith(name.slice(1)) : url.hostname === name;
}

const taken: ReadonlySet<string> = new Set(contentHeaders);

/** What the storage is told, of what the client said. Its URL carries its own permission. Only blobs are read in part. */
export function storageRequestHeaders(headers: IncomingHttpHeaders, isBlob: boolean): OutgoingHttpHeaders {
  return Object.fromEntries(
    wishHeaders.flatMap((name) =>
      headers[name] === undefined || (!isBlob && name.endsWith('range')) ? [] : [[name, headers[name]]],
    ),
  );
}

/** What the client gets of the storage's answer, with what clients expect of a registry. */
export function storageHeaders(
  { statusCode: status = 0, headers, rawHeaders }: IncomingMessage,
  digest: string | undefined,
  isBlob: boolean,
): { readonly headers: OutgoingHttpHeaders } | { readonly problem: string } {
  // A refusal of the storage is no answer: the registry has just said that it is there.
  if (![200, 304, 412, ...(isBlob ? [206, 416] : [])].includes(status))
    return { problem: `the storage answers ${status}` };
  const encoding = headers['transfer-encoding'];
  if (encoding !== undefined && encoding.toLowerCase() !== 'chunked') return { problem: 'the transfer is encoded' };
  const passed: OutgoingHttpHeaders = {
    'docker-distribution-api-version': 'registry/2.0',
    ...(digest === undefined ? {} : { 'docker-content-digest': digest }),
  };
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = (rawHeaders[index] ?? '').toLowerCase();
    if (taken.has(name)) passed[name] = rawHeaders[index + 1];
  }
  return { headers: passed };
}
