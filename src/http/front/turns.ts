/**
 * One request at a time on a connection, whatever a client sends ahead: what follows a request that ends the connection is
 * never looked at, and nobody multiplies work by not reading answers.
 */
import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/** Requests on one connection that may wait for the answer to an earlier one; registry clients send none ahead. */
const maxSentAhead = 32;

interface Turn {
  readonly response: ServerResponse;
  readonly begin: () => void;
}

/** For the connections of one listener. */
export function createTurns() {
  const queues = new WeakMap<Socket, Turn[]>();
  /** Calls `then` when there are none on the connection. */
  const whenAnswered = (socket: Socket, then: () => void): void => {
    const last = queues.get(socket)?.at(-1);
    if (last === undefined) then();
    // After the listener that takes it out of the queue.
    else last.response.once('close', () => whenAnswered(socket, then));
  };
  return {
    /** Calls `begin` once everything before it on the connection is answered. False: too many wait there, and it never begins. */
    take(socket: Socket, response: ServerResponse, begin: () => void): boolean {
      const queue = queues.get(socket) ?? [];
      queues.set(socket, queue);
      response.once('close', () => {
        queue.shift();
        if (socket.writable) queue[0]?.begin();
      });
      queue.push({ response, begin });
      if (queue.length === 1) begin();
      return queue.length <= maxSentAhead;
    },
    /** Responses of a connection that have not closed, in the order of their requests. */
    pending: (socket: Socket): readonly ServerResponse[] => (queues.get(socket) ?? []).map(({ response }) => response),
    whenAnswered,
  };
}
