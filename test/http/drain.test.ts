import { createServer as createHttpServer } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { type AddressInfo, connect } from 'node:net';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import { afterEach, beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { followConnections } from '../../src/http/front/connections.ts';
import { type RawRegistry, startRawRegistry, startStandIn } from '../support/stand-in.ts';
import { type RawClient, headerOf, openClient } from '../hostile/support/client.ts';
import { type TestGateway, basic, startTestGateway } from '../support/gateway.ts';
import { makeCertificate } from '../support/certificate.ts';
import { waited } from '../support/loop-time.ts';
import { requirePrograms } from '../support/programs.ts';
import { makeTempDir, removeTempDir } from '../support/temp-dir.ts';

const blob = `/v2/mine/app/blobs/sha256:${'a'.repeat(64)}`;
const session = '/v2/mine/app/blobs/uploads/1';
const head = (line: string, lines = ''): string =>
  `${line} HTTP/1.1\r\nHost: r\r\nUser-Agent: x\r\nAuthorization: Basic ${basic}\r\n${lines}\r\n`;
const long = { idleMs: 60_000, responseMs: 60_000, drainMs: 60_000 };

let backend: RawRegistry;
beforeEach(async () => void (backend = await startRawRegistry()));
afterEach(() => backend.close());

/** An upload of which the registry has the beginning. */
async function beginUpload(gateway: TestGateway): Promise<RawClient> {
  const before = backend.connections();
  const client = await openClient(gateway.port);
  client.send(`${head(`PATCH ${session}`, 'Content-Length: 8\r\n')}part`);
  await backend.until(() => backend.connections() === before + 1, 'the upload arrived');
  return client;
}

async function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => resolve(true)).on('error', () => resolve(false));
    onTestFinished(() => void socket.destroy());
  });
}

describe('a stop that was asked for', () => {
  test('is on the readiness page at once, and the listener takes nothing new', async () => {
    const gateway = await startTestGateway(backend.url, long);
    const upload = await beginUpload(gateway);
    const closed = gateway.close();
    const ready = await fetch(`${gateway.adminUrl}/readyz`);
    expect([ready.status, await ready.text()]).toEqual([503, expect.stringContaining('shutting down')]);
    expect(await accepts(gateway.port)).toBe(false);
    upload.send('rest');
    expect(await closed).toEqual({ clean: true });
  });

  test('ends the connection with the answer to what was already under way', async () => {
    const gateway = await startTestGateway(backend.url, long);
    const upload = await beginUpload(gateway);
    const closed = gateway.close();
    upload.send('rest');
    await upload.until(() => upload.ended() !== undefined, 'the end');
    const [reply] = upload.replies();
    expect([reply?.status, reply?.complete, headerOf(reply, 'connection')]).toEqual([200, true, 'close']);
    expect(upload.ended()).toBe('orderly');
    expect(await closed).toEqual({ clean: true });
    expect(backend.requests().at(-1)?.bodyLength).toBe(8);
  });

  test('with time to leave still serves what comes, and ends each connection with its answer', async () => {
    const gateway = await startTestGateway(backend.url, { ...long, leaveMs: 60_000, drainMs: 700 });
    const earlier = await openClient(gateway.port);
    earlier.send(head(`GET ${blob}`));
    await earlier.until(() => earlier.replies()[0]?.complete === true, 'a reply');
    expect(headerOf(earlier.replies()[0], 'connection')).toBe('keep-alive');
    const closed = gateway.close();
    expect((await fetch(`${gateway.adminUrl}/readyz`)).status).toBe(503);
    const clients = [earlier, await openClient(gateway.port)];
    for (const [line, client] of [
      [`GET ${blob}`, earlier],
      ['GET /nothing', clients[1]],
    ] as const) {
      client?.send(head(line));
      await client?.until(() => client.ended() !== undefined, 'the end');
      const reply = client?.replies().at(-1);
      expect([reply?.complete, headerOf(reply, 'connection')]).toEqual([true, 'close']);
    }
    await closed;
  });

  test('does not wait for connections that ask nothing: silent ones, kept ones, half a header', async () => {
    const gateway = await startTestGateway(backend.url, long);
    const silent = await openClient(gateway.port);
    const kept = await openClient(gateway.port);
    kept.send(head(`GET ${blob}`));
    await kept.until(() => kept.replies()[0]?.complete === true, 'a reply');
    const slow = await openClient(gateway.port);
    slow.send('GET /v2/ HTTP/1.1\r\nHost:');
    // Answered on the same loop, so the half has been read when this is.
    await fetch(`${gateway.adminUrl}/livez`);
    expect(await gateway.close()).toEqual({ clean: true });
    for (const client of [silent, kept, slow]) await client.until(() => client.ended() !== undefined, 'the end');
  });

  test('lets a header that is still coming arrive, and answers it', async () => {
    const gateway = await startTestGateway(backend.url, long);
    const upload = await beginUpload(gateway);
    const client = await openClient(gateway.port);
    const bytes = head(`GET ${blob}`);
    client.send(bytes.slice(0, 30));
    // As above.
    await fetch(`${gateway.adminUrl}/livez`);
    const closed = gateway.close();
    client.send(bytes.slice(30));
    await client.until(() => client.ended() !== undefined, 'the end');
    expect([client.replies()[0]?.status, headerOf(client.replies()[0], 'connection')]).toEqual([200, 'close']);
    upload.send('rest');
    expect(await closed).toEqual({ clean: true });
  });

  test('cuts at the deadline what has not ended, visibly, and says so', async () => {
    const gateway = await startTestGateway(backend.url, { ...long, drainMs: 300 });
    const upload = await beginUpload(gateway);
    backend.answer({
      onRequest: (_request, socket) =>
        void socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\npart\r\n'),
    });
    // Nothing frames this content: an orderly end would make it look complete.
    const download = await openClient(gateway.port);
    download.send(head(`GET ${blob}`).replace('HTTP/1.1', 'HTTP/1.0'));
    await download.until(() => download.received().toString().endsWith('part'), 'content');
    expect(await gateway.close()).toEqual({ clean: false });
    for (const client of [upload, download]) await client.until(() => client.ended() !== undefined, 'the end');
    expect([upload.ended(), download.ended()]).toEqual(['reset', 'reset']);
    expect(gateway.records.slice(-2).map(({ reason }) => reason)).toEqual(['gateway_stopped', 'gateway_stopped']);
  });

  test('counts a manifest that was still arriving as cut', async () => {
    const gateway = await startTestGateway(backend.url, { ...long, drainMs: 300 });
    const client = await openClient(gateway.port);
    client.send(head('PUT /v2/mine/app/manifests/v1', 'Content-Length: 8\r\nExpect: 100-continue\r\n'));
    await client.until(() => client.replies()[0]?.status === 100, '100 Continue');
    expect(await gateway.close()).toEqual({ clean: false });
    await client.until(() => client.ended() === 'reset', 'the end');
  });
});

