/**
 * What stands in for a registry, a storage or a gateway: a server on loopback that answers as a test says. With requests and
 * responses of node:http, or with bytes where HTTP itself is the matter. Handlers of whole registries: ./registries.ts.
 */
import { type RequestListener, createServer as createHttpServer } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { type AddressInfo, type Server, type Socket, createServer } from 'node:net';
import { type Received, createRequestParser } from './request-parser.ts';
import { createWatch } from './watch.ts';

export interface StandIn {
  readonly url: string;
  /** `address:port`. */
  readonly host: string;
  readonly port: number;
  /** Connections that were ever opened. */
  readonly connections: () => number;
  /** Ends every connection without a word. */
  readonly drop: () => void;
  /** Does that, too. */
  readonly close: () => Promise<void>;
}

export interface StandInOptions {
  /** Default: 127.0.0.1. */
  readonly address?: string;
  /** Speaks TLS with this certificate. */
  readonly tls?: { readonly cert: Buffer; readonly key: Buffer };
}

/** Answers each request with `answer`. */
export function startStandIn(answer: RequestListener, { address, tls }: StandInOptions = {}): Promise<StandIn> {
  return tls === undefined
    ? listen(createHttpServer(answer), 'http', address)
    : listen(createTlsServer(tls, answer), 'https', address);
}

async function listen(server: Server, scheme: string, address = '127.0.0.1'): Promise<StandIn> {
  const sockets = new Set<Socket>();
  let connections = 0;
  server.on('connection', (socket: Socket) => {
    connections++;
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, address, resolve));
  const { port } = server.address() as AddressInfo;
  const host = `${address.includes(':') ? `[${address}]` : address}:${port}`;
  const drop = (): void => sockets.forEach((socket) => socket.destroy());
  return {
    url: `${scheme}://${host}`,
    host,
    port,
    connections: () => connections,
    drop,
    async close() {
      const closed = new Promise((resolve) => server.close(resolve));
      drop();
      await closed;
    },
  };
}

/** Reads the request line, the headers and the first bytes of a body, all that may be known when only the head has come. */
export type Script = (request: Received, socket: Socket) => void;

export interface RawRegistry extends StandIn {
  /** What came through the gateway, without the questions that the gateway asks for itself. */
  readonly requests: () => readonly Received[];
  /** The last bytes that came with a forwarded request, at most 64. */
  readonly lastBytes: () => string;
  /** Connections for forwarded requests that are open now. */
  readonly openSockets: () => number;
  /** Connections for forwarded requests that were ever opened. */
  readonly connections: () => number;
  /** Answers every request from now on: `onHead` once its headers are there, `onRequest` with its whole body. */
  readonly answer: (script: { readonly onHead?: Script; readonly onRequest?: Script }) => void;
  /** Resolves once `holds` is true, asked again whenever anything happens here. Rejects after half a minute. */
  readonly until: (holds: () => boolean, what: string) => Promise<void>;
  /** Ends every connection for forwarded requests, the kept ones among them. */
  readonly hangUp: () => void;
  /** The same without a word. */
  readonly resetAll: () => void;
}

/** A 200 with two bytes, on a connection that ends with it. */
export const ok: Script = (request, socket) => {
  const body = request.line.startsWith('HEAD ') ? '' : 'ok';
  socket.end(`HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n${body}`);
};

/**
 * A registry that understands nothing: it writes down what arrives and answers from a script. What the gateway asks for
 * itself is not counted and has its answer, unless `answersQuestions` is false.
 */
export async function startRawRegistry({ answersQuestions = true } = {}): Promise<RawRegistry> {
  const requests: Received[] = [];
  const forwarded = new Set<Socket>();
  const watch = createWatch();
  let script: { readonly onHead?: Script; readonly onRequest?: Script } = { onRequest: ok };
  let accepted = 0;
  let connections = 0;
  let last = '';

  const server = createServer({ allowHalfOpen: true }, (socket) => {
    const connection = ++accepted;
    let isOwn: boolean | undefined;
    socket.on('error', () => {});
    socket.on('close', () => {
      forwarded.delete(socket);
      watch.changed();
    });
    socket.on('end', () => socket.end());
    const parse = createRequestParser(connection, {
      onHead(request) {
        if (isOwn === undefined) {
          isOwn = answersQuestions && isQuestionOfTheGateway(request);
          if (!isOwn) {
            forwarded.add(socket);
            connections++;
          }
        }
        if (!isOwn) script.onHead?.(request, socket);
        watch.changed();
      },
      onRequest(request) {
        if (isOwn === true) return answerQuestion(request, socket);
        requests.push(request);
        script.onRequest?.(request, socket);
        watch.changed();
      },
    });
    socket.on('data', (chunk: Buffer) => {
      parse(chunk);
      if (isOwn === true) return;
      last = (last + chunk.toString('latin1', Math.max(0, chunk.length - 64))).slice(-64);
      watch.changed();
    });
  });
  const standIn = await listen(server, 'http');

  return {
    ...standIn,
    requests: () => requests,
    lastBytes: () => last,
    openSockets: () => forwarded.size,
    connections: () => connections,
    answer: (next) => (script = next),
    until: watch.until,
    hangUp: () => forwarded.forEach((socket) => socket.end()),
    resetAll: () => forwarded.forEach((socket) => socket.resetAndDestroy()),
  };
}

/** Health probes and tag look-ups; every client in these tests names itself, the gateway does not. */
function isQuestionOfTheGateway({ line, headers }: Received): boolean {
  return /^(?:GET|HEAD) /.test(line) && !headers.some(([name]) => name.toLowerCase() === 'user-agent');
}

function answerQuestion({ line }: Received, socket: Socket): void {
  const isPing = line.startsWith('GET /v2/ ');
  socket.write(`HTTP/1.1 ${isPing ? '200 OK' : '404 Not Found'}\r\nContent-Length: 0\r\n\r\n`);
}
