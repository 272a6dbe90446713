/** The open connections of a listener, for its end: node:http forgets those that never finished a request. */
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';

export type Connections = ReturnType<typeof followConnections>;

interface Connection {
  readonly responses: Set<ServerResponse>;
  /** Bytes read when somebody looked last. */
  seen: number;
  /** When it was first let go on without a request. */
  sparedAt: number | undefined;
}

/** Call before the server has other listeners for its requests. */
export function followConnections(server: Server) {
  const open = new Map<Socket, Connection>();
  /** TLS: the connections below, which matter only until their first byte. */
  const handshakes = new Set<Socket>();
  const isTls = 'setSecureContext' in server;

  function add(socket: Socket): void {
    open.set(socket, { responses: new Set(), seen: 0, sparedAt: undefined });
    socket.once('close', () => open.delete(socket));
  }
  function addRequest({ socket }: IncomingMessage, response: ServerResponse): void {
    const responses = open.get(socket)?.responses;
    if (responses === undefined) return;
    responses.add(response);
    response.once('close', () => responses.delete(response));
  }
  server.on('connection', (socket: Socket) => {
    if (!isTls) return add(socket);
    handshakes.add(socket);
    socket.once('close', () => handshakes.delete(socket));
  });
  if (isTls) server.on('secureConnection', (socket: TLSSocket) => add(socket));
  for (const event of ['request', 'checkContinue', 'checkExpectation']) server.on(event, addRequest);

  return {
    /** Requests that have no complete answer yet. */
    inFlight: (): number => [...open.values()].reduce((count, { responses }) => count + responses.size, 0),
    /** From now on each answer that has not begun ends its connection. */
    endWithAnswers(): void {
      for (const { responses } of open.values()) {
        for (const response of responses) if (!response.headersSent) response.shouldKeepAlive = false;
      }
    },
    /**
     * Ends connections without a request: at once those that never sent a byte, others once nothing came since the last call
     * or a request does not come to its end within the limit on headers, which node:http forgets when it closes.
     */
    endUnused(): void {
      server.closeIdleConnections();
      for (const socket of handshakes) if (socket.bytesRead === 0) socket.destroy();
      for (const [socket, connection] of open) {
        if (connection.responses.size > 0) {
          connection.sparedAt = undefined;
          continue;
        }
        connection.sparedAt ??= performance.now();
        const isLate = performance.now() - connection.sparedAt >= server.headersTimeout;
        if (isLate || socket.bytesRead === connection.seen) socket.destroy();
        else connection.seen = socket.bytesRead;
      }
    },
    /** Ends everything now, in a way that shows that something is missing. */
    cutAll(): void {
      // TLS marks its own end, so that a missing one shows.
      for (const socket of open.keys())
        if (isTls) socket.destroy();
        else socket.resetAndDestroy();
      for (const socket of handshakes) socket.destroy();
    },
  };
}
