import { spawn } from 'node:child_process';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { once } from 'node:events';
import { type IncomingMessage, type Server, type ServerResponse, createServer } from 'node:http';
import { type Socket, connect } from 'node:net';
import { platform } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterAll, afterEach, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { parseRoute } from '../../src/distribution/route.ts';
import { beginExchange } from '../../src/http/front/exchange.ts';
import { readManifestBody } from '../../src/http/front/manifest-body.ts';
import { createMemoryBudget } from '../../src/limits/memory-budget.ts';
import { eventually } from '../support/eventually.ts';
import { freePort } from '../support/free-port.ts';
import { waited } from '../support/loop-time.ts';
import { backendAt } from '../support/backend.ts';
import { type RawRegistry, type Script, ok, startRawRegistry } from '../support/stand-in.ts';
import { type RawClient, converse, headerOf, openClient } from './support/client.ts';
import { type TestGateway, basic, startTestGateway } from '../support/gateway.ts';

const manifest = '/v2/mine/app/manifests/v1';
const blob = `/v2/mine/app/blobs/sha256:${'a'.repeat(64)}`;
const session = '/v2/mine/app/blobs/uploads/1';
const head = (line: string, lines = ''): string =>
  `${line} HTTP/1.1\r\nHost: r\r\nUser-Agent: x\r\nAuthorization: Basic ${basic}\r\n${lines}\r\n`;
const mebibyte = Buffer.alloc(1_048_576, 'x');

const formHead = 'POST /token HTTP/1.1\r\nHost: r\r\nContent-Type: application/x-www-form-urlencoded\r\n';
/** Token requests whose form never comes. They run beside the other tests, because their limit is ten seconds. */
const emptyForms: readonly (readonly [how: string, bytes: string])[] = [
  ['with a length', `${formHead}Content-Length: 99\r\n\r\ngrant_type=`],
  ['in chunks', `${formHead}Transfer-Encoding: chunked\r\n\r\n5\r\ngrant\r\n`],
  ['after 100-continue', `${formHead}Content-Length: 99\r\nExpect: 100-continue\r\n\r\n`],
];
const waiting: RawClient[] = [];

/** Waits between bytes are as long as this; the limits of the gateway below are a multiple of it. */
const beatMs = 150;

let backend: RawRegistry;
/** Limits far beyond the test: whatever ends here was ended by somebody. */
let patient: TestGateway;
/** Limits of a few beats. */
let strict: TestGateway;

beforeAll(async () => {
  backend = await startRawRegistry();
  const long = 60_000;
  [patient, strict] = await Promise.all([
    startTestGateway(backend.url, { idleMs: long, responseMs: long }),
    startTestGateway(backend.url),
  ]);
  for (const [, bytes] of emptyForms) {
    const client = await openClient(patient.port);
    client.send(bytes);
    waiting.push(client);
  }
});

afterAll(async () => {
  await Promise.all([patient.close(), strict.close()]);
  await backend.close();
});

afterEach(async () => {
  await nothingLeft();
  backend.answer({ onRequest: ok });
  for (const gateway of [patient, strict]) {
    const [next] = await converse(gateway.port, head(`GET ${manifest}`, 'Connection: close\r\n'));
    expect(next?.status).toBe(200);
    expect(gateway.errors).toEqual([]);
  }
});

async function nothingLeft(): Promise<void> {
  await backend.until(() => backend.openSockets() === 0, 'no connection to the registry was left');
  for (const gateway of [patient, strict]) expect(await gateway.inFlight()).toBe(0);
}

/** Starts `count` requests and waits until the registry has all of them. */
async function begin(gateway: TestGateway, count: number, bytes: string): Promise<readonly RawClient[]> {
  const before = backend.connections();
  const clients = await Promise.all(Array.from({ length: count }, () => openClient(gateway.port)));
  clients.forEach((client) => client.send(bytes));
  await backend.until(() => backend.connections() === before + count, `${count} requests arrived`);
  return clients;
}

const silence: Script = () => {};
const beginning: Script = (_request, socket) =>
  void socket.write('HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\npart');

