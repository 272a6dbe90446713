/** Clients that leave, and bytes behind a request or instead of one. */
import { once } from 'node:events';
import { type IncomingMessage, type ServerResponse, createServer } from 'node:http';
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { parseRoute } from '../../src/distribution/route.ts';
import { beginExchange } from '../../src/http/front/exchange.ts';
import { readManifestBody } from '../../src/http/front/manifest-body.ts';
import { createMemoryBudget } from '../../src/limits/memory-budget.ts';
import { eventually } from '../support/eventually.ts';
import { backendAt } from '../support/backend.ts';
import { ok } from '../support/stand-in.ts';
import { type RawClient, converse, headerOf, openClient } from './support/client.ts';
import { startTestGateway } from '../support/gateway.ts';
import {
  backend,
  patient,
  blob,
  session,
  head,
  mebibyte,
  nothingLeft,
  begin,
  silence,
  beginning,
  opened,
  useGateways,
} from './support/gateways.ts';

useGateways();

const formHead = 'POST /token HTTP/1.1\r\nHost: r\r\nContent-Type: application/x-www-form-urlencoded\r\n';
/** Token requests whose form never comes. They run beside the other tests, because their limit is ten seconds. */
const emptyForms: readonly (readonly [how: string, bytes: string])[] = [
  ['with a length', `${formHead}Content-Length: 99\r\n\r\ngrant_type=`],
  ['in chunks', `${formHead}Transfer-Encoding: chunked\r\n\r\n5\r\ngrant\r\n`],
  ['after 100-continue', `${formHead}Content-Length: 99\r\nExpect: 100-continue\r\n\r\n`],
];
const waiting: RawClient[] = [];

beforeAll(async () => {
  for (const [, bytes] of emptyForms) {
    const client = await openClient(patient.port);
    client.send(bytes);
    waiting.push(client);
  }
});

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

describe('a token request whose form never comes', () => {
  for (const [index, [how]] of emptyForms.entries()) {
    test(`does not hold its connection for ever (${how})`, async () => {
      const client = waiting[index];
      await client?.until(() => client.ended() !== undefined, 'the end');
      expect(client?.replies().every(({ status }) => status === 100)).toBe(true);
    });
  }
});
