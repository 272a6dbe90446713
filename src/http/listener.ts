/** The main listener: node:http with the limits that a data path needs, and the order in which a request is looked at. */
import { randomUUID } from 'node:crypto';
import { type IncomingMessage, STATUS_CODES, type Server, type ServerResponse, createServer } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { Socket } from 'node:net';
import type { SecureContextOptions } from 'node:tls';
import type { AuditLog, Clock, SessionStore } from '../ports.ts';
import { errorBody } from '../distribution/error-codes.ts';
import type { ConnectionBounds } from '../limits/connection-shares.ts';
import { type EndpointParts, createEndpoints, endpointPaths } from './endpoints.ts';
import { capConnections } from './front/connection-caps.ts';
import { type Connections, followConnections } from './front/connections.ts';
import { cut, isFramed } from './front/drain.ts';
import { createPace } from '../identity/pace.ts';
import { type Exchange, beginExchange, exchangeFacts } from './front/exchange.ts';
import { type GateParts, handleRegistryRequest } from './registry/gate.ts';
import { clientAddress } from './front/client-address.ts';
import { guardRequest } from './front/guard.ts';
import { internalError, notFound, send } from './front/respond.ts';
import { ignoreUpgradeOffers } from './front/upgrade-offers.ts';

export interface ListenerParts extends GateParts, EndpointParts {
  readonly sessions: SessionStore;
  readonly audit: AuditLog;
  readonly clock: Clock;
  readonly trustedProxies: readonly string[];
  readonly connectionBounds: ConnectionBounds;
  readonly tls?: SecureContextOptions;
  /** While true every response ends its connection. */
  readonly isDraining: () => boolean;
  /** Told once of an entry in a trusted proxy's X-Forwarded-For that is no address. */
  readonly onUnreadableForwarding: (entry: string) => void;
}

/** Bytes of all header lines: a token for many repositories needs more than Node's 16 KiB. */
const maxHeaderBytes = 65_536;
/** Milliseconds for the whole form of a token request. */
const formMs = 10_000;
/** Requests on one connection that may wait for the answer to an earlier one; registry clients send none ahead. */
const maxSentAhead = 32;
/** Logins and token requests that begin in one turn of the event loop: a crowd of them holds up no pull. */
const endpointsPerTurn = 8;

/** A request on a connection, in the order of arrival. */
interface Turn {
  readonly response: ServerResponse;
  readonly begin: () => void;
}

export interface Listener {
  readonly server: Server;
  readonly connections: Connections;
  /** Resolves when every request so far has its audit record. */
  readonly settled: () => Promise<void>;
}