describe('clients that leave', () => {
  test('twenty that leave a download take its connections with them', async () => {
    backend.answer({ onRequest: beginning });
    const clients = await begin(patient, 20, head(`GET ${blob}`));
    await Promise.all(clients.map((client) => client.until(() => client.received().length > 0, 'content')));
    expect(backend.openSockets()).toBe(20);
    clients.forEach((client) => client.abort());
    await nothingLeft();
    expect(patient.records.slice(-20).map(({ reason }) => reason)).toEqual(Array(20).fill('client_gone'));
  });

  test('twenty that leave an upload take its connections with them', async () => {
    backend.answer({ onRequest: ok });
    const clients = await begin(patient, 20, `${head(`PATCH ${session}`, 'Content-Length: 1000\r\n')}part`);
    const before = backend.requests().length;
    clients.forEach((client) => client.abort());
    await nothingLeft();
    expect(backend.requests().length, 'half an upload is never a whole one').toBe(before);
    expect(patient.records.slice(-20).map(({ reason }) => reason)).toEqual(Array(20).fill('client_gone'));
  });

  test('twenty that leave a chunked upload never finish it', async () => {
    const clients = await begin(
      patient,
      20,
      `${head(`PATCH ${session}`, 'Transfer-Encoding: chunked\r\n')}4\r\npart\r\n`,
    );
    const before = backend.requests().length;
    clients.forEach((client) => client.abort());
    await nothingLeft();
    expect(backend.requests().length).toBe(before);
  });

  test('whoever leaves after the last byte of an upload does not leave its connection behind', async () => {
    backend.answer({ onRequest: silence });
    const clients = await begin(patient, 5, `${head(`PUT ${session}`, 'Content-Length: 4\r\n')}part`);
    clients.forEach((client) => client.abort());
    await nothingLeft();
  });

  test('an orderly goodbye in the middle of a download counts as well', async () => {
    backend.answer({ onRequest: beginning });
    const clients = await begin(patient, 5, head(`GET ${blob}`));
    clients.forEach((client) => client.socket.end());
    await nothingLeft();
    clients.forEach((client) => client.abort());
  });

  test('whoever leaves before the decision leaves nothing behind', async () => {
    backend.answer({ onRequest: beginning });
    // Each token is new, so that its signature has to be checked: that takes longer than a goodbye.
    const tokens = await Promise.all(Array.from({ length: 20 }, () => patient.token('repository:mine/app:pull')));
    const before = patient.records.length;
    for (const token of tokens) {
      const client = await openClient(patient.port);
      client.socket.end(head(`GET ${blob}`).replace(/Basic .*/, `Bearer ${token}`));
    }
    await eventually('all are written down', () => patient.records.length === before + tokens.length);
    await nothingLeft();
    expect(patient.records.slice(before).map(({ reason }) => reason)).toEqual(Array(20).fill('client_gone'));
  });

  test('whoever left during the decision is not forwarded at all', async () => {
    const limits = { connectMs: 500, idleMs: 60_000, responseMs: 60_000 };
    const behind = backendAt(backend.url, limits);
    const parsed = parseRoute('GET', blob);
    if (!('route' in parsed)) throw new Error('no route');
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error('no address');
    const client = await openClient(address.port);
    client.send(head(`GET ${blob}`));
    const [request, response] = (await once(server, 'request')) as [IncomingMessage, ServerResponse];
    const begun = { publicUrl: 'http://r', trustedProxies: [], now: 0, expectsContinue: false };
    const exchange = beginExchange(request, response, begun);
    const before = backend.connections();
    client.abort();
    await once(response, 'close');
    expect(await behind.open({ exchange, route: parsed.route })).toMatchObject({ outcome: 'client_gone' });
    expect(behind.activeTransfers()).toBe(0);
    expect(backend.connections()).toBe(before);
    const pushed = await readManifestBody(exchange, {
      budget: createMemoryBudget({ total: 1, each: 1 }),
      account: 'dana',
      idleMs: limits.idleMs,
    });
    expect(pushed, 'nor is its manifest waited for').toEqual({ ok: false, reason: 'client_gone' });

    const seen = backend.requests().length;
    const late = await openClient(address.port);
    late.send(head(`GET ${blob}`));
    const [asked, answer] = (await once(server, 'request')) as [IncomingMessage, ServerResponse];
    const forwarding = behind.open({ exchange: beginExchange(asked, answer, begun), route: parsed.route });
    // Before the connection to the registry has begun.
    answer.emit('close');
    expect(await forwarding).toMatchObject({ outcome: 'client_gone' });
    late.abort();
    await converse(patient.port, head(`GET ${blob}`, 'Connection: close\r\n'));
    expect(backend.requests().length, 'only the later request arrived').toBe(seen + 1);
    behind.close();
    server.close();
  });

  test('the body of a request that opens an upload is not asked for, and does not outlive the answer', async () => {
    backend.answer({ onRequest: opened });
    const client = await openClient(patient.port);
    client.send(head(`POST ${session.replace('1', '')}`, 'Transfer-Encoding: chunked\r\n'));
    await client.until(() => client.replies()[0] !== undefined, 'the answer');
    const [reply] = client.replies();
    expect([reply?.status, headerOf(reply, 'connection')]).toEqual([202, 'close']);
    const beat = setInterval(() => client.socket.write(`100000\r\n${mebibyte.toString()}\r\n`), 20);
    await client.until(() => client.ended() !== undefined, 'the end');
    clearInterval(beat);
    client.abort();
  });

  test('nor does the limit on silence count for it while the registry thinks', async () => {
    const gateway = await startTestGateway(backend.url, { idleMs: 200, responseMs: 60_000 });
    onTestFinished(async () => void (await gateway.close()));
    backend.answer({ onRequest: (request, socket) => void setTimeout(() => opened(request, socket), 800) });
    const client = await openClient(gateway.port);
    client.send(head(`POST ${session.replace('1', '')}`, 'Content-Length: 100\r\nExpect: 100-continue\r\n'));
    await client.until(() => client.replies()[0] !== undefined, 'the answer');
    expect(client.replies().map(({ status }) => status)).toEqual([202]);
    client.abort();
  });

  test('the log says how many bytes of an upload came, not how many were promised', async () => {
    backend.answer({ onRequest: ok });
    await converse(
      patient.port,
      head(`PATCH ${session}`, 'Transfer-Encoding: chunked\r\nConnection: close\r\n') + '5\r\nlayer\r\n0\r\n\r\n',
    );
    expect(patient.records.at(-1)).toMatchObject({ status: 200, bytes: 5 });
    const client = await openClient(patient.port);
    client.send(`${head(`PATCH ${session}`, 'Content-Length: 1000000\r\n')}ten bytes.`);
    await backend.until(() => backend.lastBytes().endsWith('ten bytes.'), 'the first bytes arrived');
    client.abort();
    await nothingLeft();
    expect(patient.records.at(-1)).toMatchObject({ reason: 'client_gone', bytes: 10 });
  });

  test('requests sent ahead on a connection that ends are never begun', async () => {
    backend.answer({ onRequest: silence });
    const before = backend.requests().length;
    const [client] = await begin(patient, 1, head(`GET ${blob}`).repeat(8));
    client?.abort();
    await nothingLeft();
    expect(backend.requests().length).toBe(before + 1);
  });

  test('a connection on which too much is sent ahead is closed', async () => {
    backend.answer({ onRequest: silence });
    const [client] = await begin(patient, 1, head(`GET ${blob}`));
    client?.send(head(`GET ${blob}`).repeat(100));
    await client?.until(() => client.ended() !== undefined, 'the end');
    await nothingLeft();
  });
});

