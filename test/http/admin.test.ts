import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { hostname } from 'node:os';
import supertest from 'supertest';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type AdminParts, type ReadinessCheck, createAdminListener } from '../../src/http/admin/admin.ts';
import { type Front, startFront } from './support/front.ts';

const rules = "rules: [{ name: open, subjects: [everyone], repositories: ['open/**'], actions: [pull] }]\n";
let front: Front;
beforeAll(async () => void (front = await startFront({ rules })));
afterAll(() => front.close());

const admin = (path: string): supertest.Test => supertest(front.adminUrl).get(path);

test.each<[string, ReadinessCheck['state'][], number, number, string]>([
  ['all is well', ['ok', 'ok'], 200, 200, 'ready'],
  ['what all replicas share is not', ['ok', 'degraded'], 200, 503, 'degraded'],
  ['this replica stops', ['failed', 'degraded'], 503, 503, 'not ready'],
])('readiness when %s', async (_, states, status, strict, summary) => {
  const server = createAdminListener({
    readiness: () => states.map((state) => ({ name: 'thing', state, detail: 'why' })),
    metrics: () => '',
    hostName: 'here',
    onError: () => {},
    // No request of this test reaches it.
    api: { asking: { operations: [] as readonly unknown[] } } as AdminParts['api'],
  });
  const ready = await supertest(server).get('/readyz');
  expect([ready.status, ready.text.split('\n').at(-2)]).toEqual([status, summary]);
  expect(ready.text.includes('why')).toBe(summary !== 'ready');
  for (const query of ['strict', 'verbose&strict', 'strict=1'])
    expect((await supertest(server).get(`/readyz?${query}`)).status).toBe(strict);
});

