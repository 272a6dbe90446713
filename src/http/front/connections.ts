/**
 * The connections of a listener and the requests on each: one at a time, whatever a client sends ahead, so that what follows
 * a request that ends the connection is never looked at, and nobody multiplies work by not reading answers. For the end of
 * the listener as well: node:http forgets connections that never finished a request.
 */
import type { Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';

/** Requests on one connection that may wait for the answer to an earlier one; registry clients send none ahead. */
const maxSentAhead = 32;

export type Connections = ReturnType<typeof followConnections>;

/** Told of each request before anything else looks at it, and when its answer has closed. */
export interface RequestWatch {
  onRequest(socket: Socket): void;
  onAnswered(socket: Socket): void;
}

interface Turn {
  readonly response: ServerResponse;
  readonly begin: () => void;
}

interface Connection {
  /** Of requests whose answers have not closed, in their order. */
  readonly turns: Turn[];
  /** Bytes read when somebody looked last. */
  seen: number;
  /** When it was first let go on without a request. */
  sparedAt: number | undefined;
}

/** Follows requests as far as `take` hears of them. */
export function followConnections(server: Server, watch?: RequestWatch) {
  const open = new Map<Socket, Connection>();
  /** TLS: the connections below, which matter only until their first byte. */
  const handshakes = new Set<Socket>();
  const isTls = 'setSecureContext' in server;

  function add(socket: Socket): void {
    open.set(socket, { turns: [], seen: 0, sparedAt: undefined });
    socket.once('close', () => open.delete(socket));
  }
  server.on('connection', (socket: Socket) => {
    if (!isTls) return add(socket);
    handshakes.add(socket);
    socket.once('close', () => handshakes.delete(socket));
  });
  if (isTls) server.on('secureConnection', (socket: TLSSocket) => add(socket));

  function whenAnswered(socket: Socket, then: () => void): void {
    const last = open.get(socket)?.turns.at(-1);
    if (last === undefined) then();
    // After the listener that ends its turn.
    else last.response.once('close', () => whenAnswered(socket, then));
  }

  return {
    /** Calls `begin` once everything before it on the connection is answered. False: too many wait there, and it never begins. */
    take(socket: Socket, response: ServerResponse, begin: () => void): boolean {
      const turns = open.get(socket)?.turns ?? [];
      watch?.onRequest(socket);
      turns.push({ response, begin });
      response.on('close', () => {
        turns.shift();
        watch?.onAnswered(socket);
        if (socket.writable) turns[0]?.begin();
      });
      if (turns.length === 1) begin();
      return turns.length <= maxSentAhead;
    },
    /** Responses of a connection that have not closed, in the order of their requests. */
    pending: (socket: Socket): readonly ServerResponse[] =>
      (open.get(socket)?.turns ?? []).map(({ response }) => response),
    /** Calls `then` when no request on the connection waits for its answer. */
    whenAnswered,
    /** Requests that have no complete answer yet. */
    inFlight: (): number => [...open.values()].reduce((count, { turns }) => count + turns.length, 0),
    /** From now on each answer that has not begun ends its connection. */
    endWithAnswers(): void {
      for (const { turns } of open.values()) {
        for (const { response } of turns) if (!response.headersSent) response.shouldKeepAlive = false;
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
        if (connection.turns.length > 0) {
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
