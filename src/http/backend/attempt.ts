/**
 * Requests to the registry by http-proxy (its maintained successor, httpxy), which nothing else knows. The library is left
 * one job: open the request and pipe the body. Path, headers, response, timeouts and errors are ours, because each library
 * of this family loses or crashes on some of them (test/hostile holds the list).
 */
import { type Agent, type ClientRequest, type IncomingMessage, ServerResponse } from 'node:http';
import { createProxyServer } from 'http-proxy';
import type { RegistryAddress } from '../../distribution/registry-address.ts';
import { bodyStream } from '../front/manifest-body.ts';
import { type PassingMemory, onWritten } from './passing-memory.ts';
import type { Transfer } from './transfer.ts';
import type { UpstreamAgents } from './upstream-agents.ts';
import { outgoingHeaders } from './upstream-headers.ts';

/** Gets the head of an answer; its content waits to be read. */
export type OnResponse = (response: IncomingMessage) => void;

export interface RegistryDoor {
  readonly origin: URL;
  readonly address: RegistryAddress;
  readonly agents: UpstreamAgents;
  readonly memory: PassingMemory;
}

/**
 * Sends what `transfer` asks for, its body as it comes. A read goes out again when the kept connection that it took had
 * been closed; any other request has a new one. Failures go to `transfer`.
 */
export function sendToRegistry(transfer: Transfer, door: RegistryDoor, onResponse: OnResponse): void {
  const { exchange, route, content } = transfer.asked;
  const { request } = exchange;
  // The library reads them here.
  request.headers = outgoingHeaders(request, route, door.origin.host);
  request.url = transfer.target;
  if (content !== undefined) {
    delete request.headers['transfer-encoding'];
    request.headers['content-length'] = String(content.length);
  }
  const { readers, writers } = door.agents;
  const again = (): void => attempt(transfer, door, writers, onResponse);
  if (request.method === 'GET' || request.method === 'HEAD') attempt(transfer, door, readers, onResponse, again);
  else again();
}

function attempt(
  transfer: Transfer,
  { address, memory }: RegistryDoor,
  agent: Agent,
  onResponse: OnResponse,
  again?: () => void,
): void {
  const { exchange, content } = transfer.asked;
  const number = transfer.nextAttempt();
  let opened: ClientRequest | undefined;
  const proxy = createProxyServer({
    target: address,
    agent,
    selfHandleResponse: true,
    ...(content === undefined ? {} : { buffer: bodyStream(content) }),
    prependPath: false,
  });
  proxy.on('proxyReq', (outgoing: ClientRequest) => {
    opened = outgoing;
    // The library asks for its end where chunks are sent.
    if (!outgoing.headersSent) outgoing.setHeader('connection', 'keep-alive');
    // A read has no body.
    if (content === undefined && again === undefined)
      onWritten(outgoing, (chunk) => {
        transfer.sent += chunk.length;
        memory.release(chunk);
      });
    transfer.opened(outgoing, number);
  });
  proxy.on('proxyRes', onResponse);
  proxy.on('econnreset', transfer.onClientClose);
  proxy.on('error', (error: NodeJS.ErrnoException) => {
    if (!transfer.isCurrent(number)) return;
    const wasClosed = error.code === 'ECONNRESET' || error.code === 'EPIPE';
    if (again !== undefined && opened?.reusedSocket === true && !transfer.isAnswered && wasClosed) again();
    else transfer.failOpen(error.message);
  });
  // The library gets a response of its own to end: it would take ours away while a refusal is still being read.
  const unused = new ServerResponse(exchange.request);
  void proxy.web(exchange.request, unused).catch((error: unknown) => transfer.fail('broken', String(error)));
}
