/** What never becomes a request: bytes that cannot be read, connections that are one too many. */
import { randomUUID } from 'node:crypto';
import { type IncomingMessage, STATUS_CODES, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { errorBody } from '../../distribution/error-codes.ts';
import type { AuditLog } from '../../ports.ts';
import { clientAddress } from './client-address.ts';
import { type Named, namingRequest } from './named-request.ts';
import { traceOf } from './trace.ts';
import { cut, isFramed } from './drain.ts';
import { turnsEnd } from './turn.ts';

/** What never came to a route, in the words of its audit record. */
export interface Unread {
  readonly reason: string;
  readonly status?: number;
  readonly request?: IncomingMessage;
  readonly detail?: string;
}

/** One that can be answered. */
export type Rejected = Unread & { readonly status: number };

/** Without a request that could be read its address is that of the connection. Returns what it is called there. */
export function recordUnread(
  { audit, trustedProxies }: { readonly audit: AuditLog; readonly trustedProxies: readonly string[] },
  socket: Socket,
  { reason, status, request, detail }: Unread,
): Named {
  const { headers = {}, method: httpMethod } = request ?? {};
  const requestId = randomUUID();
  const trace = traceOf(headers['traceparent'], requestId, () => false);
  audit.record({
    event: 'access',
    decision: 'deny',
    reason,
    address: clientAddress(socket.remoteAddress, headers['x-forwarded-for'], trustedProxies),
    userAgent: headers['user-agent'],
    httpMethod,
    requestId,
    traceId: trace.id,
    status,
    detail,
  });
  return { requestId, trace };
}

/** Answers and ends the connection. `pending`: responses to earlier requests on it that are still on their way. `named`: what the log calls it. */
export function rejectUnread(
  socket: Socket,
  pending: readonly ServerResponse[],
  status: number,
  named: Named | undefined,
): void {
  socket.on('error', () => {});
  if (!socket.writable || socket.destroyed) {
    socket.destroy();
    return;
  }
  const [current] = pending;
  // In place or in the middle of another answer, this one would be taken for it.
  if (current !== undefined && (current.headersSent || pending.length > 1)) {
    // The answer to a refused request may still be on its way out, or wait for the end of this turn.
    if (isFramed(current)) void turnsEnd().then(() => socket.destroySoon());
    else cut(current);
    return;
  }
  const said = errorBody('UNSUPPORTED', 'the request cannot be read');
  const body = named === undefined ? said : namingRequest(said, named);
  socket.end(
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\nConnection: close\r\nContent-Type: application/json\r\n` +
      (named === undefined ? '' : `X-Request-Id: ${named.requestId}\r\n`) +
      `Content-Length: ${body.length}\r\n\r\n${body}`,
    () => socket.destroySoon(),
  );
}

/** What node:http reports as `clientError`. `connection_lost`: nobody is there to be refused. */
export function parseFailure({ code = '' }: NodeJS.ErrnoException): Rejected {
  if (code === 'HPE_HEADER_OVERFLOW') return { reason: 'headers_too_large', status: 431 };
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return { reason: 'request_timeout', status: 408 };
  if (code.startsWith('HPE_')) return { reason: 'request_unreadable', status: 400, detail: code };
  if (code.startsWith('ERR_SSL_') || code.startsWith('ERR_TLS_'))
    return { reason: 'tls_failed', status: 400, detail: code };
  return { reason: 'connection_lost', status: 400 };
}
