/** The last sink: replies to the client who asked. */
import type { IncomingMessage } from 'node:http';
import { finished } from 'node:stream';
import { bodyPending, cut, endAfterBody } from '../front/drain.ts';
import { clientTimedOut, send, upstreamFailed } from '../front/respond.ts';
import type { PassingMemory } from './passing-memory.ts';
import type { Reply, ReplySink } from './reply.ts';
import type { Transfer } from './transfer.ts';

const memoryReused = 'this Node.js reuses the memory of an answer that was not passed on yet; try again, and report it';

/** `memory`: what replies lie in. */
export function relayIn(memory: PassingMemory): ReplySink {
  return {
    onReply(reply, transfer) {
      if (transfer.isSettled) return;
      const { content } = reply;
      const { request, response } = transfer.asked.exchange;
      const closing = bodyPending(request);
      const isWhole = Buffer.isBuffer(content);
      try {
        if (closing) response.setHeader('connection', 'close');
        const { headers } = reply;
        response.writeHead(reply.status, isWhole ? { ...headers, 'content-length': content.length } : headers);
      } catch (error) {
        return transfer.fail('broken', String(error));
      }
      if (!isWhole) return stream(content, reply, transfer, memory, closing);
      transfer.received = content.length;
      response.write(content);
      end(reply, transfer, closing);
    },

    /** Before the first byte an error reply; after it the connection is cut, since an orderly end would look complete. */
    onFailure(failure, { asked: { exchange } }) {
      const { response } = exchange;
      if (!response.headersSent)
        return send(exchange, failure === 'client_silent' ? clientTimedOut : upstreamFailed(failure));
      cut(response);
      return response.statusCode;
    },
  };
}

function stream(
  content: IncomingMessage,
  reply: Reply,
  transfer: Transfer,
  memory: PassingMemory,
  closing: boolean,
): void {
  const { response } = transfer.asked.exchange;
  // With the first bytes if they are here already, and without them rather than late.
  setImmediate(() => void (transfer.isSettled || response.flushHeaders()));
  content.on('data', (chunk: Buffer<ArrayBuffer>) => {
    transfer.received += chunk.length;
    if (!memory.isSafe(chunk)) return transfer.fail('broken', memoryReused);
    // Not a pipe, whose listeners take 5 KB for each answer.
    if (!response.write(chunk, (error) => void (error || memory.release(chunk)))) content.pause();
  });
  response.on('drain', () => content.resume());
  finished(content, { writable: false }, (error) => {
    if (error) transfer.failWith(error);
    else end(reply, transfer, closing);
  });
}

function end({ status, detail }: Reply, transfer: Transfer, closing: boolean): void {
  const { request, response } = transfer.asked.exchange;
  response.once('finish', () => transfer.complete(status, detail));
  if (!closing) return void response.end();
  transfer.abandon();
  endAfterBody(request, response);
}
