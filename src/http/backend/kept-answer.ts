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

/** Sends it whole, at once. `isStale`: the registry could not be asked. */
export function answerKept({ request, response }: Exchange, kept: Kept, isStale: boolean): Answered {
  const { headers, content, digest, etag } = kept;
  if (isStale) response.setHeader('Warning', stale);
  if (request.headers['if-none-match'] !== undefined && isKnownToClient(request.headers, digest, etag)) {
    const described = ['content-length', 'content-type'];
    response.writeHead(304, Object.fromEntries(Object.entries(headers).filter(([name]) => !described.includes(name))));
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
