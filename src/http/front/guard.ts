/**
 * Requests that no part of the gateway should see, refused from their raw headers alone: what two parsers could read
 * differently, what the proxy library mishandles, and bodies where none belong (threats: http-proxy, CVE-2026-58044).
 */
import type { IncomingMessage } from 'node:http';
import { parseHost } from './request-host.ts';
import { type Answer, refusal } from './respond.ts';

/** Header lines of one request. The parser's own limit is off, because it drops lines silently and still obeys them. */
const maxHeaderLines = 100;

const single = new Set([
  'host',
  'authorization',
  'content-length',
  'content-type',
  'content-range',
  'range',
  'transfer-encoding',
  'expect',
]);
const methodsWithBody = new Set(['POST', 'PUT', 'PATCH']);
/** Milliseconds. */
const formMs = 10_000;
const formType = /^(?:application\/x-www-form-urlencoded|multipart\/)/i;

export interface GuardProblem {
  readonly reason: string;
  readonly answer: Answer;
}

/** undefined for a request that may go on. Every refusal ends the connection: what follows on it cannot be trusted. */
export function guardRequest(request: IncomingMessage): GuardProblem | undefined {
  const { rawHeaders, headers, httpVersion, method = '' } = request;
  // The parser also takes 0.9 and 2.0 for versions of this protocol, and asks them for no Host.
  if (httpVersion !== '1.1' && httpVersion !== '1.0') return problem('version_unsupported', 505, 'speak HTTP/1.1');
  if (rawHeaders.length / 2 > maxHeaderLines) return problem('headers_too_many', 431, 'too many header lines');
  const seen = new Set<string>();
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = (rawHeaders[index] ?? '').toLowerCase();
    if (!single.has(name)) continue;
    if (seen.has(name)) return problem('header_repeated', 400, `the ${name} header is given twice`);
    seen.add(name);
  }
  if (headers.expect !== undefined && headers.expect.toLowerCase() !== '100-continue') {
    return problem('expectation_unknown', 417, 'the only expectation is 100-continue');
  }
  const encoding = headers['transfer-encoding'];
  const length = headers['content-length'];
  if (encoding !== undefined && encoding.toLowerCase() !== 'chunked') {
    return problem('encoding_unsupported', 400, 'the only transfer encoding is chunked');
  }
  if (encoding !== undefined && length !== undefined) {
    return problem('framing_ambiguous', 400, 'content-length and transfer-encoding exclude each other');
  }
  const announcesBody = encoding !== undefined || (length !== undefined && length !== '0');
  if (announcesBody && !methodsWithBody.has(method)) {
    return problem('body_unexpected', 400, `a ${method} request has no body`);
  }
  const { host } = headers;
  if (host === undefined && httpVersion === '1.1') return problem('host_missing', 400, 'the Host header is missing');
  if (host !== undefined && parseHost(host) === undefined) return problem('host_invalid', 400, 'the Host is no host');
  return undefined;
}

/**
 * Form bodies on registry routes: distribution reads `mount` and `from` also from a form, and there the body beats the
 * query that was judged. Many clients give the type of a form to a request without a body. Whether one in chunks has any
 * shows when it comes, which takes at most `formMs`.
 */
export async function guardRegistryBody(request: IncomingMessage): Promise<GuardProblem | undefined> {
  const { 'content-type': type, 'content-length': length, 'transfer-encoding': encoding, expect } = request.headers;
  if (type === undefined || !formType.test(type.trim())) return undefined;
  if (encoding === undefined && (length === undefined || length === '0')) return undefined;
  if (encoding !== undefined && expect === undefined && (await endsEmpty(request))) return undefined;
  return problem('form_refused', 415, 'a registry request has no form body');
}

function endsEmpty(request: IncomingMessage): Promise<boolean> {
  return new Promise((resolve) => {
    const settle = (isEmpty: boolean): void => {
      clearTimeout(timer);
      request.off('readable', onReadable).off('end', onEnd).off('close', onClose);
      resolve(isEmpty);
    };
    // Not `data`, which would take what comes. At its end a body is readable as well, without a byte.
    const onReadable = (): void => settle(request.readableLength === 0);
    const onEnd = (): void => settle(true);
    const onClose = (): void => settle(false);
    const timer = setTimeout(onClose, formMs);
    request.on('readable', onReadable).on('end', onEnd).on('close', onClose);
  });
}

function problem(reason: string, status: number, message: string): GuardProblem {
  return { reason, answer: refusal('UNSUPPORTED', message, { status, headers: { Connection: 'close' } }) };
}
