/** What leaves for the registry and what comes back: lists of what may pass, never of what may not. */
import type { IncomingHttpHeaders, IncomingMessage, OutgoingHttpHeaders } from 'node:http';
import type { RegistryRoute } from '../distribution/route.ts';
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
export function outgoingHeaders(request: IncomingMessage, route: RegistryRoute, host: string): IncomingHttpHeaders {
  const headers: IncomingHttpHeaders = { host };
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

/**
 * The response headers for the client, each line kept apart (a joined `Warning` cannot be read). `Location` and `Link`
 * become relative to this gateway; another host passes only as the redirect of a blob, which is how registries hand out
 * object storage. `mapLocation` may add to a path of our own.
 */
export function returnedHeaders(
  response: IncomingMessage,
  route: RegistryRoute,
  origins: Origins,
  mapLocation: (path: string) => string = (path) => path,
): ReturnedHeaders {
  const headers: Record<string, string[]> = {};
  const { rawHeaders, statusCode: status = 0 } = response;
  const encoding = response.headers['transfer-encoding'];
  if (encoding !== undefined && encoding.toLowerCase() !== 'chunked') return { problem: 'the transfer is encoded' };
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = (rawHeaders[index] ?? '').toLowerCase();
    const value = rawHeaders[index + 1] ?? '';
    if (returned.has(name)) (headers[name] ??= []).push(value);
    else if (name === 'location') {
      const location = rewriteLocation(value, status, route, origins);
      // The query of a signed URL is as good as a password, and this goes to the log.
      if (location === undefined)
        return { problem: `Location "${value.split('?')[0]?.slice(0, 200)}" leads elsewhere` };
      if (headers['location'] !== undefined) return { problem: 'Location is repeated' };
      headers['location'] = [location.startsWith('/') ? mapLocation(location) : location];
    } else if (name === 'link') {
      const link = rewriteLink(value, origins);
      if (link !== undefined) (headers['link'] ??= []).push(link);
    }
  }
  // RFC 9110 section 8.6: a 204 has no length, and who believes one waits for content.
  if (status === 204) delete headers['content-length'];
  const single = Object.entries(headers).map(([name, values]) => [name, values.length === 1 ? values[0] : values]);
  return {
    headers: {
      ...(Object.fromEntries(single) as OutgoingHttpHeaders),
      'docker-distribution-api-version': 'registry/2.0',
    },
  };
}

/**
 * A path of this gateway for whatever names the registry, by relative or absolute URL. The query is kept byte for byte:
 * `_state` is signed. undefined for what must not be passed on.
 */
export function rewriteLocation(
  value: string,
  status: number,
  route: RegistryRoute,
  origins: Origins,
): string | undefined {
  const own = ownPath(value, origins);
  if (own !== undefined) return own;
  return storageUrl(value, status, route, origins) === undefined ? undefined : value;
}

/** Where the redirect of a blob leads, when that is another host than the registry and this gateway. */
export function storageUrl(
  value: string,
  status: number,
  route: RegistryRoute,
  { upstream, publicUrl }: Origins,
): URL | undefined {
  if (!isRedirect(status) || route.kind !== 'blob-get') return undefined;
  if (!/^https?:\/\/[^/\s\\@]+\/[\x21-\x7e]*$/.test(value) || !URL.canParse(value)) return undefined;
  const url = new URL(value);
  return url.host === upstream.host || url.host === publicUrl.host ? undefined : url;
}

function rewriteLink(value: string, origins: Origins): string | undefined {
  const match = /^\s*<([^<>\s]+)>(;\s*rel="?next"?)\s*$/.exec(value);
  const path = match?.[1] === undefined ? undefined : ownPath(match[1], origins);
  return path === undefined ? undefined : `<${path}>; rel="next"`;
}

/** The path and query of a URL that names the registry itself, as text; undefined for any other. */
function ownPath(value: string, { upstream, publicUrl }: Origins): string | undefined {
  const [, origin, rest] = /^(https?:\/\/[^/?#\\@]+)(\/.*)$/i.exec(value) ?? [];
  const host = origin !== undefined && URL.canParse(origin) ? new URL(origin).host : undefined;
  // Not the scheme: whatever ends TLS in front may hide it from the registry.
  const path = host === upstream.host || host === publicUrl.host ? rest : value;
  return path !== undefined && /^\/v2\/[\x21-\x7e]*$/.test(path) && !/[\\#]/.test(path) ? path : undefined;
}
