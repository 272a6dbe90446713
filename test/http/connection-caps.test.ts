import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { type Server, createServer } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { type AddressInfo, type Socket, connect } from 'node:net';
import { platform } from 'node:os';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import { beforeEach, expect, onTestFinished, test } from 'vitest';
import { capConnections } from '../../src/http/front/connection-caps.ts';
import { followConnections } from '../../src/http/front/connections.ts';
import type { ConnectionBounds } from '../../src/limits/connection-shares.ts';
import { makeCertificate } from '../support/certificate.ts';
import { eventually } from '../support/eventually.ts';
import { startGatewayProcess } from '../support/gateway.ts';
import { requirePrograms } from '../support/programs.ts';
import { makeTempDir, removeTempDir } from '../support/temp-dir.ts';

beforeEach((context) => context.skip(platform() !== 'linux', 'only Linux answers on all of 127.0.0.0/8'));

const policy = "rules: [{ name: open, subjects: [everyone], repositories: ['open/**'], actions: [pull] }]\n";
let now = 0;
const clock = (): number => now;

interface Capped {
  readonly port: number;
  /** Addresses of which it was said that they hold too many. */
  readonly said: readonly (string | undefined)[];
}

/** A server that never ends its answer to /lasting, and for which 127.48.<site>.<network> is an IPv6 address. */
async function capped(
  bounds: ConnectionBounds,
  trustedProxies: readonly string[] = [],
  server?: Server,
): Promise<Capped> {
  const said: (string | undefined)[] = [];
  const listening = server ?? createServer();
  listening.prependListener('connection', (socket: Socket) => {
    const [, site, host] = /^127\.48\.(\d+)\.(\d+)$/.exec(socket.remoteAddress ?? '') ?? [];
    if (site !== undefined) Object.defineProperty(socket, 'remoteAddress', { value: `2001:db8:${site}:${host}::1` });
  });
  const caps = capConnections(listening, {
    bounds,
    trustedProxies,
    onExceeded: (socket) => said.push(socket.remoteAddress),
    clock,
  });
  const connections = followConnections(listening, caps);
  listening.on('request', ({ url, socket }, response) => {
    connections.take(socket, response, () => {
      response.setHeader('Content-Length', 2);
      if (url === '/lasting') response.write('o');
      else response.end('ok');
    });
  });
  listening.listen(0, '127.0.0.1');
  await once(listening, 'listening');
  onTestFinished(() => {
    listening.closeAllConnections();
    listening.close();
  });
  return { port: (listening.address() as AddressInfo).port, said };
}

interface Client {
  readonly socket: Socket;
  readonly ended: Promise<unknown>;
  readonly isOpen: () => boolean;
  /** Resolves with the first bytes of the answer, or undefined when there is none. */
  readonly ask: (path: string) => Promise<string | undefined>;
}

function clientOf(socket: Socket): Client {
  let isOpen = true;
  socket.on('error', () => {});
  const ended = new Promise((resolve) => socket.once('close', resolve)).then(() => (isOpen = false));
  onTestFinished(() => void socket.destroy());
  return {
    socket,
    ended,
    isOpen: () => isOpen,
    async ask(path) {
      const answer = new Promise<string>((resolve) => socket.once('data', (data: Buffer) => resolve(data.toString())));
      socket.write(`GET ${path} HTTP/1.1\r\nHost: r\r\n\r\n`);
      return Promise.race([answer, ended.then(() => undefined)]);
    },
  };
}

const from = (port: number, localAddress: string): Client =>
  clientOf(connect({ port, host: '127.0.0.1', localAddress }).resume());

const ok = expect.stringContaining('200 OK');

/** One after the other, each with its answer. */
async function open(port: number, address: string, paths: readonly string[]): Promise<readonly Client[]> {
  const clients: Client[] = [];
  for (const path of paths) {
    const client = from(port, address);
    expect(await client.ask(path)).toEqual(ok);
    clients.push(client);
  }
  return clients;
}

test('one address holds its share: what comes beyond it ends at once and is said once a second, others get through', async () => {
  const { port, said } = await capped({ each: 3, site: 3, descriptors: 20 });
  const kept = await open(port, '127.0.0.2', ['/', '/', '/lasting']);
  for (let count = 0; count < 4; count++) await from(port, '127.0.0.2').ended;
  expect(said).toEqual(['127.0.0.2']);
  await open(port, '127.0.0.3', ['/', '/', '/']);
  await from(port, '127.0.0.3').ended;
  now += 1000;
  await from(port, '127.0.0.2').ended;
  expect(said).toEqual(['127.0.0.2', '127.0.0.3', '127.0.0.2']);
  expect(kept.map((client) => client.isOpen())).toEqual([true, true, true]);

  kept[0]?.socket.destroy();
  await eventually('its place is free', async () => (await from(port, '127.0.0.2').ask('/')) !== undefined);
});

test('when descriptors run low, idle kept connections of the largest holder end before anything that is under way', async () => {
  const { port, said } = await capped({ each: 4, site: 4, descriptors: 7 });
  const crowd = await open(port, '127.0.0.2', ['/lasting', '/', '/', '/lasting']);
  now += 1000;
  const newcomers = await open(port, '127.0.0.3', ['/']);
  await crowd[1]?.ended;
  expect([...crowd, ...newcomers].map((client) => client.isOpen())).toEqual([true, false, true, true, true]);
  expect(said).toEqual([]);
});

