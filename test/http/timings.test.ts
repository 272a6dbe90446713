/** What `/metrics` says of answers: how long they took, how they ended, how much moved. */
import { once } from 'node:events';
import { type Server, type ServerResponse, createServer, get } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { type Front, credentials, service, startFront } from './support/front.ts';

const rules = `
rules:
  - { name: share, subjects: ['group:devs'], repositories: ['sandbox/**'], actions: [pull, push] }
limits:
  - { name: pushes, subjects: [authenticated], count: push, per: account, rate: 1/1h }
`;
const digest = `sha256:${'0123456789abcdef'.repeat(4)}`;
const manifest = { 'content-type': 'application/vnd.oci.image.manifest.v1+json' };
const authorization = `Basic ${credentials('dana')}`;

let front: Front;
let registry: Server | undefined;
afterEach(async () => {
  await front.close();
  registry?.closeAllConnections();
  registry?.close();
  registry = undefined;
});

async function metrics(): Promise<string> {
  return (await fetch(`${front.adminUrl}/metrics`)).text();
}

/** Waits for it: an answer counts when its last byte has left. */
async function counts(series: string, expected: number): Promise<void> {
  await eventually(`${series} is ${expected}`, async () => (await metrics()).includes(`\n${series} ${expected}\n`));
}

async function ask(path: string, init: RequestInit = {}): Promise<number> {
  const reply = await fetch(front.url + path, { ...init, headers: { authorization, ...init.headers } });
  await reply.arrayBuffer();
  return reply.status;
}

/** Answers each request for a blob in this way, everything else with an empty object. */
async function startWith(blob: (response: ServerResponse) => void): Promise<void> {
  registry = createServer((request, response) => {
    if (request.url?.includes('/blobs/') === true) blob(response);
    else response.end('{}');
  }).listen(0, '127.0.0.1');
  await once(registry, 'listening');
  const { port } = registry.address() as AddressInfo;
  front = await startFront({ rules, upstream: `http://127.0.0.1:${port}` });
}

const answered = (route: string, outcome: string): readonly string[] => [
  `portcullis_http_first_byte_seconds_count{route="${route}",outcome="${outcome}"}`,
  `portcullis_http_request_duration_seconds_count{route="${route}",outcome="${outcome}"}`,
];

describe('an answer is timed to its first and last byte, by route and by how it ended:', () => {
  test('a pull, a push, one too many, a refusal, nonsense, a token', async () => {
    front = await startFront({ rules });
    const put = { method: 'PUT', headers: manifest, body: '{"n":1}' };
    expect(await ask('/v2/sandbox/app/manifests/v1')).toBe(200);
    expect(await ask('/v2/sandbox/app/manifests/v1', put)).toBe(201);
    expect(await ask('/v2/sandbox/app/manifests/v1', put)).toBe(429);
    expect(await ask('/v2/other/app/tags/list')).toBe(403);
    expect(await ask('/nowhere')).toBe(404);
    expect(await ask(`/token?service=${service}`)).toBe(200);
    expect(await ask('/v2/')).toBe(200);
    const expected = [
      ['manifest', 'ok', 2],
      ['manifest', 'limited', 1],
      ['tags', 'refused', 1],
      ['other', 'client_error', 1],
      ['token', 'ok', 1],
      ['ping', 'ok', 1],
    ] as const;
    for (const [route, outcome, number] of expected)
      for (const series of answered(route, outcome)) await counts(series, number);
  });

  test('a registry that is not there', async () => {
    front = await startFront({ rules, upstream: 'http://127.0.0.1:1' });
    expect(await ask(`/v2/sandbox/app/blobs/${digest}`)).toBe(502);
    for (const series of answered('blob', 'failed')) await counts(series, 1);
  });

  test('a registry that breaks off, and a client that leaves', async () => {
    let isBroken = true;
    await startWith((response) => {
      response.writeHead(200, { 'Content-Length': 1_000_000 }).write(Buffer.alloc(100_000));
      if (isBroken) setImmediate(() => response.destroy());
    });
    await expect(ask(`/v2/sandbox/app/blobs/${digest}`)).rejects.toThrow();
    for (const series of answered('blob', 'failed')) await counts(series, 1);
    isBroken = false;
    const leaving = get(`${front.url}/v2/sandbox/app/blobs/${digest}`, { headers: { authorization } });
    leaving.on('error', () => {});
    leaving.on('response', (response) => response.once('data', () => leaving.destroy()).on('error', () => {}));
    for (const series of answered('blob', 'client_error')) await counts(series, 1);
    for (const series of answered('blob', 'failed')) await counts(series, 1);
  });

  test('a client that leaves before there is any answer has a duration and no first byte', async () => {
    await startWith(() => leaving.destroy());
    const leaving = get(`${front.url}/v2/sandbox/app/blobs/${digest}`, { headers: { authorization } });
    leaving.on('error', () => {});
    const [firstByte = '', duration = ''] = answered('blob', 'client_error');
    await counts(duration, 1);
    expect(await metrics()).not.toContain(firstByte);
  });
});

test('the registry is timed apart, under its name and the route, only for what reaches it', async () => {
  await startWith((response) => response.end('content'));
  for (let n = 0; n < 2; n++) await ask('/v2/sandbox/app/blobs/uploads/x');
  expect(await ask('/v2/other/app/blobs/uploads/x')).toBe(403);
  await counts(`portcullis_upstream_first_byte_seconds_count{upstream="main",route="upload"}`, 2);
});

test('bytes of content count by the way they went', async () => {
  front = await startFront({ rules });
  await ask('/v2/sandbox/app/manifests/v1', { method: 'PUT', headers: manifest, body: '{"n":12345}' });
  await counts('portcullis_transfer_bytes_total{direction="in"}', 11);
  const reply = await fetch(`${front.url}/v2/sandbox/app/manifests/v1`, { headers: { authorization } });
  await counts('portcullis_transfer_bytes_total{direction="out"}', (await reply.arrayBuffer()).byteLength);
});

test('a login waits for its turn to be hashed, and one whose password is remembered does not', async () => {
  front = await startFront({ rules });
  await counts('portcullis_hash_queue_wait_seconds_count', 0);
  for (let n = 0; n < 3; n++) await ask('/v2/');
  await counts('portcullis_hash_queue_wait_seconds_count', 1);
});

test('names that somebody makes up add no series, and none of them is shown', async () => {
  front = await startFront({ rules });
  const seriesOf = async (): Promise<readonly string[]> =>
    (await metrics()).split('\n').flatMap((line) => (line.startsWith('portcullis_') ? [line.split(' ')[0] ?? ''] : []));
  const storm = async (seed: string): Promise<void> => {
    for (let n = 0; n < 40; n++) {
      const made = `made-up-${seed}-${n}`;
      const login = { authorization: `Bearer ${made}` };
      await ask(`/v2/${made}/manifests/${made}`, { headers: login });
      await ask(`/v2/${made}/blobs/uploads/${made}?${made}=1`, { method: 'PATCH', headers: login, body: made });
      await ask(`/${made}`, { headers: login });
      await ask(`/token?service=${made}&scope=repository:${made}:pull`, { headers: login });
      await ask(`/v2/${made}/tags/list`, { headers: login });
    }
  };
  await storm('a');
  const before = await seriesOf();
  await storm('b');
  expect(await seriesOf()).toEqual(before);
  expect(await metrics()).not.toContain('made-up');
});
