/** What `/metrics` says of answers: how long they took, how they ended, how much moved. */
import { once } from 'node:events';
import { type Server, type ServerResponse, createServer, get } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { version } from '../../src/version.ts';
import { eventually } from '../support/eventually.ts';
import { type Front, type FrontOptions, credentials, service, startFront } from './support/front.ts';

const rules = `
rules:
  - { name: open, subjects: [everyone], repositories: ['open/**'], actions: [pull] }
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
async function startWith(blob: (response: ServerResponse) => void, env: FrontOptions['env'] = {}): Promise<void> {
  registry = createServer((request, response) => {
    if (request.url?.includes('/blobs/') === true) blob(response);
    else response.end('{}');
  }).listen(0, '127.0.0.1');
  await once(registry, 'listening');
  const { port } = registry.address() as AddressInfo;
  front = await startFront({ rules, env, upstream: `http://127.0.0.1:${port}` });
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

describe('a forwarded request that fails counts under the name of the registry, where it', () => {
  const failed = (kind: string): string => `portcullis_upstream_errors_total{upstream="main",kind="${kind}"}`;
  const blob = `/v2/sandbox/app/blobs/${digest}`;

  test('takes no connection', async () => {
    front = await startFront({ rules, upstream: 'http://127.0.0.1:1' });
    expect(await ask(blob)).toBe(502);
    await counts(failed('refused'), 1);
  });

  test('hangs up before an answer, or in the middle of one', async () => {
    await startWith((response) => response.destroy());
    expect(await ask(blob)).toBe(502);
    await counts(failed('reset'), 1);
    registry?.removeAllListeners('request').on('request', (_request, response: ServerResponse) => {
      response.writeHead(200, { 'Content-Length': 1_000_000 }).write(Buffer.alloc(100_000));
      setImmediate(() => response.destroy());
    });
    await expect(ask(blob)).rejects.toThrow();
    await counts(failed('reset'), 2);
  });

  test('says nothing in time', async () => {
    await startWith(() => {}, { PORTCULLIS_TIMEOUTS_RESPONSE: '1s' });
    expect(await ask(blob)).toBe(504);
    await counts(failed('timeout'), 1);
  });

  test('wants a login, or answers what cannot be passed on; what it refuses is no error', async () => {
    let status = 401;
    await startWith((response) => void response.writeHead(status).end());
    expect(await ask(blob)).toBe(502);
    await counts(failed('broken'), 1);
    status = 404;
    expect(await ask(blob)).toBe(404);
    await counts('portcullis_http_requests_total{route="blob",method="GET",code="404"}', 1);
    expect(await metrics()).toContain(`${failed('broken')} 1\n`);
  });
});

test('requests count by route, method and status, and those that could not be read by their status', async () => {
  front = await startFront({ rules });
  await ask('/v2/sandbox/app/tags/list');
  await ask('/v2/sandbox/app/manifests/v1', { method: 'HEAD' });
  await ask('/v2/', { headers: { authorization: '' } });
  await ask('/nowhere', { method: 'OPTIONS' });
  for (const labels of [
    'route="tags",method="GET",code="200"',
    'route="manifest",method="HEAD",code="200"',
    'route="ping",method="GET",code="401"',
    'route="other",method="other",code="404"',
  ])
    await counts(`portcullis_http_requests_total{${labels}}`, 1);
  connect(front.port, '127.0.0.1').end('nonsense\r\n\r\n').resume();
  await counts('portcullis_http_requests_total{route="other",method="other",code="400"}', 1);
});

test('a request is in flight until its answer has ended, in its route', async () => {
  let waiting: ServerResponse | undefined;
  await startWith((response) => void (waiting = response));
  await counts('portcullis_http_in_flight{route="blob"}', 0);
  const asked = ask(`/v2/sandbox/app/blobs/${digest}`);
  await counts('portcullis_http_in_flight{route="blob"}', 1);
  await eventually('it was forwarded', () => waiting !== undefined);
  waiting?.end('content');
  expect(await asked).toBe(200);
  await counts('portcullis_http_in_flight{route="blob"}', 0);
});

