/** Ending a response before its time: while the client is still sending its body, or in the middle of ours. */
import type { IncomingMessage, ServerResponse } from 'node:http';

/** Milliseconds that a client has to notice the answer; bytes are no measure of that, since one writes many at once. */
const maxDrainMs = 2000;

/**
 * Ends `response`, whose content is already written, once the request body has been read or thrown away, or two seconds later.
 * Closing at once would reset the connection, and clients that are still writing would see "broken pipe" instead of
 * the answer. Call before the headers are sent, or with `Connection: close` among them.
 */
export function endAfterBody(request: IncomingMessage, response: ServerResponse): void {
  if (request.complete || request.destroyed) {
    response.end();
    return;
  }
  const end = (): void => {
    clearTimeout(timer);
    request.off('end', end).off('close', end);
    response.end();
  };
  const timer = setTimeout(end, maxDrainMs);
  request.on('end', end).on('close', end);
  request.resume();
}

/** Whether a body may still arrive, so that the connection cannot be used again. Whatever became of `request.headers` since. */
export function bodyPending({ complete, rawHeaders }: IncomingMessage): boolean {
  if (complete) return false;
  return rawHeaders.some((name, index) => {
    if (index % 2 === 1) return false;
    const lower = name.toLowerCase();
    return lower === 'transfer-encoding' || (lower === 'content-length' && Number(rawHeaders[index + 1]) !== 0);
  });
}

/** Ends the connection at once, in a way that shows the client that something is missing. */
export function cut(response: ServerResponse): void {
  const { socket } = response;
  // The status is worth something without the rest.
  if (response.headersSent) response.flushHeaders();
  // TLS marks its own end, so that a missing one shows.
  if (isFramed(response) || socket === null || 'encrypted' in socket) response.destroy();
  else socket.resetAndDestroy();
}

/** Whether the content has an end of its own. What only ends with its connection (HTTP/1.0) looks complete after an orderly one. */
export function isFramed(response: ServerResponse): boolean {
  return response.chunkedEncoding || response.hasHeader('content-length');
}
