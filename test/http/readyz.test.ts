/** What `/readyz` and `/livez` say when something is not well: only what leaving the balancer would help takes a replica out. */
import { writeFile } from 'node:fs/promises';
import { type ServerResponse, createServer } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { makeCertificate } from '../support/certificate.ts';
import { eventually } from '../support/eventually.ts';
import { freePort } from '../support/free-port.mjs';
import { requirePrograms } from '../support/programs.ts';
import { makeTempDir, removeTempDir } from '../support/temp-dir.ts';
import { type Front, type FrontOptions, credentials, startFront } from './support/front.ts';

const rules = `rules: [{ name: open, subjects: [everyone], repositories: ['open/**'], actions: [pull] }]\n`;

async function start(options: Partial<FrontOptions> = {}): Promise<Front> {
  const front = await startFront({ rules, ...options });
  onTestFinished(() => front.close());
  return front;
}

interface Seen {
  readonly status: number;
  readonly text: string;
}
async function seen(front: Front, path: string): Promise<Seen> {
  const reply = await fetch(front.adminUrl + path);
  return { status: reply.status, text: await reply.text() };
}

/** In service, and says that this is not well; only who asks strictly is told to leave. */
async function isDegraded(front: Front, line: RegExp): Promise<void> {
  await eventually('it is degraded', async () => line.test((await seen(front, '/readyz')).text));
  const plain = await seen(front, '/readyz');
  expect(plain).toEqual({ status: 200, text: expect.stringMatching(/\ndegraded\n$/) });
  expect(await seen(front, '/readyz?verbose')).toEqual(plain);
  expect(await seen(front, '/readyz?strict')).toEqual({ ...plain, status: 503 });
  expect(await seen(front, '/livez')).toEqual({ status: 200, text: 'ok\n' });
}

describe('a replica stays in service, degraded,', () => {
  test('without a registry: clients are told so in JSON, and tokens are given', async () => {
    const front = await start({ upstream: `http://127.0.0.1:${await freePort()}` });
    await isDegraded(front, /^\[~\] upstream degraded: /m);
    expect((await seen(front, '/metrics')).text).toContain('portcullis_upstream_up{upstream="main"} 0\n');
    const authorization = `Bearer ${await front.token('dana', 'repository:open/app:pull')}`;
    const reply = await fetch(`${front.url}/v2/open/app/manifests/v1`, { headers: { authorization } });
    expect([reply.status, await reply.json()]).toMatchObject([502, { errors: [{ code: 'UNAVAILABLE' }] }]);
  });

  test('without a store', async () => {
    const front = await start({ env: { PORTCULLIS_REDIS: `redis://127.0.0.1:${await freePort()}/0` } });
    await isDegraded(front, /^\[~\] store degraded: /m);
  });

  test('with the newest policy refused', async () => {
    const front = await start();
    await front.setPolicy('rulez: []\n');
    await isDegraded(front, /^\[~\] policy degraded: /m);
  });

  test('with a key that cannot be used', async () => {
    const front = await start();
    await writeFile(join(front.stateDir, 'keys', '20990101T000000000Z.pem'), 'no key', { mode: 0o600 });
    await isDegraded(front, /^\[~\] keys degraded: /m);
  });

  test('with a certificate that cannot be used, and still shows when the last good one ends', async (context) => {
    requirePrograms(context, ['openssl']);
    const dir = await makeTempDir('tls');
    onTestFinished(() => removeTempDir(dir));
    const [cert, key] = [join(dir, 'tls.crt'), join(dir, 'tls.key')];
    await makeCertificate(cert, key);
    const front = await start({ env: { PORTCULLIS_TLS_CERT: cert, PORTCULLIS_TLS_KEY: key } });
    await writeFile(cert, 'no certificate');
    await isDegraded(front, /^\[~\] certificate degraded: /m);
    const { text } = await seen(front, '/metrics');
    const ends = Number(/^portcullis_certificate_not_after_seconds (\S+)$/m.exec(text)?.[1]);
    expect(Math.abs(ends - Date.now() / 1000 - 2 * 86_400)).toBeLessThan(600);
  });
});

test('a replica that drains leaves, and lives', async () => {
  let answer: ServerResponse | undefined;
  const registry = createServer((request, response) => {
    if (request.url === '/v2/') response.end('{}');
    else answer = response;
  }).listen(0, '127.0.0.1');
  onTestFinished(() => void registry.close());
  await once(registry, 'listening');
  const front = await startFront({ rules, upstream: `http://127.0.0.1:${(registry.address() as AddressInfo).port}` });
  const blob = `/v2/open/app/blobs/sha256:${'0'.repeat(64)}`;
  const asked = fetch(front.url + blob, { headers: { authorization: `Basic ${credentials('dana')}` } });
  await eventually('it is on its way', () => answer !== undefined);
  const closed = front.close();
  await eventually('it drains', async () => (await seen(front, '/readyz')).status === 503);
  expect(await seen(front, '/readyz')).toEqual({
    status: 503,
    text: expect.stringMatching(/^\[-\] serving failed: .*\nnot ready\n$/s),
  });
  expect((await seen(front, '/readyz?strict')).status).toBe(503);
  expect(await seen(front, '/livez')).toEqual({ status: 200, text: 'ok\n' });
  answer?.end('content');
  expect((await asked).status).toBe(200);
  await closed;
});
