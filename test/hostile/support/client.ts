import { type Socket, connect } from 'node:net';
import { createWatch } from '../../support/watch.ts';

/** One reply, parsed strictly from the bytes that came. */
export interface Reply {
  readonly status: number;
  /** In the order and spelling they arrived. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  /** Content without chunk sizes, as far as it came. */
  readonly body: Buffer;
  /** Whether its framing says that nothing is missing. What ends with the connection is complete only after an orderly end. */
  readonly complete: boolean;
}

export interface RawClient {
  readonly socket: Socket;
  readonly send: (bytes: string | Buffer) => void;
  /** All that came so far. */
  readonly received: () => Buffer;
  readonly replies: () => readonly Reply[];
  /** Resolves once `holds` is true, asked again whenever bytes come or the connection ends. Rejects after half a minute. */
  readonly until: (holds: () => boolean, what: string) => Promise<void>;
  /** How the other side ended the connection; undefined while it is open. */
  readonly ended: () => 'orderly' | 'reset' | undefined;
  /** Leaves without a word, as a client that was killed. */
  readonly abort: () => void;
}

/** A connection that sends exactly what it is given. Text is sent as Latin-1: `\xff` is one byte. */
export async function openClient(port: number, heads: ReadonlySet<number> = new Set()): Promise<RawClient> {
  const chunks: Buffer[] = [];
  const received = (): Buffer => Buffer.concat(chunks);
  const watch = createWatch(() => received().toString('latin1').slice(0, 500));
  let ended: 'orderly' | 'reset' | undefined;
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  socket.setNoDelay(true);
  await new Promise<void>((resolve, reject) => socket.once('connect', resolve).once('error', reject));
  socket.on('error', () => {
    ended = 'reset';
    watch.changed();
  });
  socket.on('data', (chunk) => {
    chunks.push(chunk);
    watch.changed();
  });
  socket.on('end', () => {
    ended ??= 'orderly';
    socket.end();
    watch.changed();
  });
  socket.on('close', () => {
    ended ??= 'orderly';
    watch.changed();
  });
  return {
    socket,
    send: (bytes) => void socket.write(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes),
    received,
    replies: () => parseReplies(received(), heads, ended),
    until: watch.until,
    ended: () => ended,
    abort: () => void socket.resetAndDestroy(),
  };
}

/**
 * Sends the bytes at once, waits for the replies to them (or the end), says that nothing follows and waits for the end.
 * When it resolves, the gateway has read every byte.
 */
export async function converse(port: number, bytes: string, replies = 1): Promise<readonly Reply[]> {
  const heads = new Set(bytes.startsWith('HEAD ') ? [0] : []);
  const client = await openClient(port, heads);
  client.send(bytes);
  const answered = (): boolean =>
    client.replies().filter((reply) => reply.complete && reply.status >= 200).length >= replies;
  await client.until(() => client.ended() !== undefined || answered(), `${replies} replies`);
  if (client.ended() === undefined) client.socket.end();
  await client.until(() => client.ended() !== undefined, 'the connection ended');
  client.socket.destroy();
  return client.replies();
}

/** The first value of a header, whatever the case of its name. */
export function headerOf(reply: Reply | undefined, name: string): string | undefined {
  return reply?.headers.find(([candidate]) => candidate.toLowerCase() === name)?.[1];
}

/** `heads` holds the positions of replies to HEAD, counted without 1xx. */
export function parseReplies(
  bytes: Buffer,
  heads: ReadonlySet<number>,
  ended: 'orderly' | 'reset' | undefined,
): readonly Reply[] {
  const replies: Reply[] = [];
  let rest = bytes;
  let position = 0;
  while (rest.length > 0) {
    const at = rest.indexOf('\r\n\r\n');
    const head = rest.toString('latin1', 0, at === -1 ? rest.length : at);
    const [line = '', ...lines] = head.split('\r\n');
    const status = Number(/^HTTP\/1\.1 (\d{3})(?: |$)/.exec(line)?.[1] ?? 0);
    const headers = lines.map((text): [string, string] => {
      const colon = text.indexOf(':');
      return [text.slice(0, colon), text.slice(colon + 1).trim()];
    });
    if (at === -1) {
      replies.push({ status, headers, body: Buffer.alloc(0), complete: false });
      break;
    }
    rest = rest.subarray(at + 4);
    const isInterim = status >= 100 && status < 200;
    const isEmpty = isInterim || status === 204 || status === 304 || heads.has(position);
    const content = isEmpty ? { body: Buffer.alloc(0), size: 0, complete: true } : readContent(rest, headers, ended);
    replies.push({ status, headers, body: content.body, complete: content.complete });
    rest = rest.subarray(content.size);
    if (!isInterim) position++;
    if (!content.complete) break;
  }
  return replies;
}

interface Content {
  readonly body: Buffer;
  /** Bytes on the wire. */
  readonly size: number;
  readonly complete: boolean;
}

function readContent(bytes: Buffer, headers: Reply['headers'], ended: 'orderly' | 'reset' | undefined): Content {
  const value = (name: string): string | undefined =>
    headers.find(([candidate]) => candidate.toLowerCase() === name)?.[1];
  const length = value('content-length');
  if (length !== undefined) {
    const body = bytes.subarray(0, Number(length));
    return { body, size: body.length, complete: body.length === Number(length) };
  }
  if (value('transfer-encoding') === 'chunked') return readChunks(bytes);
  return { body: bytes, size: bytes.length, complete: ended === 'orderly' };
}

function readChunks(bytes: Buffer): Content {
  const parts: Buffer[] = [];
  let at = 0;
  for (;;) {
    const lineEnd = bytes.indexOf('\r\n', at);
    const size = lineEnd === -1 ? Number.NaN : Number.parseInt(bytes.toString('latin1', at, lineEnd), 16);
    if (Number.isNaN(size)) return { body: Buffer.concat(parts), size: bytes.length, complete: false };
    const start = lineEnd + 2;
    if (size === 0) {
      const complete = bytes.toString('latin1', start, start + 2) === '\r\n';
      return { body: Buffer.concat(parts), size: complete ? start + 2 : bytes.length, complete };
    }
    parts.push(bytes.subarray(start, start + size));
    if (bytes.length < start + size + 2) {
      return { body: Buffer.concat(parts), size: bytes.length, complete: false };
    }
    at = start + size + 2;
  }
}