describe('garbage behind a request that is being answered', () => {
  const behind: readonly (readonly [string, string])[] = [
    ['garbage', 'garbage\r\n\r\n'],
    ['a request and garbage', `${head(`GET ${blob}`)}garbage\r\n\r\n`],
    ['CONNECT', head('CONNECT r:5000')],
    ['a request and CONNECT', head(`GET ${blob}`) + head('CONNECT r:5000')],
  ];
  for (const [what, bytes] of behind) {
    test(`${what} cuts the answer instead of writing into it`, async () => {
      backend.answer({ onRequest: beginning });
      const [client] = await begin(patient, 1, head(`GET ${blob}`));
      if (client === undefined) throw new Error('no client');
      await client.until(() => client.replies()[0]?.body.toString() === 'part', 'content');
      client.send(bytes);
      await client.until(() => client.ended() !== undefined, 'the end');
      expect(client.received().toString().endsWith('\r\n\r\npart')).toBe(true);
      expect(client.replies()[0]?.complete).toBe(false);
      await nothingLeft();
    });
  }

  test('an answer that only ends with its connection is reset, not ended', async () => {
    backend.answer({
      onRequest: (_request, socket) =>
        void socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\npart\r\n'),
    });
    const [client] = await begin(patient, 1, head(`GET ${blob}`).replace('HTTP/1.1', 'HTTP/1.0'));
    await client?.until(() => client.received().toString().endsWith('\r\n\r\npart'), 'content');
    client?.send('garbage\r\n\r\n');
    await client?.until(() => client.ended() !== undefined, 'the end');
    expect(client?.ended()).toBe('reset');
    await nothingLeft();
  });

  test('a chunk that cannot be read ends the upload, and what came before it is not a whole one', async () => {
    backend.answer({ onRequest: ok });
    const [client] = await begin(
      patient,
      1,
      `${head(`PATCH ${session}`, 'Transfer-Encoding: chunked\r\n')}4\r\npart\r\n`,
    );
    const before = backend.requests().length;
    client?.send('zz\r\n0\r\n\r\n');
    await client?.until(() => client.ended() !== undefined, 'the end');
    expect(client?.replies()[0]?.status).toBe(400);
    await nothingLeft();
    expect(backend.requests().length).toBe(before);
  });
});

