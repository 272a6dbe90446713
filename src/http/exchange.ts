/** One request and its response, with the facts that every answer and every log line needs. */
import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AuditRecord } from '../ports.ts';
import { clientAddress } from './client-address.ts';

export interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** The request target as sent; `request.url` is rewritten before forwarding. */
  readonly target: string;
  readonly method: string;
  readonly requestId: string;
  readonly address: string | undefined;
  readonly userAgent: string | undefined;
  /** Milliseconds since 1970. */
  readonly startedAt: number;
  /** The client waits for `100 Continue` before it sends its body. */
  readonly expectsContinue: boolean;
}

export function beginExchange(
  request: IncomingMessage,
  response: ServerResponse,
  options: { readonly trustedProxies: readonly string[]; readonly now: number; readonly expectsContinue: boolean },
): Exchange {
  const requestId = randomUUID();
  if (!response.headersSent) {
    response.setHeader('X-Request-Id', requestId);
    response.setHeader('X-Content-Type-Options', 'nosniff');
  }
  return {
    request,
    response,
    target: request.url ?? '',
    method: request.method ?? '',
    requestId,
    address: clientAddress(request.socket.remoteAddress, request.headers['x-forwarded-for'], options.trustedProxies),
    userAgent: request.headers['user-agent'],
    startedAt: options.now,
    expectsContinue: options.expectsContinue,
  };
}

/** The fields of an audit record that come from the exchange. `now` in milliseconds. */
export function exchangeFacts(
  exchange: Exchange,
  now: number,
): Pick<AuditRecord, 'address' | 'userAgent' | 'requestId' | 'durationMs'> {
  const { address, userAgent, requestId, startedAt } = exchange;
  return { address, userAgent, requestId, durationMs: Math.max(0, now - startedAt) };
}