describe('the admin listener', () => {
  test('says that the process lives', async () => {
    const { status, text, headers } = await admin('/livez');
    expect([status, text, headers['cache-control']]).toEqual([200, 'ok\n', 'no-store']);
  });

  test('says that it is ready, and why when asked', async () => {
    expect(await admin('/readyz')).toMatchObject({ status: 200, text: 'ready\n' });
    const { text } = await admin('/readyz?verbose');
    for (const line of ['[+] serving ok', '[+] policy ok: revision ', '[+] upstream ok']) expect(text).toContain(line);
    expect(text.endsWith('ready\n')).toBe(true);
  });

  test('lists what is frozen on one line, while it is', async () => {
    const freeze = 'effect: deny, subjects: [everyone], repositories: ["a/**"], actions: [push]';
    await front.setPolicy(
      rules.replace(
        /rules: *\[/,
        `rules: [{ name: shut, ${freeze}, when: { after: 2020-01-01, before: 2999-01-01 } }, `,
      ),
    );
    expect((await admin('/readyz?verbose')).text).toContain(
      '[+] freezes ok: push, promote in a/** until 2999-01-01T00:00Z (shut)\n',
    );
    await front.setPolicy(rules);
    expect((await admin('/readyz?verbose')).text).not.toContain('freezes');
  });

  test('stays ready with the last good policy, and names the place of the problem', async () => {
    await front.setPolicy('rulez: []\n');
    const { status, text } = await admin('/readyz?verbose');
    expect(status).toBe(200);
    expect(text).toMatch(
      /\[~\] policy degraded: the last good policy stays in force; .*rules\.yaml:1:1: unknown key "rulez"/,
    );
    const gauge = async (): Promise<string | undefined> =>
      /^portcullis_policy_last_reload_successful (\d)$/m.exec((await admin('/metrics')).text)?.[1];
    expect(await gauge()).toBe('0');
    await front.setPolicy(rules);
    expect(await gauge()).toBe('1');
    expect((await admin('/readyz?verbose')).text).toContain('[+] policy ok');
  });

  test('stays in service with an unusable signing key, and says so until it is gone', async () => {
    const key = join(front.stateDir, 'keys', '20990101T000000000Z.pem');
    await writeFile(key, 'no key', { mode: 0o600 });
    const text = async (): Promise<string> => (await admin('/readyz?verbose')).text;
    await expect.poll(text).toMatch(/\[~\] keys degraded: the last good keys stay in use; .*20990101/);
    expect((await admin('/readyz')).status).toBe(200);
    expect((await admin('/readyz?strict')).status).toBe(503);
    const metric = /^portcullis_keys_last_reload_successful (\d)$/m;
    expect(metric.exec((await admin('/metrics')).text)?.[1]).toBe('0');
    expect(front.logged.filter((line) => line.includes('the signing keys on disk cannot be used'))).toHaveLength(1);
    await rm(key);
    await expect.poll(text).toContain('[+] keys ok');
    expect(metric.exec((await admin('/metrics')).text)?.[1]).toBe('1');
    expect((await admin('/readyz?strict')).status).toBe(200);
  });

  test('counts decisions and answers for Prometheus', async () => {
    const count = async (): Promise<number> => {
      const { text, headers } = await admin('/metrics');
      expect(headers['content-type']).toContain('version=0.0.4');
      const line = /^portcullis_http_requests_total\{route="ping",method="GET",code="401"\} (\d+)$/m;
      return Number(line.exec(text)?.[1] ?? 0);
    };
    const before = await count();
    await supertest(front.url).get('/v2/');
    await expect.poll(count).toBe(before + 1);
    expect((await admin('/metrics')).text).toMatch(
      /^portcullis_decisions_total\{event="access",decision="deny"\} \d+$/m,
    );
  });

  test.each(['process_resident_memory_bytes', 'nodejs_heap_size_used_bytes', 'process_open_fds'])(
    'shows %s, as other programs do',
    async (name) => {
      const { text } = await admin('/metrics');
      expect(text).toMatch(new RegExp(`^# TYPE ${name} gauge\\n${name} [1-9]\\d*$`, 'm'));
    },
  );

  test('answers HEAD without a body and nothing but reading', async () => {
    const head = await supertest(front.adminUrl).head('/metrics');
    expect([head.status, head.text ?? '']).toEqual([200, '']);
    for (const method of ['post', 'put', 'delete', 'patch'] as const) {
      for (const path of ['/livez', '/readyz', '/metrics']) {
        expect((await supertest(front.adminUrl)[method](path)).status).toBe(405);
      }
    }
  });

  test.each(['/', '/livez/', '/LIVEZ', '/v2/', '/token', '/.well-known/jwks.json', '/metrics/x', '/debug/pprof'])(
    'has nothing at %s',
    async (path) => {
      const { status, headers } = await admin(path);
      expect(status).toBe(404);
      expect(headers['www-authenticate']).toBeUndefined();
    },
  );

  describe('answers only who calls it by a name that no page in a browser can have', () => {
    const called = async (host: string, path = '/metrics'): Promise<number> =>
      (await admin(path).set('Host', host)).status;

    test.each([
      ['127.0.0.1:5051', 'localhost', 'localhost.', 'LOCALHOST:5051', '[::1]:5051', '[2001:db8::5]', '10.1.2.3'],
      ['portcullis', 'portcullis:5051', 'my_service:5051', 'portcullis.registry.svc', 'a.b.svc.cluster.local:5051'],
      ['host.docker.internal', 'nas.local', 'x.localhost', hostname()],
    ])('%s, %s and others', async (...hosts) => {
      for (const host of hosts) expect([host, await called(host)]).toEqual([host, 200]);
    });

    test.each([
      'evil.example.com',
      'evil.example.com:5051',
      '127.0.0.1.nip.io',
      'localhost.example.com',
      '[evil]',
      'a@localhost',
    ])('not as %s, on any path', async (host) => {
      for (const path of ['/metrics', '/readyz', '/livez', '/api/v1/sessions'])
        expect([path, await called(host, path)]).toEqual([path, 421]);
    });
  });

  test('is not reachable through the main listener', async () => {
    for (const path of ['/livez', '/readyz', '/metrics'])
      expect((await supertest(front.url).get(path)).status).toBe(404);
  });
});
