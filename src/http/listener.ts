/** The main listener: node:http with the limits that a data path needs, and the order in which a request is looked at. */
import { type IncomingMessage, type Server, type ServerResponse, createServer } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { Socket } from 'node:net';
import type { SecureContextOptions } from 'node:tls';
import { createPace } from '../identity/pace.ts';
import type { ConnectionBounds } from '../limits/connection-shares.ts';
import type { AuditRecord } from '../ports.ts';
import { type MainApiParts, createMainApi } from './api/main-api.ts';
import { type EndpointParts, createEndpoints, isEndpoint } from './endpoints.ts';
import { capConnections } from './front/connection-caps.ts';
import { type Connections, followConnections } from './front/connections.ts';
import { type Exchange, beginExchange, exchangeFacts } from './front/exchange.ts';
import type { Front } from './front/front.ts';
import { guardRequest } from './front/guard.ts';
import type { Named } from './front/named-request.ts';
import { type Answer, internalError, notFound, send, tokensOnly } from './front/respond.ts';
import { type AnswerWatch, timedResponse } from './front/timed-response.ts';
import { type Rejected, type Unread, parseFailure, recordUnread, rejectUnread } from './front/unread.ts';
import { ignoreUpgradeOffers } from './front/upgrade-offers.ts';
import { type RegistryParts, handleRegistryRequest } from './registry/handle.ts';
import type { Web } from './web/router.ts';

export interface ListenerParts extends EndpointParts, MainApiParts, RegistryParts {
  readonly front: ListenerFront;
  readonly gate: RegistryParts['gate'];
  readonly backend: RegistryParts['backend'] & MainApiParts['backend'];
  /** Absent: there is no page. */
  readonly page?: Web | undefined;
}

export interface ListenerFront extends Front, AnswerWatch {
  readonly trustedProxies: readonly string[];
  readonly connectionBounds: ConnectionBounds;
  readonly tls?: SecureContextOptions | undefined;
  /** Hears of the answer to what was no request that could be read. */
  readonly onRejected?: (status: number) => void;
  /** The registry is elsewhere and verifies our tokens itself: nothing of `/v2` is served. */
  readonly isTokensOnly?: boolean;
  /** While true every response ends its connection. */
  readonly isDraining: () => boolean;
  /** Told once of an entry in a trusted proxy's X-Forwarded-For that is no address. */
  readonly onUnreadableForwarding: (entry: string) => void;
}

const serverOptions = {
  // Bytes of all header lines: a token for many repositories needs more than Node's 16 KiB.
  maxHeaderSize: 65_536,
  // guard.ts asks for it, so that its absence is written down.
  requireHostHeader: false,
  // Uploads last as long as they move (http/backend watches); only the headers have a deadline.
  requestTimeout: 0,
  headersTimeout: 15_000,
  connectionsCheckingInterval: 1000,
  // Longer than Go clients keep idle connections, so that closing is theirs.
  keepAliveTimeout: 95_000,
  handshakeTimeout: 15_000,
};
/** Logins and token requests that begin in one turn of the event loop: a crowd of them holds up no pull. */
const endpointsPerTurn = 8;

export interface Listener {
  readonly server: Server;
  readonly connections: Connections;
  /** Resolves when every request so far has its audit record. */
  readonly settled: () => Promise<void>;
}

