/** Answers from memory. */
import type { Exchange } from '../front/exchange.ts';
import { isKnownToClient } from './cache-rules.ts';
import type { Kept } from './kept-replies.ts';

/** RFC 9111 has dropped it, and clients of registries still print it (RFC 7234, 5.5.1). */
const stale = '110 - "Response is Stale"';

/** What went out: the status and the bytes of the content. */
export interface Answered {
  readonly status: number;
  readonly bytes: number;
}

/** What is left out of a 304, as distribution leaves it out: of a manifest its digest as well. */
const unsaid = ['content-length', 'content-type', 'accept-ranges'];
const unsaidOfManifest = [...unsaid, 'docker-content-digest', 'etag'];

/** Sends it whole, at once. `isStale`: the registry could not be asked. */
export function answerKept(
  { request, response }: Exchange,
  kept: Kept,
  { isBlob, isStale }: { readonly isBlob: boolean; readonly isStale: boolean },
): Answered {
  const { headers, content, digest, etag } = kept;
  if (isStale) response.setHeader('Warning', stale);
  if (request.headers['if-none-match'] !== undefined && isKnownToClient(request.headers, digest, etag)) {
    const without = isBlob ? unsaid : unsaidOfManifest;
    response.writeHead(304, Object.fromEntries(Object.entries(headers).filter(([name]) => !without.includes(name))));
    response.end();
    return { status: 304, bytes: 0 };
  }
  response.writeHead(200, headers);
  if (request.method === 'HEAD' || content === undefined) {
    response.end();
    return { status: 200, bytes: 0 };
  }
  response.end(content);
  return { status: 200, bytes: content.length };
}