test('connections of TLS that never said a word are ended, before the handshake and after it', async (context) => {
  requirePrograms(context, ['openssl']);
  const dir = await makeTempDir('drain');
  onTestFinished(() => removeTempDir(dir));
  const [keyFile, certFile] = [join(dir, 'key.pem'), join(dir, 'cert.pem')];
  await makeCertificate(certFile, keyFile);
  const server = createTlsServer({ key: await readFile(keyFile), cert: await readFile(certFile) });
  const connections = followConnections(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const secure = connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false }).on('error', () => {});
  const raw = await openClient(port);
  await Promise.all([
    new Promise((resolve) => server.once('secureConnection', resolve)),
    new Promise((resolve) => secure.once('secureConnect', resolve)),
  ]);
  const ended = new Promise((resolve) => secure.once('close', resolve));
  const closed = new Promise((resolve) => server.close(resolve));
  connections.endUnused();
  secure.resume();
  await Promise.all([ended, closed, raw.until(() => raw.ended() !== undefined, 'the end')]);
});

test('headers that come byte by byte hold a stop no longer than a request may take for them', async () => {
  const server = createHttpServer({ headersTimeout: 300 });
  const connections = followConnections(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const client = await openClient((server.address() as AddressInfo).port);
  client.send('GET /v2/ HTTP/1.1\r\nX: ');
  const beat = setInterval(() => client.send('x'), 10);
  const sweep = setInterval(() => connections.endUnused(), 50);
  const closed = new Promise((resolve) => server.close(resolve));
  await closed;
  clearInterval(beat);
  clearInterval(sweep);
  client.abort();
});

describe('an answer before the body', () => {
  const length = 8 * 1_048_576;
  test.each([
    ['of the registry', 404, head(`PATCH ${session}`, `Content-Length: ${length}\r\n`)],
    ['of the gateway', 401, `PATCH ${session} HTTP/1.1\r\nHost: r\r\nContent-Length: ${length}\r\n\r\n`],
  ])('%s resets nobody who writes all before reading', async (_whose, status, begin) => {
    const gateway = await startTestGateway(backend.url, long);
    backend.answer({
      onHead: (_request, socket) => void socket.write('HTTP/1.1 404 X\r\nContent-Length: 2\r\n\r\n{}'),
    });
    const client = await openClient(gateway.port);
    client.send(`${begin}x`);
    await client.until(() => client.replies()[0]?.complete === true, 'the answer');
    client.send(Buffer.alloc(length - 1));
    await client.until(() => client.socket.closed, 'the end of both directions');
    expect([client.replies()[0]?.status, client.ended()]).toEqual([status, 'orderly']);
    await gateway.close();
  });
});

describe('the start', () => {
  test('does not wait for a registry that takes connections and says nothing', async () => {
    const silent = await startStandIn(() => {});
    onTestFinished(() => silent.close());
    const { value: gateway, ms } = await waited(() => startTestGateway(silent.url));
    expect(ms).toBeLessThan(4_000);
    const ready = await fetch(`${gateway.adminUrl}/readyz`);
    expect([ready.status, await ready.text()]).toEqual([200, expect.stringContaining('no answer within 2000 ms')]);
    await gateway.close();
  });
});
