/**
 * Requests to the registry by http-proxy (its maintained successor, httpxy), which nothing else knows. The library is left
 * one job: open the request and pipe the body. Path, headers, response, timeouts and errors are ours, because each library
 * of this family loses or crashes on some of them (test/hostile holds the list).
 */
import { type Agent, type ClientRequest, type IncomingMessage, ServerResponse } from 'node:http';
import { createProxyServer } from 'http-proxy';
import { registryScope } from '../../distribution/registry-scope.ts';
import type { RegistryAddress } from '../../distribution/registry-address.ts';
import type { UpstreamLogin } from '../../ports.ts';
import { bodyStream } from '../front/manifest-body.ts';
import { loggedIn } from './logged-in.ts';
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
  /** Absent: nobody logs in there. */
  readonly login?: UpstreamLogin | undefined;
}

/**
 * Sends what `transfer` asks for, its body as it comes. A read goes out again when the kept connection that it took had
 * been closed; any other request has a new one. What can be sent twice is, where the registry wants a newer login. Failures
 * go to `transfer`.
 */
export function sendToRegistry(transfer: Transfer, door: RegistryDoor, onResponse: OnResponse): void {
  const { exchange, route, content } = transfer.asked;
  const { request } = exchange;
  // The library reads them here.
  request.headers = outgoingHeaders(request, route, door.origin.host, exchange.trace.parent);
  request.url = transfer.target;
  if (content !== undefined) {
    delete request.headers['transfer-encoding'];
    request.headers['content-length'] = String(content.length);
  }
  if (door.login === undefined) return send(transfer, door, undefined, onResponse);
  const sent = loggedIn<IncomingMessage>({
    login: door.login,
    scope: registryScope(request.method ?? '', transfer.target),
    send: (authorization) =>
      new Promise((resolve) => {
        if (transfer.isSettled) return;
        send(transfer, door, authorization, (response) => {
          if (response.statusCode === 401 || response.statusCode === 403) {
            // Nothing of it is passed on; what comes next is another request.
            transfer.disown();
            response.destroy();
          }
          resolve(response);
        });
      }),
    headOf: (response) => response,
    mayRepeat: () => content !== undefined || !hasBody(request),
  });
  void sent.then((answer) => {
    if (!('ok' in answer)) return onResponse(answer);
    transfer.fail(answer.reason, answer.detail);
  });
}

function hasBody({ headers }: IncomingMessage): boolean {
  return (headers['content-length'] ?? '0') !== '0' || headers['transfer-encoding'] !== undefined;
}

function send(transfer: Transfer, door: RegistryDoor, authorization: string | undefined, onResponse: OnResponse): void {
  const { request } = transfer.asked.exchange;
  const { readers, writers } = door.agents;
  const again = (): void => attempt(transfer, door, { agent: writers, authorization }, onResponse);
  if (request.method !== 'GET' && request.method !== 'HEAD') return again();
  attempt(transfer, door, { agent: readers, authorization }, onResponse, again);
}

function attempt(
  transfer: Transfer,
  { address, memory }: RegistryDoor,
  { agent, authorization }: { readonly agent: Agent; readonly authorization: string | undefined },
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
    ...(authorization === undefined ? {} : { headers: { authorization } }),
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
    else transfer.failOpen(error);
  });
  // The library gets a response of its own to end: it would take ours away while a refusal is still being read.
  const unused = new ServerResponse(exchange.request);
  void proxy.web(exchange.request, unused).catch((error: unknown) => transfer.fail('broken', String(error)));
}
