import { once } from 'node:events';
import { type IncomingMessage, get } from 'node:http';
import { PassThrough, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as delay, setImmediate as turn } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { createPassingMemory } from '../../src/http/backend/passing-memory.ts';
import { createUpstreamAgents } from '../../src/http/backend/upstream-agents.ts';
import { basic, startTestGateway } from '../support/gateway.ts';
import { type StandIn, startStandIn } from '../support/stand-in.ts';

const body = Buffer.from(Array.from({ length: 3_000_000 }, (_, index) => index % 251));

async function startServer(content = body): Promise<StandIn> {
  const head = { 'content-length': content.length };
  const server = await startStandIn((_request, response) => response.writeHead(200, head).end(content));
  onTestFinished(() => server.close());
  return server;
}

test('answers come whole and in memory of their own, one after the other over one connection', async () => {
  const { port } = await startServer();
  const memory = createPassingMemory();
  const agents = createUpstreamAgents('http:', memory);
  onTestFinished(() => agents.close());
  for (let count = 0; count < 3; count++) {
    const request = get({ port, host: '127.0.0.1', agent: agents.readers });
    const [response] = (await once(request, 'response')) as [IncomingMessage];
    const chunks: Buffer[] = [];
    for await (const chunk of response as AsyncIterable<Buffer>) {
      expect(memory.isSafe(chunk)).toBe(true);
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
    const { port, close } = await startStandIn((request, response) => {
      if (request.url === '/length') response.setHeader('content-length', size);
      if (request.url === '/close') response.useChunkedEncodingByDefault = false;
      response.write(content.subarray(0, size / 2));
      response.end(content.subarray(size / 2));
    });
    onTestFinished(close);
    const agents = createUpstreamAgents('http:', createPassingMemory());
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
  const registry = await startServer(large);
  const gateway = await startTestGateway(registry.url);
  const before = registry.connections();
  onTestFinished(async () => void (await gateway.close()));
  for (let count = 0; count < 3; count++) {
    const path = `/v2/mine/app/blobs/sha256:${'a'.repeat(64)}`;
    const headers = { authorization: `Basic ${basic}` };
    const request = get({ port: gateway.port, host: '127.0.0.1', path, headers, agent: false });
    const [response] = (await once(request, 'response')) as [IncomingMessage];
    expect(response.statusCode).toBe(200);
    const chunks: Buffer[] = [];
    // Time is the matter: so slow a reader that the buffers of the kernel fill.
    await delay(200);
    for await (const chunk of response as AsyncIterable<Buffer>) {
      chunks.push(chunk);
      if (chunks.length % 50 === 0) await delay(10);
    }
    expect(Buffer.concat(chunks).equals(large)).toBe(true);
  }
  expect(registry.connections() - before).toBe(1);
});

/** Reads `text` as a socket does: into memory of its own. */
function reading(socket: PassThrough, text: string): Buffer<ArrayBuffer> {
  const read = Buffer.allocUnsafeSlow(text.length);
  read.write(text);
  socket.emit('data', read);
  return read;
}

test('a read is freed when all have heard of it, and not before', async () => {
  const socket = new PassThrough();
  createPassingMemory().follow(socket);
  const heard: string[] = [];
  socket.on('data', (read: Buffer) => heard.push(String(read)));
  const read = reading(socket, 'first');
  expect([heard, read.length]).toEqual([['first'], 5]);
  await turn();
  expect(read.length).toBe(0);
});

test('a chunk that lies in the memory of a read is noticed, and from then on nothing is freed', async () => {
  for (const late of [false, true]) {
    const memory = createPassingMemory();
    const socket = new PassThrough();
    memory.follow(socket);
    const shared = reading(socket, 'first');
    if (late) await turn();
    expect(memory.isSafe(shared), late ? 'when it is gone' : 'while it is there').toBe(false);
    const next = reading(socket, 'second');
    memory.release(Buffer.allocUnsafeSlow(10));
    await turn();
    expect(String(next)).toBe('second');
    expect(memory.isSafe(next)).toBe(true);
  }
});

test('switched off, it frees nothing', async () => {
  const memory = createPassingMemory(false);
  const socket = new PassThrough();
  memory.follow(socket);
  const read = reading(socket, 'first');
  memory.release(read);
  await turn();
  expect(String(read)).toBe('first');
});

test('what was released is gone at once, and what shares its memory stays', () => {
  const { release } = createPassingMemory();
  const whole = Buffer.allocUnsafeSlow(65_536);
  release(whole);
  expect(whole.length).toBe(0);
  const memory = Buffer.from('ab'.repeat(5000));
  release(memory.subarray(0, 10));
  expect(memory.length).toBe(10_000);
});
