/** The main listener: node:http with the limits that a data path needs, and the order in which a request is looked at. */
import { type IncomingMessage, STATUS_CODES, type Server, type ServerResponse, createServer } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { Socket } from 'node:net';
import type { SecureContextOptions } from 'node:tls';
import type { AuditLog, Clock } from '../ports.ts';
import { errorBody } from '../distribution/error-codes.ts';
import { type EndpointParts, createEndpoints, endpointPaths } from './endpoints.ts';
import { type Exchange, beginExchange, exchangeFacts } from './exchange.ts';
import { type GateParts, handleRegistryRequest } from './gate.ts';
import { guardRequest } from './guard.ts';
import { internalError, notFound, send } from './respond.ts';

export interface ListenerParts extends GateParts, EndpointParts {
  readonly audit: AuditLog;
  readonly clock: Clock;
  readonly trustedProxies: readonly string[];
  readonly tls?: SecureContextOptions;
  /** While true every response ends its connection. */
  readonly isDraining: () => boolean;
}

/** Bytes of all header lines: a token for many repositories needs more than Node's 16 KiB. */
const maxHeaderBytes = 65_536;

export function createListener(parts: ListenerParts): Server {
  const exchanges = new WeakMap<object, Exchange>();
  const answering = new WeakMap<Socket, ServerResponse>();
  const endpoints = createEndpoints(parts, (request) => {
    const exchange = exchanges.get(request);
    if (exchange === undefined) throw new Error('a request without an exchange');
    return exchange;
  });

  async function handle(request: IncomingMessage, response: ServerResponse, expectsContinue: boolean): Promise<void> {
    const { trustedProxies, clock, audit } = parts;
    const exchange = beginExchange(request, response, { trustedProxies, now: clock(), expectsContinue });
    // A broken connection is reported by whoever reads or writes; without a listener it would end the process.
    request.on('error', () => {});
    response.on('error', () => {});
    answering.set(request.socket, response);
    if (parts.isDraining()) response.setHeader('Connection', 'close');
    const problem = guardRequest(request);
    if (problem !== undefined) {
      const status = send(exchange, problem.answer);
      audit.record({
        event: 'access',
        decision: 'deny',
        reason: problem.reason,
        status,
        ...exchangeFacts(exchange, clock()),
      });
      return;
    }
    const path = exchange.target.split('?', 1)[0] ?? '';
    if (path === '/v2' || path.startsWith('/v2/')) {
      await handleRegistryRequest(parts, exchange);
    } else if (endpointPaths.has(path)) {
      if (expectsContinue) response.writeContinue();
      exchanges.set(request, exchange);
      endpoints(request, response);
    } else {
      const status = send(exchange, notFound);
      audit.record({
        event: 'access',
        decision: 'deny',
        reason: 'route_unknown',
        status,
        ...exchangeFacts(exchange, clock()),
      });
    }
  }

  function onRequest(expectsContinue: boolean): (request: IncomingMessage, response: ServerResponse) => void {
    return (request, response) => {
      handle(request, response, expectsContinue).catch((error: unknown) => {
        const exchange = beginExchange(request, response, { trustedProxies: [], now: parts.clock(), expectsContinue });
        parts.onError(error, exchange);
        send(exchange, internalError);
      });
    };
  }

  const options = {
    maxHeaderSize: maxHeaderBytes,
    // Uploads last as long as they move (upstream.ts watches); only the headers have a deadline.
    requestTimeout: 0,
    headersTimeout: 15_000,
    connectionsCheckingInterval: 1000,
    // Longer than Go clients keep idle connections, so that closing is theirs.
    keepAliveTimeout: 95_000,
  };
  const server = parts.tls === undefined ? createServer(options) : createTlsServer({ ...options, ...parts.tls });
  // Node drops header lines beyond its limit from `headers` but still obeys their framing (CVE-2026-58044); guard.ts counts.
  server.maxHeadersCount = 0;
  server.on('request', onRequest(false));
  server.on('checkContinue', onRequest(true));
  server.on('checkExpectation', (_request: IncomingMessage, response: ServerResponse) => {
    response.writeHead(417, { Connection: 'close', 'Content-Length': 0 }).end();
  });
  server.on('connect', (_request: IncomingMessage, socket: Socket) => reject(socket, 405));
  server.on('upgrade', (_request: IncomingMessage, socket: Socket) => reject(socket, 400));
  server.on('clientError', (error: NodeJS.ErrnoException, socket: Socket) => {
    const current = answering.get(socket);
    // In the middle of a body an error reply would be taken for content.
    if (current !== undefined && current.headersSent && !current.writableFinished) socket.destroy();
    else reject(socket, parseFailure(error));
  });
  return server;
}

function parseFailure({ code }: NodeJS.ErrnoException): number {
  if (code === 'HPE_HEADER_OVERFLOW') return 431;
  return code === 'ERR_HTTP_REQUEST_TIMEOUT' ? 408 : 400;
}

/** Answers what never became a request, and ends the connection. */
function reject(socket: Socket, status: number): void {
  socket.on('error', () => {});
  if (!socket.writable || socket.destroyed) {
    socket.destroy();
    return;
  }
  const body = errorBody('UNSUPPORTED', 'the request cannot be read');
  socket.end(
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\nConnection: close\r\nContent-Type: application/json\r\n` +
      `Content-Length: ${body.length}\r\n\r\n${body}`,
    () => socket.destroySoon(),
  );
}
