/**
 * Forwarding to the registry with http-proxy (its maintained successor, httpxy) behind guards. The library is left one
 * job: open the request and pipe the body. Path, headers, response, timeouts and errors are ours, because each library
 * of this family loses or crashes on some of them (test/hostile holds the list).
 */
import {
  type ClientRequest,
  type IncomingMessage,
  type OutgoingHttpHeaders,
  ServerResponse,
  request as httpRequest,
} from 'node:http';
import type { Socket } from 'node:net';
import { type Writable, finished } from 'node:stream';
import { createProxyServer } from 'http-proxy';
import { digestOf } from '../../distribution/digest.ts';
import { registryAddress } from '../../distribution/registry-address.ts';
import { type RegistryRoute, formatTarget } from '../../distribution/route.ts';
import type { SendQueues } from '../../ports.ts';
import { isManifest, namedDigest, readManifest, requestedDigest } from './content-digest.ts';
import { bodyPending, cut, endAfterBody } from '../front/drain.ts';
import type { Exchange } from '../front/exchange.ts';
import { bodyStream } from '../front/manifest-body.ts';
import type { Forwarding } from './forwarding.ts';
import { ProgressWatch, type Transfer, movedBytes } from './progress.ts';
import { createReadBuffers } from './read-buffers.ts';
import { type RegistryError, errorHeaders, ownError, readError } from './registry-errors.ts';
import { type UpstreamFailure, clientTimedOut, send, upstreamFailed } from '../front/respond.ts';
import {
  type RedirectRules,
  isRedirect,
  maxHops,
  redirectProblem,
  storageHeaders,
  storageRequestHeaders,
} from './redirects.ts';
import { readStored } from './stored-content.ts';
import { createUpstreamAgents } from './upstream-agents.ts';
import { type Seals, outgoingHeaders, returnedHeaders, storageUrl } from './upstream-headers.ts';

export interface UpstreamOptions {
  readonly url: string;
  /** What clients call this gateway. */
  readonly publicUrl: string;
  readonly connectMs: number;
  /** Milliseconds without a byte in either direction. */
  readonly idleMs: number;
  /** Milliseconds the registry may think once it has the whole request: finishing a large upload takes it minutes. */
  readonly responseMs: number;
  readonly sendQueues: SendQueues;
  /** Default: redirects of reads are passed on, to wherever they lead. */
  readonly redirects?: RedirectRules;
}

export interface ForwardOptions extends Seals {
  /** Stands in for a body that was already read. */
  readonly content?: Buffer;
  /** Finds what a tag names, for a HEAD that the registry answers without a digest. */
  readonly digestOfTag?: () => Promise<string | undefined>;
  /** Path and query that the registry wrote itself, instead of the route's own. */
  readonly target?: string;
}

export interface Upstream {
  /**
   * Streams the exchange to the registry and back.
   * Resolves when both directions have ended, whatever happened; never rejects.
   */
  forward(exchange: Exchange, route: RegistryRoute, options?: ForwardOptions): Promise<Forwarding>;
  readonly activeTransfers: () => number;
  /** From now on it is the gateway that ends connections, not their clients. */
  stop(): void;
  close(): void;
}

