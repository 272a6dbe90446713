import { type Server, type Socket, createServer } from 'node:net';

/** One request as it arrived, byte for byte. */
export interface Received {
  readonly line: string;
  /** In the order and spelling they arrived. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  /** The first 64 KiB of the content, without chunk sizes. */
  readonly body: Buffer;
  readonly bodyLength: number;
  /** Which accepted connection it came over, counted from 1. */
  readonly connection: number;
}

/** Reads the request line, the headers and the first bytes of a body, all that may be known when only the head has come. */
export type Script = (request: Received, socket: Socket) => void;

export interface Backend {
  readonly url: string;
  readonly port: number;
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
  /** Resolves once `holds` is true, asked again whenever anything happens here. Rejects after ten seconds. */
  readonly until: (holds: () => boolean, what: string) => Promise<void>;
  /** Ends every connection for forwarded requests, the kept ones among them. */
  readonly hangUp: () => void;
  /** The same without a word. */
  readonly resetAll: () => void;
  readonly close: () => Promise<void>;
}

/** A 200 with two bytes, on a connection that ends with it. */
export const ok: Script = (request, socket) => {
  const body = request.line.startsWith('HEAD ') ? '' : 'ok';
  socket.end(`HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n${body}`);
};

/** A registry that understands nothing: it writes down what arrives and answers from a script. */
export async function startBackend(): Promise<Backend> {
  const requests: Received[] = [];
  const forwarded = new Set<Socket>();
  const sockets = new Set<Socket>();
  const watchers = new Set<() => void>();
  let script: { readonly onHead?: Script; readonly onRequest?: Script } = { onRequest: ok };
  let accepted = 0;
  let connections = 0;
  let last = '';
  const changed = (): void => watchers.forEach((watcher) => watcher());

  const server: Server = createServer({ allowHalfOpen: true }, (socket) => {
    const connection = ++accepted;
    let isOwn: boolean | undefined;
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => {
      sockets.delete(socket);
      forwarded.delete(socket);
      changed();
    });
    socket.on('end', () => socket.end());
    const parse = createRequestParser(connection, {
      onHead(request) {
        if (isOwn === undefined) {
          isOwn = isQuestionOfTheGateway(request);
          if (!isOwn) {
            forwarded.add(socket);
            connections++;
          }
        }
        if (!isOwn) script.onHead?.(request, socket);
        changed();
      },
      onRequest(request) {
        if (isOwn === true) return answerQuestion(request, socket);
        requests.push(request);
        script.onRequest?.(request, socket);
        changed();
      },
    });
    socket.on('data', (chunk: Buffer) => {
      parse(chunk);
      if (isOwn === true) return;
      last = (last + chunk.toString('latin1', Math.max(0, chunk.length - 64))).slice(-64);
      changed();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const port = address !== null && typeof address === 'object' ? address.port : 0;

  return {
    url: `http://127.0.0.1:${port}`,
    port,
    requests: () => requests,
    lastBytes: () => last,
    openSockets: () => forwarded.size,
    connections: () => connections,
    answer: (next) => (script = next),
    until: (holds, what) =>
      new Promise((resolve, reject) => {
        const settle = (outcome: () => void): void => {
          clearTimeout(timer);
          watchers.delete(check);
          outcome();
        };
        const check = (): void => {
          if (holds()) settle(resolve);
        };
        const timer = setTimeout(() => settle(() => reject(new Error(`ran out of time before ${what}`))), 10_000);
        watchers.add(check);
        check();
      }),
    hangUp: () => forwarded.forEach((socket) => socket.end()),
    resetAll: () => forwarded.forEach((socket) => socket.resetAndDestroy()),
    close: async () => {
      const closed = new Promise((resolve) => server.close(resolve));
      sockets.forEach((socket) => socket.destroy());
      await closed;
    },
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

const keptBytes = 65_536;

/** Strict framing of HTTP/1.1 requests. Bytes that are no request become a request with an odd line, never nothing. */
function createRequestParser(
  connection: number,
  handler: { readonly onHead: (request: Received) => void; readonly onRequest: (request: Received) => void },
): (chunk: Buffer) => void {
  let pending: Buffer = Buffer.alloc(0);
  let state: 'head' | 'length' | 'chunk-size' | 'chunk-data' | 'chunk-end' | 'trailer' = 'head';
  let remaining = 0;
  let head: Pick<Received, 'line' | 'headers'> = { line: '', headers: [] };
  let kept: Buffer[] = [];
  let bodyLength = 0;

  const current = (): Received => ({ ...head, body: Buffer.concat(kept), bodyLength, connection });
  const finish = (): void => {
    state = 'head';
    handler.onRequest(current());
  };
  const takeLine = (end: string): string | undefined => {
    const at = pending.indexOf(end);
    if (at === -1) return undefined;
    const text = pending.toString('latin1', 0, at);
    pending = pending.subarray(at + end.length);
    return text;
  };
  const takeBody = (): void => {
    const part = pending.subarray(0, remaining);
    if (bodyLength < keptBytes) kept.push(Buffer.from(part.subarray(0, keptBytes - bodyLength)));
    bodyLength += part.length;
    remaining -= part.length;
    pending = pending.subarray(part.length);
  };
  /** false when more bytes are needed. */
  const step = (): boolean => {
    switch (state) {
      case 'head': {
        const text = takeLine('\r\n\r\n');
        if (text === undefined) return false;
        const [line = '', ...lines] = text.split('\r\n');
        head = { line, headers: lines.map(splitHeader) };
        kept = [];
        bodyLength = 0;
        handler.onHead(current());
        remaining = Number(valueOf(head.headers, 'content-length') ?? 0);
        if (valueOf(head.headers, 'transfer-encoding') !== undefined) state = 'chunk-size';
        else if (remaining > 0) state = 'length';
        else finish();
        return true;
      }
      case 'length':
      case 'chunk-data':
        if (pending.length === 0) return false;
        takeBody();
        if (remaining > 0) return false;
        if (state === 'length') finish();
        else state = 'chunk-end';
        return true;
      case 'chunk-end':
        if (takeLine('\r\n') === undefined) return false;
        state = 'chunk-size';
        return true;
      case 'chunk-size': {
        const line = takeLine('\r\n');
        if (line === undefined) return false;
        remaining = Number.parseInt(line, 16);
        state = remaining === 0 ? 'trailer' : 'chunk-data';
        return true;
      }
      case 'trailer': {
        const line = takeLine('\r\n');
        if (line === undefined) return false;
        if (line === '') finish();
        return true;
      }
    }
  };
  return (chunk) => {
    pending = pending.length === 0 ? chunk : Buffer.concat([pending, chunk]);
    while (step());
  };
}

function splitHeader(line: string): readonly [string, string] {
  const colon = line.indexOf(':');
  return [line.slice(0, colon), line.slice(colon + 1).trim()];
}

/** The first value of a header, whatever the case of its name. */
export function valueOf(headers: Received['headers'], name: string): string | undefined {
  return headers.find(([candidate]) => candidate.toLowerCase() === name)?.[1];
}
