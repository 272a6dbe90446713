/** Transfers that move slowly or not at all, and what they hold meanwhile. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { once } from 'node:events';
import { type Server } from 'node:http';
import { type Socket } from 'node:net';
import { platform } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, onTestFinished, test } from 'vitest';
import { liveBytes } from '../support/heap.ts';
import { ok } from '../support/stand-in.ts';
import { converse, openClient } from './support/client.ts';
import { startTestGateway } from '../support/gateway.ts';
import {
  backend,
  patient,
  strict,
  blob,
  session,
  head,
  mebibyte,
  beatMs,
  nothingLeft,
  begin,
  beginning,
  useGateways,
} from './support/gateways.ts';

useGateways();

describe('time', () => {
  test('a download that moves is not cut, however long it takes', async () => {
    backend.answer({
      onRequest(_request, socket) {
        socket.write('HTTP/1.1 200 OK\r\nContent-Length: 10\r\nConnection: close\r\n\r\n');
        void slowly(10, () => void socket.write('x')).then(() => socket.end());
      },
    });
    const client = await openClient(strict.port);
    client.send(head(`GET ${blob}`));
    await client.until(() => client.ended() !== undefined || client.replies()[0]?.complete === true, 'a reply');
    expect(client.replies()[0]?.body.toString()).toBe('x'.repeat(10));
    client.abort();
  });

  test('an upload that moves is not cut, however long it takes: no limit on the whole request', async () => {
    const servers: Server[] = [];
    const note = (message: unknown): void => void servers.push((message as { readonly server: Server }).server);
    subscribe('http.server.request.start', note);
    const client = await openClient(strict.port);
    client.send(head(`PATCH ${session}`, 'Content-Length: 10\r\n'));
    await slowly(10, () => client.send('x'));
    await client.until(() => client.replies()[0]?.complete === true, 'a reply');
    unsubscribe('http.server.request.start', note);
    expect(client.replies()[0]?.status).toBe(200);
    expect(backend.requests().at(-1)?.bodyLength).toBe(10);
    expect(servers.length).toBeGreaterThan(0);
    for (const server of servers) {
      expect(server.requestTimeout).toBe(0);
      expect(server.maxHeadersCount).toBe(0);
      expect(server.headersTimeout).toBe(15_000);
    }
    client.abort();
  });

  test('a registry may think longer than a transfer may pause, but then must not pause longer', async () => {
    const gateway = await startTestGateway(backend.url, { idleMs: 500, responseMs: 60_000 });
    backend.answer({ onRequest: (request, socket) => void delay(1500).then(() => ok(request, socket)) });
    const [thought] = await converse(gateway.port, `${head(`PUT ${session}`, 'Content-Length: 4\r\n')}part`);
    expect(thought?.status).toBe(200);
    backend.answer({ onRequest: beginning });
    const client = await openClient(gateway.port);
    client.send(head(`GET ${blob}`));
    await client.until(() => client.ended() !== undefined, 'the end');
    expect(client.replies()[0]?.complete).toBe(false);
    await gateway.close();
  });

  test('an upload whose client fell silent ends on both sides', async () => {
    backend.answer({ onRequest: ok });
    const [client] = await begin(strict, 1, `${head(`PATCH ${session}`, 'Content-Length: 1000\r\n')}part`);
    await client?.until(() => client.ended() !== undefined, 'the end');
    expect(client?.replies()[0]?.status).toBe(408);
    await nothingLeft();
    expect(strict.records.at(-1)).toMatchObject({ status: 408, reason: 'client_timeout' });
  });

  test('an upload that the registry stopped taking is the fault of the registry', async () => {
    backend.answer({ onHead: (_request, socket) => void socket.pause() });
    const client = await openClient(strict.port);
    client.send(head(`PATCH ${session}`, `Content-Length: ${64 * mebibyte.length}\r\n`));
    for (let count = 0; count < 64; count++) client.socket.write(mebibyte);
    await client.until(() => client.replies()[0]?.complete === true, 'a reply');
    expect(client.replies()[0]?.status).toBe(504);
    client.abort();
    backend.resetAll();
    await nothingLeft();
    expect(strict.records.at(-1)).toMatchObject({ status: 504, reason: 'upstream_timeout' });
  });

  test('a download whose client stopped reading ends on both sides', async () => {
    backend.answer({ onRequest: (_request, socket) => flood(socket, 256) });
    const client = await openClient(strict.port);
    client.socket.pause();
    client.send(head(`GET ${blob}`));
    await backend.until(() => backend.openSockets() === 1, 'the request arrived');
    await nothingLeft();
    client.socket.resume();
    await client.until(() => client.ended() !== undefined, 'the end');
    expect(client.received().length).toBeLessThan(256 * mebibyte.length);
    client.abort();
    expect(strict.records.at(-1)).toMatchObject({ status: 200, reason: 'client_timeout' });
  });

  test('a download that nobody reads is not kept by the next request on its connection', async () => {
    backend.answer({ onRequest: (_request, socket) => flood(socket, 256) });
    const client = await openClient(strict.port);
    client.socket.pause();
    client.send(head(`GET ${blob}`) + head(`PATCH ${session}`, 'Content-Length: 1000\r\n'));
    const beat = setInterval(() => client.send('x'), 100);
    await backend.until(() => backend.openSockets() === 1, 'the request arrived');
    await nothingLeft();
    clearInterval(beat);
    client.abort();
    expect(strict.records.at(-1)).toMatchObject({ status: 200, reason: 'client_timeout' });
  });

  // The kernel takes megabytes at once; then nothing moves here until the client has taken a good part of them.
  test.skipIf(platform() !== 'linux')('a download whose client reads slowly is never cut', async () => {
    backend.answer({ onRequest: (_request, socket) => flood(socket, 256) });
    const gateway = await startTestGateway(backend.url, { idleMs: 2400, responseMs: 2400 });
    onTestFinished(async () => void (await gateway.close()));
    const client = await openClient(gateway.port);
    const { socket } = client;
    socket.removeAllListeners('data');
    let read = 0;
    let beat: NodeJS.Timeout | undefined;
    socket.on('data', (chunk: Buffer) => {
      read += chunk.length;
      socket.pause();
      beat = setTimeout(() => socket.resume(), 200);
    });
    client.send(head(`GET ${blob}`));
    const closed = once(socket, 'close').then(() => true);
    const ended = await Promise.race([closed, delay(9000, false)]);
    expect(ended).toBe(false);
    expect(read).toBeGreaterThan(mebibyte.length);
    clearTimeout(beat);
    client.abort();
    await nothingLeft();
    expect(gateway.records.at(-1)).toMatchObject({ status: 200, reason: 'client_gone' });
  });
});

describe('memory', () => {
  const mebibytes = 256;

  test('a slow reader holds the registry back, and a quarter gibibyte passes in constant memory', async () => {
    let sent: Socket | undefined;
    backend.answer({
      onRequest(_request, socket) {
        sent = socket;
        flood(socket, mebibytes);
      },
    });
    const client = await openClient(patient.port);
    client.socket.removeAllListeners('data');
    client.socket.pause();
    client.send(head(`GET ${blob}`, 'Connection: close\r\n'));
    await backend.until(() => sent !== undefined, 'the request arrived');
    const left = (): number => (sent === undefined ? 0 : sent.bytesWritten - sent.writableLength);
    await unchanged(left);
    expect(left(), 'what nobody reads waits at the registry').toBeLessThan(64 * mebibyte.length);

    const before = liveBytes();
    let peak = before;
    let read = 0;
    let looked = 0;
    client.socket.on('data', (chunk: Buffer) => {
      read += chunk.length;
      if (read - looked < 16 * mebibyte.length) return;
      looked = read;
      peak = Math.max(peak, liveBytes());
    });
    client.socket.resume();
    await once(client.socket, 'close');
    expect(read).toBeGreaterThan(mebibytes * mebibyte.length);
    expect((peak - before) / mebibyte.length, 'mebibytes held on the way').toBeLessThan(60);
  });

  test('a slow registry holds the uploader back', async () => {
    let arriving: Socket | undefined;
    backend.answer({
      onHead(_request, socket) {
        arriving = socket;
        socket.pause();
      },
      onRequest: ok,
    });
    const client = await openClient(patient.port);
    client.send(head(`PATCH ${session}`, `Content-Length: ${64 * mebibyte.length}\r\nConnection: close\r\n`));
    for (let count = 0; count < 64; count++) client.socket.write(mebibyte);
    const left = (): number => client.socket.bytesWritten - client.socket.writableLength;
    await backend.until(() => arriving !== undefined, 'the request arrived');
    await unchanged(left);
    expect(left()).toBeLessThan(64 * mebibyte.length);
    arriving?.resume();
    await client.until(() => client.replies()[0]?.complete === true, 'a reply');
    expect(client.replies()[0]?.status).toBe(200);
    expect(backend.requests().at(-1)?.bodyLength).toBe(64 * mebibyte.length);
    client.abort();
  });
});

async function slowly(count: number, beat: () => void): Promise<void> {
  for (let done = 0; done < count; done++) {
    beat();
    await delay(beatMs);
  }
}

/** Answers with as many mebibytes as the other side takes. */
function flood(socket: Socket, mebibytes: number): void {
  socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${mebibytes * mebibyte.length}\r\nConnection: close\r\n\r\n`);
  let left = mebibytes;
  const pump = (): void => {
    while (left > 0 && socket.writable) {
      left--;
      if (!socket.write(mebibyte)) return;
    }
    socket.end();
  };
  socket.on('drain', pump);
  pump();
}

/** Resolves once the number has stopped growing: nothing tells that a buffer is full. */
async function unchanged(read: () => number): Promise<void> {
  let before = -1;
  let same = 0;
  while (same < 4) {
    same = read() === before ? same + 1 : 0;
    before = read();
    await delay(beatMs / 2);
  }
}
