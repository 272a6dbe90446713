/** One request and its response, with the facts that every answer and every log line needs. */
import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { routeNameOf } from '../../distribution/route-name.ts';
import type { AuditRecord } from '../../ports.ts';
import { clientAddress, isTrusted } from './client-address.ts';
import { publicOrigin } from './request-host.ts';
import { type Trace, traceOf } from './trace.ts';

export interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** The request target as sent; `request.url` is rewritten before forwarding. */
  readonly target: string;
  readonly method: string;
  readonly requestId: string;
  readonly trace: Trace;
  readonly address: string | undefined;
  /** The origin under which this client reaches the gateway; the realm and absolute locations begin with it. */
  readonly publicUrl: string;
  readonly userAgent: string | undefined;
  /** Milliseconds since 1970. */
  readonly startedAt: number;
  /** The client waits for `100 Continue` before it sends its body. */
  readonly expectsContinue: boolean;
}

export interface ExchangeOptions {
  readonly publicUrl: string;
  readonly trustedProxies: readonly string[];
  readonly now: number;
  readonly expectsContinue: boolean;
  /** Gets an entry of a trusted proxy's X-Forwarded-For that is no address. */
  readonly onUnreadable?: (entry: string) => void;
}

/** Sets the headers that every answer has. */
export function beginExchange(request: IncomingMessage, response: ServerResponse, options: ExchangeOptions): Exchange {
  const { trustedProxies, onUnreadable } = options;
  const { headers, socket } = request;
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
    trace: traceOf(headers['traceparent'], requestId, () => isTrusted(socket.remoteAddress, trustedProxies)),
    address: clientAddress(socket.remoteAddress, headers['x-forwarded-for'], trustedProxies, onUnreadable),
    publicUrl: publicOrigin(options.publicUrl, {
      host: headers.host,
      remoteAddress: socket.remoteAddress,
      trustedProxies,
    }),
    userAgent: headers['user-agent'],
    startedAt: options.now,
    expectsContinue: options.expectsContinue,
  };
}

/** Whether the client is still there, now and whenever it is asked. */
export function isAwaited({ response }: Exchange): () => boolean {
  return () => !response.destroyed;
}

/** As which request it is written down what comes of it. */
export function requestFacts({
  userAgent,
  requestId,
  trace,
}: Exchange): Pick<AuditRecord, 'userAgent' | 'requestId' | 'traceId'> {
  return { userAgent, requestId, traceId: trace.id };
}

/** The fields of an audit record that come from the exchange. `now` in milliseconds. */
export function exchangeFacts(
  exchange: Exchange,
  now: number,
): Pick<AuditRecord, 'route' | 'httpMethod' | 'address' | 'userAgent' | 'requestId' | 'traceId' | 'durationMs'> {
  const { address, target, method: httpMethod } = exchange;
  const asked = { route: routeNameOf(target), httpMethod };
  return { ...asked, address, ...requestFacts(exchange), durationMs: durationMs(exchange, now) };
}

/** Until `now`, in milliseconds; clocks are set back. */
export function durationMs({ startedAt }: Exchange, now: number): number {
  return Math.max(0, now - startedAt);
}