test('when all are busy, the newest request of the largest holder is cut for a newcomer, and that is said', async () => {
  const { port, said } = await capped({ each: 3, site: 3, descriptors: 6 });
  const crowd = await open(port, '127.0.0.2', ['/lasting', '/lasting', '/lasting']);
  await open(port, '127.0.0.3', ['/']);
  await crowd[2]?.ended;
  expect(crowd.map((client) => client.isOpen())).toEqual([true, true, false]);
  expect(said).toEqual(['127.0.0.2']);
});

test('the networks of one /48 hold a share together, which is said once a second; other sites get through', async () => {
  const { port, said } = await capped({ each: 3, site: 4, descriptors: 20 });
  const crowd = await Promise.all([1, 2, 3, 4].map(async (n) => (await open(port, `127.48.1.${n}`, ['/lasting']))[0]));
  for (const n of [5, 6, 7]) await from(port, `127.48.1.${n}`).ended;
  expect(said).toEqual(['2001:db8:1:5::1']);
  await open(port, '127.48.2.1', ['/', '/']);
  await open(port, '127.0.0.3', ['/']);
  expect(crowd.map((client) => client?.isOpen())).toEqual([true, true, true, true]);
});

test('a /48 whose networks hold every descriptor, one connection each, makes room for a newcomer of another site', async () => {
  const { port, said } = await capped({ each: 2, site: 4, descriptors: 8 });
  const crowd: Client[] = [];
  for (const n of [1, 2, 3, 4]) crowd.push(...(await open(port, `127.48.1.${n}`, ['/lasting'])));
  await open(port, '127.0.0.3', ['/lasting']);
  expect(crowd.filter((client) => client.isOpen())).toHaveLength(3);
  await open(port, '127.48.2.1', ['/lasting']);
  expect(crowd.filter((client) => client.isOpen())).toHaveLength(2);
  expect(said).toEqual([expect.stringMatching(/^2001:db8:1:/)]);
});

test('a trusted proxy has as many connections as there are', async () => {
  const { port, said } = await capped({ each: 1, site: 1, descriptors: 50 }, ['127.0.0.2/32']);
  const proxy = await open(port, '127.0.0.2', Array<string>(8).fill('/lasting'));
  await open(port, '127.0.0.3', ['/']);
  await from(port, '127.0.0.3').ended;
  expect([said, proxy.every((client) => client.isOpen())]).toEqual([['127.0.0.3'], true]);
});

test('with TLS a handshake counts, and what ends gives its place back', async (context) => {
  requirePrograms(context, ['openssl']);
  const dir = await makeTempDir('caps');
  onTestFinished(() => removeTempDir(dir));
  const [keyFile, certFile] = [join(dir, 'key.pem'), join(dir, 'cert.pem')];
  await makeCertificate(certFile, keyFile);
  const server = createTlsServer({ key: await readFile(keyFile), cert: await readFile(certFile) });
  const { port, said } = await capped({ each: 3, site: 3, descriptors: 6 }, [], server);
  const secure = (localAddress: string): Client =>
    clientOf(connectTls({ socket: from(port, localAddress).socket, rejectUnauthorized: false }));

  const accepted = once(server, 'connection');
  const silent = from(port, '127.0.0.2');
  await accepted;
  const [kept, lasting] = [secure('127.0.0.2'), secure('127.0.0.2')];
  expect([await kept.ask('/'), await lasting.ask('/lasting')]).toEqual([ok, ok]);
  await secure('127.0.0.2').ended;
  expect(said).toEqual(['127.0.0.2']);
  kept.socket.destroy();
  await eventually('its place is free', async () => (await secure('127.0.0.2').ask('/lasting')) !== undefined);
  // One handshake that says nothing and two requests under way leave one descriptor: a newcomer comes, and asks.
  now += 1000;
  expect(await secure('127.0.0.3').ask('/')).toEqual(ok);
  await silent.ended;
  expect(lasting.isOpen()).toBe(true);
});

test('the built program holds the door open at 256 descriptors and names the address in its log', async () => {
  const gateway = await startGatewayProcess({
    upstream: 'http://127.0.0.1:9',
    policies: { 'policy.yaml': policy },
    openFiles: 256,
  });
  onTestFinished(async () => void (await gateway.stop()));
  const port = Number(new URL(gateway.url).port);
  const crowd = Array.from({ length: 400 }, () => from(port, '127.0.0.2'));
  const ended = new Promise<void>((resolve) => {
    let left = crowd.length - 64;
    for (const client of crowd) void client.ended.then(() => --left === 0 && resolve());
  });
  await ended;
  expect(await from(port, '127.0.0.9').ask('/v2/')).toEqual(expect.stringContaining('401 Unauthorized'));
  const record = await gateway.findLog(({ reason }) => reason === 'connections_exceeded');
  expect(record).toMatchObject({ event: 'access', decision: 'deny', address: '127.0.0.2' });
  expect(record).not.toHaveProperty('status');
});