test('tokens count by what was shown for them, and sessions while they last', async () => {
  front = await startFront({ rules });
  await counts('portcullis_sessions', 0);
  const query = `service=${service}&scope=repository:sandbox/app:pull`;
  const reply = await fetch(`${front.url}/token?${query}&offline_token=true`, { headers: { authorization } });
  const { refresh_token: secret = '' } = (await reply.json()) as { readonly refresh_token?: string };
  await counts('portcullis_sessions', 1);
  const form = (path: string, fields: Record<string, string>): Promise<Response> =>
    fetch(`${front.url}${path}`, { method: 'POST', body: new URLSearchParams({ service, ...fields }) });
  await form('/token', { grant_type: 'refresh_token', refresh_token: secret });
  expect((await fetch(`${front.url}/token?${query}`)).status).toBe(200);
  await ask(`/token?${query}`, { headers: { authorization: `Basic ${credentials('dana', 'made up')}` } });
  await counts('portcullis_tokens_issued_total{grant="password"}', 1);
  await counts('portcullis_tokens_issued_total{grant="session"}', 1);
  await counts('portcullis_tokens_issued_total{grant="anonymous"}', 1);
  await counts('portcullis_logins_total{method="password",result="wrong"}', 1);
  await counts('portcullis_password_hash_seconds_count', 2);
  await counts('portcullis_hash_queue_length', 0);
  await form('/token/revoke', { token: secret });
  await counts('portcullis_sessions', 0);
});

test('the policy in force is named, with its age and the problems of a newer one', async () => {
  front = await startFront({ rules });
  const valueOf = async (name: string): Promise<number> =>
    Number(new RegExp(`^portcullis_${name} (\\S+)$`, 'm').exec(await metrics())?.[1]);
  const revisionOf = async (): Promise<string | undefined> =>
    /^portcullis_policy_info\{revision="([0-9a-f]+)"\} 1$/m.exec(await metrics())?.[1];
  const [first, since] = [await revisionOf(), await valueOf('policy_last_reload_success_timestamp_seconds')];
  expect(first).toBeDefined();
  expect(Math.abs(since - Date.now() / 1000)).toBeLessThan(60);
  await front.setPolicy('rulez: []\n');
  expect(await valueOf('policy_problems')).toBe(1);
  expect([await revisionOf(), await valueOf('policy_last_reload_success_timestamp_seconds')]).toEqual([first, since]);
  await front.setPolicy(`${rules}\n# another revision\n`);
  expect(await valueOf('policy_problems')).toBe(0);
  expect(await revisionOf()).not.toBe(first);
  expect((await metrics()).match(/^portcullis_policy_info/gm)).toHaveLength(1);
  expect(await valueOf('policy_last_reload_success_timestamp_seconds')).toBeGreaterThan(since);
});

test('the process, the program, its key and the clock of the registry are shown', async () => {
  await startWith((response) => response.end('content'), {});
  const text = await metrics();
  const valueOf = (name: string): number => Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1]);
  expect(text).toContain(`portcullis_build_info{version="${version}",node="${process.versions.node}"} 1\n`);
  expect(valueOf('portcullis_signing_key_age_seconds')).toBeGreaterThanOrEqual(0);
  expect(valueOf('portcullis_signing_key_age_seconds')).toBeLessThan(60);
  expect(Math.abs(valueOf('portcullis_clock_skew_seconds'))).toBeLessThan(2);
  expect(valueOf('portcullis_decision_seconds_count')).toBe(0);
  for (const quantile of ['0.5', '0.9', '0.99'])
    expect(text).toMatch(new RegExp(`^portcullis_eventloop_delay_seconds\\{quantile="${quantile}"\\} \\d`, 'm'));
  expect(valueOf('process_cpu_seconds_total')).toBeGreaterThan(0);
  expect(Math.abs(valueOf('process_start_time_seconds') + process.uptime() - Date.now() / 1000)).toBeLessThan(5);
  expect(valueOf('process_max_fds')).toBeGreaterThan(valueOf('process_open_fds'));
});

test('a clock that is wrong by the clock of the registry shows', async () => {
  registry = createServer((_request, response) =>
    response.setHeader('Date', new Date(Date.now() - 3_600_000).toUTCString()).end('{}'),
  ).listen(0, '127.0.0.1');
  await once(registry, 'listening');
  const { port } = registry.address() as AddressInfo;
  front = await startFront({ rules, upstream: `http://127.0.0.1:${port}` });
  const skew = Number(/^portcullis_clock_skew_seconds (\S+)$/m.exec(await metrics())?.[1]);
  expect(Math.abs(skew - 3600)).toBeLessThan(10);
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
  expect(before.length).toBeLessThan(1500);
  expect(await metrics()).not.toContain('made-up');
});
