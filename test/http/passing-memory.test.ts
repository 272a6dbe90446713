import { once } from 'node:events';
import { type IncomingMessage, createServer, get } from 'node:http';
import type { AddressInfo, OnReadOpts } from 'node:net';
import { PassThrough, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as delay, setImmediate as turn } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { createReadBuffers } from '../../src/http/backend/read-buffers.ts';
import { createUpstreamAgents } from '../../src/http/backend/upstream-agents.ts';
import { basic, startTestGateway } from '../hostile/support/gateway.ts';

const body = Buffer.from(Array.from({ length: 3_000_000 }, (_, index) => index % 251));

async function startServer(content = body, onConnection = (): void => {}): Promise<number> {
  const head = { 'content-length': content.length };
  const server = createServer((_request, response) => response.writeHead(200, head).end(content)).listen(
    0,
    '127.0.0.1',
  );
  server.on('connection', onConnection);
  onTestFinished(() => void server.close());
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

test('answers come through the same buffer again and again, whole and never sharing memory with it', async () => {
  const port = await startServer();
  const buffers = createReadBuffers();
  const agents = createUpstreamAgents('http:', buffers);
  onTestFinished(() => agents.close());
  for (let count = 0; count < 3; count++) {
    const request = get({ port, host: '127.0.0.1', agent: agents.readers });
    const [response] = (await once(request, 'response')) as [IncomingMessage];
    const chunks: Buffer[] = [];
    for await (const chunk of response as AsyncIterable<Buffer>) {
      expect(buffers.isSafe(chunk)).toBe(true);
      chunks.push(chunk);
      await turn();
    }
    expect(Buffer.concat(chunks).equals(body)).toBe(true);
    expect(request.reusedSocket).toBe(count > 0);
    await turn();
  }
});

test.each([0, 1, 65_535, 65_536, 65_537, 300_000])(
  '%i bytes end, however framed and however slowly taken',
  async (size) => {
    const content = body.subarray(0, size);
    const server = createServer((request, response) => {
      if (request.url === '/length') response.setHeader('content-length', size);
      if (request.url === '/close') response.useChunkedEncodingByDefault = false;
      response.write(content.subarray(0, size / 2));
      response.end(content.subarray(size / 2));
    }).listen(0, '127.0.0.1');
    onTestFinished(() => void server.close());
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const agents = createUpstreamAgents('http:', createReadBuffers());
    onTestFinished(() => agents.close());
    for (const framing of ['length', 'chunked', 'close', 'length']) {
      const request = get({ port, host: '127.0.0.1', path: `/${framing}`, agent: agents.readers });
      const [response] = (await once(request, 'response')) as [IncomingMessage];
      await turn();
      const taken: Buffer[] = [];
      const slow = new Writable({
        highWaterMark: 1,
        write: (chunk: Buffer, _encoding, done) => {
          taken.push(chunk);
          setImmediate(done);
        },
      });
      await pipeline(response, slow);
      expect(Buffer.concat(taken).equals(content)).toBe(true);
    }
  },
);

test('clients that stop reading for a while get all of it, one after the other over one connection to the registry', async () => {
  const large = Buffer.concat(Array.from({ length: 10 }, () => body));
  let connections = 0;
  const port = await startServer(large, () => void connections++);
  const gateway = await startTestGateway(`http://127.0.0.1:${port}`);
  connections = 0;
  onTestFinished(async () => void (await gateway.close()));
  for (let count = 0; count < 3; count++) {
    const path = `/v2/mine/app/blobs/sha256:${'a'.repeat(64)}`;
    const headers = { authorization: `Basic ${basic}` };
    const request = get({ port: gateway.port, host: '127.0.0.1', path, headers, agent: false });
    const [response] = (await once(request, 'response')) as [IncomingMessage];
    expect(response.statusCode).toBe(200);
    const chunks: Buffer[] = [];
    await delay(200);
    for await (const chunk of response as AsyncIterable<Buffer>) {
      chunks.push(chunk);
      if (chunks.length % 50 === 0) await delay(10);
    }
    expect(Buffer.concat(chunks).equals(large)).toBe(true);
  }
  expect(connections).toBe(1);
});

test('a chunk that lies in the buffer of its socket is noticed, and from then on each read has a buffer of its own', () => {
  const buffers = createReadBuffers();
  const socket = new PassThrough();
  const received: Buffer[] = [];
  let reading: OnReadOpts | undefined;
  buffers.connect((onread) => {
    reading = onread;
    return socket;
  });
  const read = (text: string): void => {
    const onread = reading as OnReadOpts & { buffer: () => Uint8Array };
    const memory = onread.buffer();
    onread.callback(Buffer.from(memory.buffer).write(text), memory);
  };
  socket.on('data', (chunk: Buffer) => received.push(chunk));
  read('first');
  expect(buffers.isSafe(received[0] as Buffer)).toBe(false);
  read('second');
  read('third');
  expect(received.slice(1).map(String)).toEqual(['second', 'third']);
});

test('the buffer of a socket is never given away, and not passed on once a body lay in one', () => {
  const buffers = createReadBuffers();
  const open = (): { readonly socket: PassThrough; readonly memory: Uint8Array<ArrayBuffer> } => {
    const socket = new PassThrough();
    let memory = new Uint8Array();
    buffers.connect((onread) => {
      memory = (onread as { buffer: () => Uint8Array<ArrayBuffer> }).buffer();
      return socket;
    });
    return { socket, memory };
  };
  const [first, second] = [open(), open()];
  buffers.release(second.memory);
  expect(second.memory.length).toBe(65_536);
  first.socket.emit('close');
  const third = open();
  expect(third.memory.buffer, 'used again').toBe(first.memory.buffer);
  third.socket.emit('close');
  expect(buffers.isSafe(second.memory)).toBe(false);
  expect(open().memory.buffer).not.toBe(first.memory.buffer);
});

test('what was released is gone at once, and what shares its memory stays', () => {
  const { release } = createReadBuffers();
  const whole = Buffer.allocUnsafeSlow(65_536);
  release(whole);
  expect(whole.length).toBe(0);
  const memory = Buffer.from('ab'.repeat(5000));
  release(memory.subarray(0, 10));
  expect(memory.length).toBe(10_000);
});
