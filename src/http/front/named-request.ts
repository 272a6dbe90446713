/** The ids of a request in what it is refused with: whoever asks about an error names the lines of the log that tell more. */
import type { Exchange } from './exchange.ts';

/** Both made here, or checked to be 32 hexadecimal digits: nothing of a header is said again. */
export type Named = Pick<Exchange, 'requestId' | 'trace'>;

/**
 * `body`, a JSON object with members, and the ids behind them. Not in the `detail` of an OCI error: oras and crane print that
 * behind the message, while no client minds members beside `errors`, which RFC 6749 (5.2) and RFC 9457 (3.2) allow as well.
 */
export function namingRequest(body: string, { requestId, trace }: Named): string {
  return `${body.slice(0, -1)},"requestId":"${requestId}","traceId":"${trace.id}"}`;
}

/** Of an answer of any kind: an error in JSON gets them, a page names them itself. */
export function namedWhere<Body>(isError: boolean, body: Body, named: Named): Body | string {
  return isError && typeof body === 'string' && body.startsWith('{"') ? namingRequest(body, named) : body;
}