/** Ready to listen. Whatever goes wrong in a request is answered and written down; nothing is thrown. */
export function createListener(parts: ListenerParts): Listener {
  const { front } = parts;
  const handled = new Set<Promise<void>>();
  const handle = createHandler(parts);
  const options = { ...serverOptions, ServerResponse: timedResponse(front) };
  const server = front.tls === undefined ? createServer(options) : createTlsServer({ ...options, ...front.tls });
  // Node drops header lines beyond its limit from `headers` but still obeys their framing (CVE-2026-58044); guard.ts counts.
  server.maxHeadersCount = 0;
  ignoreUpgradeOffers(server, (socket, then) => connections.whenAnswered(socket, then));
  const record = (socket: Socket, unread: Unread): Named => recordUnread(front, socket, unread);
  const caps = capConnections(server, {
    bounds: front.connectionBounds,
    trustedProxies: front.trustedProxies,
    onExceeded: (socket) => record(socket, { reason: 'connections_exceeded' }),
  });
  const connections = followConnections(server, caps);

  const onRequest = (expectsContinue: boolean) => (request: IncomingMessage, response: ServerResponse) => {
    const { socket } = request;
    const isTaken = connections.take(socket, response, () => {
      const done = handle(request, response, expectsContinue);
      handled.add(done);
      void done.then(() => handled.delete(done));
    });
    if (isTaken) return;
    record(socket, { reason: 'requests_sent_ahead', request });
    socket.destroy();
  };
  const reject = (socket: Socket, rejected: Rejected): void => {
    const named = rejected.reason === 'connection_lost' ? undefined : record(socket, rejected);
    if (named !== undefined) front.onRejected?.(rejected.status);
    rejectUnread(socket, connections.pending(socket), rejected.status, named);
  };
  server.on('request', onRequest(false));
  server.on('checkContinue', onRequest(true));
  server.on('checkExpectation', onRequest(false));
  server.on('connect', (request: IncomingMessage, socket: Socket) =>
    reject(socket, { reason: 'connect_refused', status: 405, request }),
  );
  server.on('clientError', (error: NodeJS.ErrnoException, socket: Socket) => reject(socket, parseFailure(error)));
  return { server, connections, settled: async () => void (await Promise.all(handled)) };
}

type Handler = (request: IncomingMessage, response: ServerResponse, expectsContinue: boolean) => Promise<void>;

/** What is looked at in a request, in this order; a defect on the way is answered with 500. */
function createHandler(parts: ListenerParts): Handler {
  const { front, page } = parts;
  const { publicUrl, trustedProxies, clock } = front;
  const pace = createPace(endpointsPerTurn);
  const endpoints = createEndpoints(parts);
  const api = createMainApi(parts);

  let isWarned = false;
  function onUnreadable(entry: string): void {
    if (!isWarned) front.onUnreadableForwarding(entry);
    isWarned = true;
  }

  function refuse(
    exchange: Exchange,
    answer: Answer,
    reason: string,
    decision: AuditRecord['decision'] = 'deny',
  ): void {
    const status = send(exchange, answer);
    front.audit.record({ event: 'access', decision, reason, status, ...exchangeFacts(exchange, clock()) });
  }

  async function handle(exchange: Exchange): Promise<void> {
    const { request, response } = exchange;
    // A broken connection is reported by whoever reads or writes; without a listener it would end the process.
    request.on('error', () => {});
    response.on('error', () => {});
    if (front.isDraining()) response.setHeader('Connection', 'close');
    const problem = guardRequest(request);
    if (problem !== undefined) return refuse(exchange, problem.answer, problem.reason);
    const path = exchange.target.split('?', 1)[0] ?? '';
    if (path === '/v2' || path.startsWith('/v2/')) {
      return front.isTokensOnly === true
        ? refuse(exchange, tokensOnly, 'token_mode')
        : handleRegistryRequest(parts, exchange);
    }
    if (page?.takes(path, request) === true) {
      await pace();
      return page.handle(exchange);
    }
    const isOfApi = path.startsWith('/api/v1/');
    if (!isOfApi && !isEndpoint(path)) return refuse(exchange, notFound, 'route_unknown');
    await pace();
    if (!isOfApi) return endpoints(exchange);
    const { answer, record, isNoted = false } = await api.handle(exchange);
    const status = send(exchange, answer);
    if (!isNoted) front.audit.record({ ...record, ...exchangeFacts(exchange, clock()), status });
  }

  return async (request, response, expectsContinue) => {
    const now = clock();
    const options = { publicUrl, trustedProxies, now, expectsContinue, onUnreadable };
    const exchange = beginExchange(request, response, options);
    try {
      await handle(exchange);
    } catch (error) {
      front.onError(error, exchange);
      refuse(exchange, internalError, 'internal_error', 'error');
    }
  };
}