describe('a registry that fails', () => {
  test('one that is down is a 502 within a second, with advice to come back', async () => {
    const gateway = await startTestGateway(`http://127.0.0.1:${await freePort()}`);
    for (const line of [`GET ${blob}`, `POST /v2/mine/app/blobs/uploads/`]) {
      const {
        value: [reply],
        ms,
      } = await waited(() => converse(gateway.port, head(line)));
      expect(ms).toBeLessThan(1000);
      expect(reply?.status).toBe(502);
      expect(headerOf(reply, 'retry-after')).toBe('5');
      expect(reply?.body.toString()).toContain('UNAVAILABLE');
    }
    await gateway.close();
  });

  test('one that does not take connections is a 504 after the connect limit', async () => {
    const registry = await startStoppableRegistry();
    const url = `http://127.0.0.1:${registry.port}`;
    const gateway = await startTestGateway(url, { connectMs: 200, idleMs: 60_000, responseMs: 60_000 });
    await registry.stop();
    const [reply] = await converse(gateway.port, head(`GET ${blob}`));
    expect(reply?.status).toBe(504);
    registry.close();
    await gateway.close();
  });

  for (const how of ['end', 'resetAndDestroy'] as const) {
    test(`a read that met a connection which was just given up is asked once more (${how})`, async () => {
      backend.answer({ onRequest: answeringOnce(how) });
      const before = backend.requests().length;
      for (let count = 0; count < 2; count++) {
        const [reply] = await converse(patient.port, head(`GET ${manifest}`));
        expect(reply?.status).toBe(200);
      }
      const connections = backend
        .requests()
        .slice(before)
        .map(({ connection }) => connection);
      expect(connections).toHaveLength(3);
      expect(connections[0]).toBe(connections[1]);
      expect(connections[2]).not.toBe(connections[1]);
      backend.hangUp();
    });
  }

  test('a read that met one of several such connections is not sent to another of them', async () => {
    const used = new Map<number, Socket>();
    backend.answer({
      onRequest(request, socket) {
        if (used.has(request.connection)) return void socket.end();
        used.set(request.connection, socket);
        if (used.size > 2) return ok(request, socket);
        // Both answers at once, so that neither request finds the connection of the other.
        if (used.size === 2)
          for (const each of used.values()) each.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
      },
    });
    await Promise.all([1, 2].map(() => converse(patient.port, head(`GET ${manifest}`))));
    const before = backend.requests().length;
    const [reply] = await converse(patient.port, head(`GET ${manifest}`));
    expect(reply?.status).toBe(200);
    expect(backend.requests().length).toBe(before + 2);
    backend.hangUp();
  });

  test('a read whose answer on a kept connection is garbage is not asked again', async () => {
    const used = new Set<number>();
    backend.answer({
      onRequest({ connection }, socket) {
        const isAgain = used.has(connection);
        used.add(connection);
        socket.write(isAgain ? 'garbage\r\n\r\n' : 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
      },
    });
    await converse(patient.port, head(`GET ${manifest}`));
    const before = backend.requests().length;
    const [reply] = await converse(patient.port, head(`GET ${manifest}`));
    expect(reply?.status).toBe(502);
    expect(backend.requests().length).toBe(before + 1);
    backend.hangUp();
  });

  test('a read is asked once more at most', async () => {
    backend.answer({ onRequest: answeringOnce('end') });
    await converse(patient.port, head(`GET ${manifest}`));
    const before = backend.requests().length;
    backend.answer({ onRequest: (_request, socket) => void socket.end() });
    const [reply] = await converse(patient.port, head(`GET ${manifest}`));
    expect(reply?.status).toBe(502);
    expect(backend.requests().length).toBe(before + 2);
  });

  test('a read on a new connection is not asked again', async () => {
    backend.answer({ onRequest: (_request, socket) => void socket.end() });
    const before = backend.requests().length;
    const [reply] = await converse(patient.port, head(`GET ${manifest}`));
    expect(reply?.status).toBe(502);
    expect(backend.requests().length).toBe(before + 1);
  });

  for (const [line, lines] of [
    ['POST /v2/mine/app/blobs/uploads/', 'Content-Length: 0\r\n'],
    [`PUT ${session}`, 'Content-Length: 0\r\n'],
    [`DELETE ${manifest}`, ''],
  ] as const) {
    test(`a ${line.split(' ', 1)[0]} is never sent twice, and never on a connection that was used before`, async () => {
      const keeping: Script = (_request, socket) => void socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
      backend.answer({ onRequest: keeping });
      await converse(patient.port, head(`GET ${manifest}`));
      await converse(patient.port, head(line, lines));
      const before = backend.requests().length;
      backend.answer({ onRequest: (_request, socket) => void socket.resetAndDestroy() });
      const [reply] = await converse(patient.port, head(line, lines));
      expect(reply?.status).toBe(502);
      const requests = backend.requests();
      expect(requests.length).toBe(before + 1);
      const earlier = requests.slice(0, before).map(({ connection }) => connection);
      expect(earlier).not.toContain(requests.at(-1)?.connection);
      backend.hangUp();
    });
  }
});

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

describe('a token request whose form never comes', () => {
  for (const [index, [how]] of emptyForms.entries()) {
    test(`does not hold its connection for ever (${how})`, async () => {
      const client = waiting[index];
      await client?.until(() => client.ended() !== undefined, 'the end');
      expect(client?.replies().every(({ status }) => status === 100)).toBe(true);
    });
  }
});

/** The first answer on a connection keeps it; whoever uses it again finds it given up. */
function answeringOnce(how: 'end' | 'resetAndDestroy'): Script {
  const used = new Set<number>();
  return ({ connection }, socket) => {
    if (used.has(connection)) socket[how]();
    else socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
    used.add(connection);
  };
}

async function slowly(count: number, beat: () => void): Promise<void> {
  for (let done = 0; done < count; done++) {
    beat();
    await delay(beatMs);
  }
}

/** Answers with as many mebibytes as the other side takes. */
const opened: Script = (_request, socket) =>
  void socket.write(`HTTP/1.1 202 Accepted\r\nLocation: ${session}\r\nContent-Length: 0\r\n\r\n`);

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

/** Memory in use, garbage not counted: when that is collected differs between versions of Node. */
function liveBytes(): number {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  collect();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
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

interface FullListener {
  readonly port: number;
  /** From now on connections are neither taken nor refused. */
  readonly stop: () => Promise<void>;
  readonly close: () => void;
}

/** A registry that can be stopped like a process in a debugger: its queue fills, and further connections wait. */
async function startStoppableRegistry(): Promise<FullListener> {
  const program =
    "require('http').createServer((_, r) => r.end()).listen({ port: 0, host: '127.0.0.1', backlog: 1 }, " +
    'function () { console.log(this.address().port) })';
  const child = spawn(process.execPath, ['-e', program], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [line] = (await once(child.stdout, 'data')) as [Buffer];
  const port = Number(line.toString());
  const waiting: Socket[] = [];
  return {
    port,
    async stop() {
      child.kill('SIGSTOP');
      for (let isFull = false; !isFull;) {
        const socket = connect(port, '127.0.0.1').on('error', () => {});
        waiting.push(socket);
        isFull = await Promise.race([once(socket, 'connect').then(() => false), delay(200, true)]);
      }
    },
    close() {
      child.kill('SIGKILL');
      waiting.forEach((socket) => socket.destroy());
    },
  };
}