export function createUpstream(options: UpstreamOptions): Upstream {
  const { url, publicUrl, connectMs, idleMs, responseMs, redirects } = options;
  const rules = redirects ?? { mode: 'pass', hosts: [] };
  const target = new URL(url);
  const { protocol, hostname, port } = registryAddress(target);
  const origins = { upstream: target, publicUrl: new URL(publicUrl) };
  const buffers = createReadBuffers();
  const agents = createUpstreamAgents(target.protocol, buffers);
  let stopping = false;
  const watch = new ProgressWatch(Math.max(10, Math.min(1000, idleMs / 4)), options.sendQueues);

  function forward(exchange: Exchange, route: RegistryRoute, options: ForwardOptions = {}): Promise<Forwarding> {
    const { content, target: given, digestOfTag } = options;
    const { request, response } = exchange;
    const isRead = request.method === 'GET' || request.method === 'HEAD';
    request.headers = outgoingHeaders(request, route, target.host);
    const asked = given ?? formatTarget(route);
    request.url = asked;
    if (content !== undefined) {
      delete request.headers['transfer-encoding'];
      request.headers['content-length'] = String(content.length);
    }

    return new Promise((resolve) => {
      let settled = false;
      let bytes = 0;
      let sent = content?.length ?? 0;
      let digest: string | undefined;
      let upstreamRequest: ClientRequest | undefined;
      let upstreamSocket: Socket | undefined;
      let answered = false;
      let attempts = 0;
      let connected = false;

      const transfer: Transfer = {
        bytes: () => clientBytes() + movedBytes(upstreamSocket),
        sockets: () => (upstreamSocket === undefined ? [request.socket] : [request.socket, upstreamSocket]),
        limitMs: () => (isWhole() && !answered ? responseMs : idleMs),
        onStalled: () => (isClientSilent() ? giveUp() : fail('timeout', 'no byte moved in time')),
      };

      /** All that the registry is to be sent is here. */
      const isWhole = (): boolean => request.complete || content !== undefined;

      /** Of this exchange: what comes after its request is another one, and no reason to wait for this client. */
      function clientBytes(): number {
        const { socket } = request;
        return movedBytes(socket) - (isWhole() && response.headersSent ? socket.bytesRead : 0);
      }

      /** Whose turn it was: all that came from one side has left for the other, or waits there to be taken. */
      function isClientSilent(): boolean {
        if (response.headersSent) return response.writableLength > 0;
        return !isWhole() && connected && !upstreamRequest?.writableNeedDrain && !upstreamSocket?.writableLength;
      }

      function giveUp(): void {
        upstreamRequest?.destroy();
        if (response.headersSent) {
          settle(response.statusCode, 'client_timeout', 'the client stopped reading');
          cut(response);
        } else {
          settle(send(exchange, clientTimedOut), 'client_timeout', 'the client stopped sending');
        }
      }

      function settle(status: number, outcome: Forwarding['outcome'], detail?: string): void {
        if (settled) return;
        settled = true;
        watch.remove(transfer);
        response.off('close', onClientClose);
        resolve({ status, outcome, bytes: Math.max(bytes, sent), digest, ...(detail === undefined ? {} : { detail }) });
      }

      /** Before the first byte an error reply; after it the connection is cut, since an orderly end would look complete. */
      function fail(failure: UpstreamFailure, detail: string): void {
        if (settled) return;
        const outcome = `upstream_${failure}` as const;
        upstreamRequest?.destroy();
        if (response.headersSent) {
          settle(response.statusCode, outcome, detail);
          cut(response);
        } else {
          settle(send(exchange, upstreamFailed(failure)), outcome, detail);
        }
      }

      function onClientClose(): void {
        if (response.writableFinished) return;
        upstreamRequest?.destroy();
        settle(response.headersSent ? response.statusCode : 499, stopping ? 'gateway_stopped' : 'client_gone');
      }

      function onResponse(upstreamResponse: IncomingMessage): void {
        const status = upstreamResponse.statusCode ?? 0;
        const elsewhere = storageUrl(upstreamResponse.headers.location ?? '', status, route, origins);
        if (elsewhere !== undefined) {
          const problem = redirectProblem(elsewhere, target, rules);
          if (problem !== undefined) return fail('broken', problem);
          if (rules.mode === 'follow') {
            digest = requestedDigest(route, undefined) ?? namedDigest(upstreamResponse, route);
            return follow(elsewhere, 1, upstreamResponse);
          }
        }
        answered = true;
        if (status < 200 || status > 599) return fail('broken', `status ${status}`);
        if (status === 401 || status === 403) return fail('broken', `the registry itself refuses access (${status})`);
        const returned = returnedHeaders(upstreamResponse, route, asked, origins, options);
        if ('problem' in returned) return fail('broken', returned.problem);
        const digestHeader = upstreamResponse.headers['docker-content-digest'];
        digest = typeof digestHeader === 'string' ? digestHeader : undefined;
        if (status >= 400) return refuse(upstreamResponse, returned.headers);
        const isUnnamed = digest === undefined && (status === 200 || status === 201 || status === 206);
        if (!isUnnamed) return relay(upstreamResponse, returned.headers);
        digest = requestedDigest(route, content);
        if (digest !== undefined) relay(upstreamResponse, { ...returned.headers, 'docker-content-digest': digest });
        else if (route.kind === 'manifest-get' && isManifest(upstreamResponse))
          void nameByContent(upstreamResponse, returned.headers);
        else relay(upstreamResponse, returned.headers);
      }

      /** A manifest by tag, of which only the content tells the digest: that of these bytes, or for a HEAD of what there is now. */
      async function nameByContent(upstreamResponse: IncomingMessage, headers: OutgoingHttpHeaders): Promise<void> {
        try {
          if (request.method === 'HEAD') {
            digest = await digestOfTag?.();
            const named = digest === undefined ? {} : { 'docker-content-digest': digest };
            if (!settled) relay(upstreamResponse, { ...headers, ...named });
            return;
          }
          const manifest = await readManifest(upstreamResponse);
          if (settled) return;
          if (manifest === undefined) return fail('broken', 'the manifest is larger than 4 MiB');
          // What was encoded for the way has another digest than it has.
          if (headers['content-encoding'] === undefined) digest = digestOf(manifest);
          const named = digest === undefined ? {} : { 'docker-content-digest': digest };
          deliver(200, { ...headers, ...named }, manifest);
        } catch (error) {
          fail('broken', error instanceof Error ? error.message : String(error));
        }
      }

      function refuse(upstreamResponse: IncomingMessage, headers: OutgoingHttpHeaders): void {
        if (request.method === 'HEAD') return relay(upstreamResponse, errorHeaders(upstreamResponse, headers));
        // It may hang up now, as registries do that have not read the body.
        attempts++;
        void readError(upstreamResponse, route, headers, idleMs).then((error) =>
          deliverError(upstreamResponse.statusCode ?? 500, error),
        );
      }

      function deliverError(status: number, error: RegistryError): void {
        deliver(status, error.headers, error.body, error.detail);
      }

      /** Content that was read whole. */
      function deliver(status: number, headers: OutgoingHttpHeaders, content: Buffer, detail?: string): void {
        if (settled) return;
        const closing = bodyPending(request);
        try {
          const length = { 'content-length': content.length };
          response.writeHead(status, { ...headers, ...length, ...(closing ? { connection: 'close' } : {}) });
        } catch (error) {
          return fail('broken', String(error));
        }
        bytes = content.length;
        response.once('finish', () => settle(status, 'complete', detail));
        response.write(content);
        end(closing);
      }

      function end(closing: boolean): void {
        // It answered without the rest, and might keep the connection to wait for it.
        if (closing) {
          attempts++;
          upstreamRequest?.destroy();
          endAfterBody(request, response);
        } else response.end();
      }

      function relay(upstreamResponse: IncomingMessage, headers: OutgoingHttpHeaders, source?: string): void {
        const status = upstreamResponse.statusCode ?? 0;
        const closing = bodyPending(request);
        try {
          response.writeHead(status, { ...headers, ...(closing ? { connection: 'close' } : {}) });
        } catch (error) {
          return fail('broken', String(error));
        }
        // With the first bytes if they are here already, and without them rather than late.
        setImmediate(() => void (settled || response.flushHeaders()));
        upstreamResponse.on('data', (chunk: Buffer) => {
          bytes += chunk.length;
          if (!buffers.isSafe(chunk))
            fail(
              'broken',
              'this Node.js reuses the memory of an answer that was not passed on yet; try again, and report it',
            );
        });
        onWritten(response, buffers.release);
        upstreamResponse.pipe(response, { end: false });
        finished(upstreamResponse, { writable: false }, (error) => {
          if (error) return fail('broken', error.message);
          response.once('finish', () => settle(status, 'complete', source));
          end(closing);
        });
      }

      /** Fetches from the storage what the registry only points at. `before` said so; nothing else of it is wanted. */
      function follow(url: URL, hop: number, before: IncomingMessage): void {
        const number = ++attempts;
        before.destroy();
        const options = {
          method: request.method,
          headers: storageRequestHeaders(request.headers, route.kind === 'blob-get'),
          // Speaks TLS or not.
          agent: agents.storage(url.protocol),
        };
        const outgoing = httpRequest(url, options);
        outgoing.once('socket', () => opened(outgoing, url.protocol, number));
        outgoing.on('error', (error) => {
          if (number === attempts) fail(connected ? 'broken' : 'unreachable', `${url.host}: ${error.message}`);
        });
        outgoing.on('response', (stored) => {
          const { statusCode: status = 0 } = stored;
          const { location } = stored.headers;
          if (!isRedirect(status) || location === undefined) return onStored(stored, url);
          const next = URL.canParse(location, url.href) ? new URL(location, url) : undefined;
          const problem =
            next === undefined || hop === maxHops
              ? `${url.host} redirects once more, to nowhere or too often`
              : redirectProblem(next, target, rules);
          if (problem !== undefined || next === undefined) return fail('broken', problem ?? '');
          follow(next, hop + 1, stored);
        });
        outgoing.end();
      }

      function onStored(stored: IncomingMessage, url: URL): void {
        answered = true;
        const isBlob = route.kind === 'blob-get';
        const source = `from ${url.host}`;
        const broken = (problem: string): void => fail('broken', `${url.host}: ${problem}`);
        const kept = storageHeaders(stored, digest, isBlob);
        if ('problem' in kept) return broken(kept.problem);
        const { statusCode: status = 500 } = stored;
        if (status >= 400) {
          // Its words are about buckets and keys.
          if (request.method === 'HEAD') return relay(stored, errorHeaders(stored, kept.headers), source);
          stored.destroy();
          return deliverError(status, ownError(status, route, kept.headers));
        }
        if (isBlob || status !== 200 || request.method === 'HEAD') return relay(stored, kept.headers, source);
        const passed = returnedHeaders(stored, route, asked, origins, options);
        if ('problem' in passed) return broken(passed.problem);
        const { link, 'oci-filters-applied': filters } = passed.headers;
        const listed = { ...(link && { link }), ...(filters && { 'oci-filters-applied': filters }) };
        readStored(stored, route, digest, { ...kept.headers, ...listed }).then(
          (read) => {
            if (settled) return;
            if ('problem' in read) return broken(read.problem);
            digest = read.digest;
            deliver(status, read.headers, read.content, source);
          },
          (error: unknown) => broken(String(error)),
        );
      }

      function opened(outgoing: ClientRequest, protocol: string, number: number): void {
        upstreamRequest = outgoing;
        if (settled) return void outgoing.destroy();
        const { socket } = outgoing;
        upstreamSocket = socket ?? undefined;
        // Without a descriptor left it is neither: it never began.
        connected = socket?.connecting === false && !socket.destroyed;
        if (socket?.connecting) {
          const timer = setTimeout(() => fail('timeout', 'no connection in time'), connectMs);
          const stop = (): void => clearTimeout(timer);
          socket.once(protocol === 'https:' ? 'secureConnect' : 'connect', () => {
            connected = true;
            stop();
          });
          socket.once('close', stop);
        }
        // The socket belongs to nobody from here on; the end of its request may leave it open.
        outgoing.once('upgrade', (_response: IncomingMessage, switched: Socket) => {
          switched.destroy();
          fail('broken', 'the registry switched protocols');
        });
        outgoing.once('close', () => {
          setImmediate(() => {
            if (answered || number !== attempts) return;
            fail('broken', 'the registry closed the connection without an answer');
          });
        });
      }

      function attempt(): void {
        const number = ++attempts;
        const proxy = createProxyServer({
          target: { protocol, hostname, port },
          agent: isRead && number === 1 ? agents.readers : agents.writers,
          selfHandleResponse: true,
          ...(content === undefined ? {} : { buffer: bodyStream(content) }),
          prependPath: false,
        });
        proxy.on('proxyReq', (outgoing: ClientRequest) => {
          // The library asks for its end where chunks are sent.
          if (!outgoing.headersSent) outgoing.setHeader('connection', 'keep-alive');
          if (content === undefined)
            onWritten(outgoing, (chunk) => {
              sent += chunk.length;
              buffers.release(chunk);
            });
          opened(outgoing, target.protocol, number);
        });
        proxy.on('proxyRes', onResponse);
        proxy.on('econnreset', onClientClose);
        proxy.on('error', (error: NodeJS.ErrnoException) => {
          if (settled || number !== attempts) return;
          const wasClosed = error.code === 'ECONNRESET' || error.code === 'EPIPE';
          // Only the first attempt of a read uses a connection again.
          const stale = upstreamRequest?.reusedSocket === true && !answered && wasClosed;
          if (stale) return attempt();
          fail(connected ? 'broken' : 'unreachable', error.message);
        });
        // The library gets a response of its own to end: it would take ours away while a refusal is still being read.
        const unused = new ServerResponse(request);
        void proxy.web(request, unused).catch((error: unknown) => fail('broken', String(error)));
      }

      if (response.destroyed || request.socket.destroyed) return settle(499, 'client_gone');
      response.on('close', onClientClose);
      watch.add(transfer);
      if (exchange.expectsContinue && content === undefined) response.writeContinue();
      attempt();
    });
  }

  return {
    forward,
    activeTransfers: () => watch.active,
    stop: () => void (stopping = true),
    close: () => agents.close(),
  };
}

/** Calls `written` with each chunk that a pipe has written to `stream`. */
function onWritten(stream: Writable, written: (chunk: Buffer<ArrayBuffer>) => void): void {
  const write = stream.write.bind(stream) as (chunk: Buffer, done: (error?: Error | null) => void) => boolean;
  stream.write = (chunk: Buffer<ArrayBuffer>) => write(chunk, (error) => void (error || written(chunk)));
}