export function createListener(parts: ListenerParts): Listener {
  const exchanges = new WeakMap<object, Exchange>();
  const turns = new WeakMap<Socket, Turn[]>();
  const handled = new Set<Promise<void>>();
  const pace = createPace(endpointsPerTurn);
  const endpoints = createEndpoints(parts, (request) => {
    const exchange = exchanges.get(request);
    if (exchange === undefined) throw new Error('a request without an exchange');
    return exchange;
  });

  let warned = false;
  function onUnreadable(entry: string): void {
    if (!warned) parts.onUnreadableForwarding(entry);
    warned = true;
  }

  function exchangeOf(request: IncomingMessage, response: ServerResponse, expectsContinue: boolean): Exchange {
    const { front, trustedProxies, clock } = parts;
    const { publicUrl } = front;
    return beginExchange(request, response, { publicUrl, trustedProxies, now: clock(), expectsContinue, onUnreadable });
  }

  async function handle(request: IncomingMessage, response: ServerResponse, expectsContinue: boolean): Promise<void> {
    const { clock, audit } = parts;
    const exchange = exchangeOf(request, response, expectsContinue);
    // A broken connection is reported by whoever reads or writes; without a listener it would end the process.
    request.on('error', () => {});
    response.on('error', () => {});
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
      await pace();
      if (expectsContinue) response.writeContinue();
      exchanges.set(request, exchange);
      // The form parser waits as long as a client likes.
      const timer = setTimeout(() => request.complete || response.destroy(), formMs);
      response.once('close', () => clearTimeout(timer));
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

  /**
   * One request at a time on a connection, whatever a client sends ahead: what follows a request that ends the connection
   * is never looked at, and nobody multiplies work by not reading answers.
   */
  function onRequest(expectsContinue: boolean): (request: IncomingMessage, response: ServerResponse) => void {
    return (request, response) => {
      const { socket } = request;
      const queue = turns.get(socket) ?? [];
      turns.set(socket, queue);
      const begin = (): void => {
        const done = handle(request, response, expectsContinue).catch((error: unknown) => {
          const exchange = exchangeOf(request, response, expectsContinue);
          parts.onError(error, exchange);
          const status = send(exchange, internalError);
          const facts = exchangeFacts(exchange, parts.clock());
          parts.audit.record({ event: 'access', decision: 'error', reason: 'internal_error', status, ...facts });
        });
        handled.add(done);
        void done.finally(() => handled.delete(done));
      };
      response.once('close', () => {
        queue.shift();
        if (socket.writable) queue[0]?.begin();
      });
      queue.push({ response, begin });
      if (queue.length === 1) begin();
      else if (queue.length > maxSentAhead) {
        recordRefusal(socket, { reason: 'requests_sent_ahead', request });
        socket.destroy();
      }
    };
  }

  const options = {
    maxHeaderSize: maxHeaderBytes,
    // guard.ts asks for it, so that its absence is written down.
    requireHostHeader: false,
    // Uploads last as long as they move (http/backend/progress.ts watches); only the headers have a deadline.
    requestTimeout: 0,
    headersTimeout: 15_000,
    connectionsCheckingInterval: 1000,
    // Longer than Go clients keep idle connections, so that closing is theirs.
    keepAliveTimeout: 95_000,
    handshakeTimeout: 15_000,
  };
  const server = parts.tls === undefined ? createServer(options) : createTlsServer({ ...options, ...parts.tls });
  // Node drops header lines beyond its limit from `headers` but still obeys their framing (CVE-2026-58044); guard.ts counts.
  server.maxHeadersCount = 0;
  ignoreUpgradeOffers(server, whenAnswered);
  const connections = followConnections(server);
  capConnections(server, {
    bounds: parts.connectionBounds,
    trustedProxies: parts.trustedProxies,
    onExceeded: (socket) => recordRefusal(socket, { reason: 'connections_exceeded' }),
  });
  server.on('request', onRequest(false));
  server.on('checkContinue', onRequest(true));
  server.on('checkExpectation', onRequest(false));
  server.on('connect', (request: IncomingMessage, socket: Socket) =>
    reject(socket, { reason: 'connect_refused', status: 405, request }),
  );
  server.on('clientError', (error: NodeJS.ErrnoException, socket: Socket) => reject(socket, parseFailure(error)));

  function whenAnswered(socket: Socket, then: () => void): void {
    const last = turns.get(socket)?.at(-1);
    if (last === undefined) then();
    // After the listener that takes it out of the queue.
    else last.response.once('close', () => whenAnswered(socket, then));
  }

  /** Of what no route sees. Without a request that could be read its address is that of the connection. */
  function recordRefusal(socket: Socket, { reason, status, request, detail }: Unread): void {
    const { trustedProxies, audit } = parts;
    const { headers = {} } = request ?? {};
    audit.record({
      event: 'access',
      decision: 'deny',
      reason,
      address: clientAddress(socket.remoteAddress, headers['x-forwarded-for'], trustedProxies),
      userAgent: headers['user-agent'],
      requestId: randomUUID(),
      ...(status === undefined ? {} : { status }),
      ...(detail === undefined ? {} : { detail }),
    });
  }

  /** Answers what never became a request, and ends the connection. */
  function reject(socket: Socket, refused: Unread & { readonly status: number }): void {
    const { status } = refused;
    if (refused.reason !== 'connection_lost') recordRefusal(socket, refused);
    const queue = turns.get(socket) ?? [];
    socket.on('error', () => {});
    if (!socket.writable || socket.destroyed) {
      socket.destroy();
      return;
    }
    const [current] = queue;
    // In place or in the middle of another answer, this one would be taken for it.
    if (current !== undefined && (current.response.headersSent || queue.length > 1)) {
      // The answer to a refused request may still be on its way out.
      if (isFramed(current.response)) socket.destroySoon();
      else cut(current.response);
      return;
    }
    const body = errorBody('UNSUPPORTED', 'the request cannot be read');
    socket.end(
      `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\nConnection: close\r\nContent-Type: application/json\r\n` +
        `Content-Length: ${body.length}\r\n\r\n${body}`,
      () => socket.destroySoon(),
    );
  }
  return { server, connections, settled: async () => void (await Promise.all(handled)) };
}

/** What never came to a route, in the words of its audit record. */
interface Unread {
  readonly reason: string;
  readonly status?: number;
  readonly request?: IncomingMessage;
  readonly detail?: string;
}

function parseFailure({ code = '' }: NodeJS.ErrnoException): Unread & { readonly status: number } {
  if (code === 'HPE_HEADER_OVERFLOW') return { reason: 'headers_too_large', status: 431 };
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return { reason: 'request_timeout', status: 408 };
  if (code.startsWith('HPE_')) return { reason: 'request_unreadable', status: 400, detail: code };
  if (code.startsWith('ERR_SSL_') || code.startsWith('ERR_TLS_'))
    return { reason: 'tls_failed', status: 400, detail: code };
  // Nobody is there to be refused.
  return { reason: 'connection_lost', status: 400 };
}
