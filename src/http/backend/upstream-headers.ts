/** What leaves for the registry and what comes back: lists of what may pass, never of what may not. */
import type { IncomingHttpHeaders, IncomingMessage, OutgoingHttpHeaders } from 'node:http';
import { nextPage } from '../../distribution/link.ts';
import { type UploadLocation, ownTarget, uploadLocation } from '../../distribution/own-target.ts';
import type { RegistryRoute } from '../../distribution/route.ts';
import { contentHeaders, wishHeaders } from './content-headers.ts';
import { isRedirect } from './redirects.ts';

const forwarded = [
  ...wishHeaders,
  'content-type',
  'content-length',
  'transfer-encoding',
  'content-range',
  'docker-distribution-api-version',
] as const;

const returned: ReadonlySet<string> = new Set([
  ...contentHeaders,
  'docker-content-digest',
  'docker-upload-uuid',
  'blob-upload-uuid',
  'range',
  'oci-subject',
  'oci-filters-applied',
  'oci-tag',
  'oci-chunk-min-length',
  'oci-chunk-max-length',
  'oci-namespace',
  'warning',
  'retry-after',
]);

/**
 * The request headers for the registry. Authorization, cookies, everything hop-by-hop and every forwarding claim of the
 * client stay here. Upload routes always carry `application/octet-stream`: with a form type distribution would read its
 * parameters from the body.
 */
export function outgoingHeaders(
  request: IncomingMessage,
  route: RegistryRoute,
  host: string,
  traceparent: string,
): IncomingHttpHeaders {
  const headers: IncomingHttpHeaders = { host, traceparent };
  for (const name of forwarded) {
    const value = request.headers[name];
    if (typeof value === 'string') headers[name] = value;
  }
  if (route.kind.startsWith('upload-')) {
    delete headers['content-type'];
    if (request.method !== 'GET' && request.method !== 'HEAD') headers['content-type'] = 'application/octet-stream';
  }
  const hasBody = request.method === 'POST' || request.method === 'PUT' || request.method === 'PATCH';
  if (!hasBody) delete headers['content-length'];
  return headers;
}

/** Where the registry may say that it is: where we reach it, or where clients reach us (its `http.host`). */
export interface Origins {
  readonly upstream: URL;
  readonly publicUrl: URL;
}

export type ReturnedHeaders = { readonly headers: OutgoingHttpHeaders } | { readonly problem: string };

/** Makes addresses of this gateway for what only the registry understands. */
export interface Seals {
  readonly sealUpload?: (location: UploadLocation) => string;
  /** `target`: path and query of the page that follows. */
  readonly sealPage?: (target: string) => string;
  /** What clients call a place of the registry's, by its path and query; undefined for none of theirs. */
  readonly placeOf?: (target: string) => string | undefined;
}

/**
 * The response headers for the client to what was `asked` for, each line kept apart (a joined `Warning` cannot be read).
 * `Location` and `Link` become relative to this gateway; another host passes only as the redirect of a read, which is how
 * registries hand out object storage.
 */
export function returnedHeaders(
  response: IncomingMessage,
  route: RegistryRoute,
  asked: string,
  origins: Origins,
  seals: Seals,
): ReturnedHeaders {
  const headers: Record<string, string | string[]> = { 'docker-distribution-api-version': 'registry/2.0' };
  const { rawHeaders, statusCode: status = 0 } = response;
  const encoding = response.headers['transfer-encoding'];
  if (encoding !== undefined && encoding.toLowerCase() !== 'chunked') return { problem: 'the transfer is encoded' };
  const links: string[] = [];
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = (rawHeaders[index] ?? '').toLowerCase();
    const value = rawHeaders[index + 1] ?? '';
    if (returned.has(name)) headers[name] = joined(headers[name], value);
    else if (name === 'location') {
      const location = rewriteLocation(value, status, route, origins, seals);
      // The query of a signed URL is as good as a password, and this goes to the log.
      if (location === undefined)
        return { problem: `Location "${value.split('?')[0]?.slice(0, 200)}" leads elsewhere` };
      if (headers['location'] !== undefined) return { problem: 'Location is repeated' };
      headers['location'] = location;
    } else if (name === 'link') links.push(value);
  }
  if (status === 200 && (route.kind === 'tags' || route.kind === 'referrers')) {
    const [path = ''] = asked.split('?', 1);
    const next = nextPage(links.join(', '), path, hostsOf(origins));
    // A list that goes on where nobody can follow would pass for a whole one; so would one that leads round in a circle.
    if (next.kind === 'unusable' || (next.kind === 'next' && (next.target === asked || seals.sealPage === undefined)))
      return { problem: 'Link leads elsewhere' };
    if (next.kind === 'next') headers['link'] = `<${seals.sealPage?.(next.target) ?? ''}>; rel="next"`;
  }
  // RFC 9110 section 8.6: a 204 has no length, and who believes one waits for content.
  if (status === 204) delete headers['content-length'];
  return { headers };
}

/** Lines of one name, each for itself. */
function joined(lines: string | string[] | undefined, line: string): string | string[] {
  return lines === undefined ? line : [...(typeof lines === 'string' ? [lines] : lines), line];
}

/** A place of this gateway for whatever names the registry, by relative or absolute URL. undefined for what must not be passed on. */
function rewriteLocation(
  value: string,
  status: number,
  route: RegistryRoute,
  origins: Origins,
  { sealUpload, placeOf = (target) => target }: Seals,
): string | undefined {
  const hosts = hostsOf(origins);
  // 201 names what was made, anything else where the upload goes on.
  if (sealUpload !== undefined && 'repository' in route && status !== 201 && !isRedirect(status)) {
    const location = uploadLocation(value, route.repository, hosts);
    return location === undefined ? undefined : sealUpload(location);
  }
  const own = ownTarget(value, hosts);
  if (own?.startsWith('/v2/')) return placeOf(own);
  return storageUrl(value, status, route, origins) === undefined ? undefined : value;
}

const redirected: ReadonlySet<RegistryRoute['kind']> = new Set(['blob-get', 'manifest-get', 'tags', 'referrers']);

/** Where the redirect of a read leads, when that is another host than the registry and this gateway. */
export function storageUrl(
  value: string,
  status: number,
  route: RegistryRoute,
  { upstream, publicUrl }: Origins,
): URL | undefined {
  if (!isRedirect(status) || !redirected.has(route.kind)) return undefined;
  if (!/^https?:\/\/[^/\s\\@]+\/[\x21-\x7e]*$/.test(value) || !URL.canParse(value)) return undefined;
  const url = new URL(value);
  return url.host === upstream.host || url.host === publicUrl.host ? undefined : url;
}

/** Names by which the registry may call itself. */
export function hostsOf({ upstream, publicUrl }: Origins): readonly string[] {
  return [upstream.host, publicUrl.host];
}
