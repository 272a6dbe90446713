/** Deployments in which a check once saw no fault, or one that was none, judged by what they would answer. */
import { describe, expect, test } from 'vitest';
import type { Config } from '../../src/config/load.ts';
import type { UpstreamTerms } from '../../src/config/upstreams.ts';
import type { Outcome } from '../../src/doctor/check.ts';
import { allChecks } from '../../src/doctor/checks.ts';
import type { Context, RunningGateway } from '../../src/doctor/context.ts';
import { runChecks } from '../../src/doctor/run.ts';
import { readHtpasswd } from '../../src/policy/files/htpasswd.ts';
import { parsePolicy } from '../../src/policy/files/parse.ts';
import type { Asking, Failure, Machine, RedisFacts, WebAnswer } from '../../src/ports/doctor.ts';

type Answer = Partial<WebAnswer> | undefined;

interface World {
  readonly config?: object;
  readonly machine?: Partial<Machine>;
  readonly gateway?: Partial<RunningGateway>;
  readonly policy?: string;
  readonly htpasswd?: string;
  readonly addresses?: readonly string[];
  readonly redis?: RedisFacts | Failure;
  /** undefined: nothing answers there. */
  readonly answer?: (url: string, asking: Asking) => Answer;
}

const quiet: Answer = {
  status: 401,
  headers: {
    'www-authenticate': 'Bearer realm="https://registry.test/token"',
    'docker-distribution-api-version': 'registry/2.0',
  },
};

async function judged(number: number, world: World): Promise<Outcome> {
  const answer = world.answer ?? (() => undefined);
  const ask = (url: string, asking: Asking = {}) => {
    const said = answer(url, asking);
    const whole = { status: 200, headers: {}, body: '', localAddress: asking.from ?? '10.0.0.5', ...said };
    return Promise.resolve(said === undefined ? { failed: 'ECONNREFUSED' } : whole);
  };
  const reading = parsePolicy([{ file: 'p.yaml', text: world.policy ?? 'groups: { admins: {} }\n' }]);
  const context = {
    config: {
      publicUrl: 'https://registry.test',
      trustedProxies: [],
      logins: {},
      stateDir: '/s',
      ...world.config,
    } as unknown as Config,
    policy: reading.ok ? reading.policy : undefined,
    redis: world.redis && (() => Promise.resolve(world.redis)),
    htpasswd: () => Promise.resolve(readHtpasswd('/h', world.htpasswd ?? '').people.users),
    from: [],
    env: {},
    now: () => 0,
    mayReach: () => true,
    authorities: () => undefined,
    front: () => Promise.resolve(quiet),
    registry: ({ url }: UpstreamTerms) => ask(`${url}/v2/`),
    web: { ask, resolve: () => Promise.resolve(world.addresses ?? ['10.0.0.5']) },
    machine: { addresses: () => ['10.0.0.5', '127.0.0.1'], kindOf: () => undefined, ...world.machine },
    gateway: {
      troubles: () => Promise.resolve([]),
      accounts: () => Promise.resolve([]),
      metrics: () => Promise.resolve(''),
      ...world.gateway,
    },
  } as unknown as Context;
  const [found] = await runChecks(
    allChecks.filter((each) => each.number === number),
    context,
    5000,
  );
  return found as Outcome;
}

const soundRedis: RedisFacts = {
  ...{ version: '7.0.15', evictionPolicy: 'noeviction', persists: true, roundTripMs: 1, skewMs: 0, replicas: [] },
  scriptTrouble: undefined,
};

const upstream = (more: object = {}): object => ({
  ...{ name: 'main', url: 'http://10.0.0.9:5000', prefix: '', remotePrefix: '', access: 'read-write', library: false },
  redirects: { mode: 'pass', hosts: [] },
  ...more,
});

test('what is thrown by one check is its finding, and what it throws is that this user may not look', async () => {
  const room = (): never => {
    throw new Error("EACCES: permission denied, scandir '/a'");
  };
  const audit = { directory: '/a', keepMs: 1, isRequired: false };
  expect(await judged(28, { config: { audit }, machine: { room } })).toMatchObject({
    state: 'FAIL',
    found: "it cannot be looked at: EACCES: permission denied, scandir '/a'",
    fix: 'run doctor as the user of the gateway',
  });
});

test('6: a gateway whose admin token cannot be read is not another program', async () => {
  const at = { listen: { host: '127.0.0.1', port: 1 }, admin: { listen: { host: '127.0.0.1', port: 2 } } };
  const world = (body: string): World => ({
    config: at,
    machine: { bind: () => Promise.resolve({ ok: false, code: 'EADDRINUSE' }) },
    gateway: { policy: () => Promise.resolve({ failed: 'EACCES' }) },
    answer: () => ({ body }),
  });
  expect((await judged(6, world('{"keys":[]}'))).fix).toMatch(/^run doctor as its user/);
  expect((await judged(6, world('hello'))).fix).toMatch(/^stop it/);
});

test('7: a proxy that leads /v2/ here and /token elsewhere', async () => {
  const config = { listen: { host: '127.0.0.1', port: 5050 }, tokens: { service: 'registry.test' } };
  const of = (answer: Answer) => judged(7, { config, answer: () => answer });
  for (const elsewhere of [{ status: 404, body: '<html></html>' }, { body: '{}' }, undefined]) {
    const { state, found, fix } = await of(elsewhere);
    expect([state, fix]).toEqual(['FAIL', 'lead every path of https://registry.test to port 5050']);
    expect(found).toMatch(/^https:\/\/registry\.test\/token .*: nobody can log in$/);
  }
  for (const own of [{ body: '{"token":"x"}' }, { status: 429, body: '{"errors":[]}' }])
    expect((await of(own)).state).toBe('ok');
});

describe('9: a proxy on this machine', () => {
  const seenBy = (address: string, forwarded: string | undefined, trusted: readonly string[]): World => {
    let agent: string | undefined;
    return {
      config: { trustedProxies: trusted },
      addresses: ['127.0.0.1'],
      answer(_url, { headers, from }) {
        agent = headers?.['user-agent'];
        expect(from).toBe('127.77.0.1');
        return quiet;
      },
      gateway: { records: () => Promise.resolve([{ address: forwarded ?? address, userAgent: agent }]) },
    };
  };
  test('that nobody trusts makes one of all clients', async () => {
    const { state, fix } = await judged(9, seenBy('127.0.0.1', undefined, []));
    expect([state, fix]).toEqual(['FAIL', 'if 127.0.0.1 is your proxy: trustedProxies: [127.0.0.1]']);
  });
  test('that is trusted and passes on what clients say', async () => {
    expect((await judged(9, seenBy('127.0.0.1', '203.0.113.77', ['127.0.0.1']))).state).toBe('FAIL');
  });
  test('that says who its client is', async () => {
    expect((await judged(9, seenBy('127.0.0.1', '127.77.0.1', ['127.0.0.1']))).state).toBe('ok');
  });
});

test('11, 13: a server that answers everything with a page is no registry', async () => {
  const page = { body: '<!doctype html><title>Hello</title>', headers: { 'content-type': 'text/html' } };
  const world = (answer: Answer): World => ({
    config: { upstreams: [upstream()] },
    addresses: ['10.0.0.9'],
    answer: () => answer,
  });
  expect((await judged(11, world(page))).state).toBe('FAIL');
  expect((await judged(13, world(page))).state).toBe('ok');
  for (const registry of [
    { body: '{}' },
    { headers: { 'docker-distribution-api-version': 'registry/2.0' }, body: '<' },
  ]) {
    expect((await judged(11, world(registry))).state).toBe('ok');
    expect((await judged(13, world(registry))).state).toBe('FAIL');
  }
});

describe('13: a registry', () => {
  const listeners = (): ReturnType<Machine['listeners']> => Promise.resolve([{ host: '0.0.0.0', port: 5000 }]);
  const local = upstream({ url: 'http://127.0.0.1:5000', credentials: { helper: 'x' } });
  test('for which the gateway has a login, and which asks nobody for one', async () => {
    const open: World = { config: { upstreams: [local] }, machine: { listeners }, answer: () => ({}) };
    expect((await judged(13, open)).state).toBe('FAIL');
    expect((await judged(13, { ...open, answer: () => quiet })).state).toBe('ok');
  });
  test('on another machine is tried at its own address', async () => {
    const answer = (url: string): Answer => (url.startsWith('http://10.0.0.9') ? {} : undefined);
    const { state, found } = await judged(13, {
      config: { upstreams: [upstream()] },
      addresses: ['10.0.0.9'],
      answer,
      machine: { listeners },
    });
    expect(state).toBe('ok');
    expect(found).toContain('curl -i http://10.0.0.9:5000/v2/ and curl -i http://registry.test:5000/v2/');
  });
});

describe('14: deletion', () => {
  const policy = `rules: [{ name: r, subjects: [everyone], repositories: ['sandbox/**'], actions: [delete] }]\n`;
  const judge = (...upstreams: readonly object[]) =>
    judged(14, {
      policy,
      config: { upstreams },
      answer: (_url, { method }) => ({ status: method === 'DELETE' ? 405 : 200 }),
    });
  test('is asked of registries in which a rule allows it, and of no other', async () => {
    const mirror = upstream({ name: 'mirror', prefix: 'mirror' });
    expect((await judge(upstream(), mirror)).found).toBe(
      'http://10.0.0.9:5000 deletes nothing, and rule "r" allows it',
    );
    expect((await judge(mirror)).state).toBe('ok');
    expect((await judge(upstream({ prefix: 'sandbox', access: 'read' }))).state).toBe('ok');
  });
});

test('15: an image is looked for behind an empty repository, and in an index', async () => {
  const digest = `sha256:${'1'.repeat(64)}`;
  const json = (value: unknown): Answer => ({ body: JSON.stringify(value) });
  const answer = (url: string, { method }: Asking): Answer => {
    if (url.startsWith('http://storage.test')) return undefined;
    if (url.includes('_catalog')) return json({ repositories: ['empty', 'full'] });
    if (url.includes('/empty/tags')) return json({ tags: null });
    if (url.includes('/full/tags')) return json({ tags: ['1'] });
    if (url.endsWith('/manifests/1')) return json({ manifests: [{ digest }] });
    if (url.includes('/manifests/')) return json({ config: { digest } });
    return method === 'HEAD' ? { status: 307, headers: { location: 'http://storage.test/blob' } } : {};
  };
  expect(await judged(15, { config: { upstreams: [upstream()] }, answer })).toMatchObject({ state: 'FAIL' });
});

test('23: the limit is that of the running gateway, not that of the shell', async () => {
  const metrics = (most: number) => () => Promise.resolve(`process_max_fds ${most}\n`);
  const machine: Partial<Machine> = { descriptorLimit: () => 20_000, memoryLimit: () => undefined };
  expect((await judged(23, { machine, gateway: { metrics: metrics(1024) } })).state).toBe('FAIL');
  expect((await judged(23, { machine, gateway: { metrics: metrics(65_536) } })).state).toBe('ok');
  const silent = (): ReturnType<RunningGateway['metrics']> => Promise.resolve({ failed: 'ECONNREFUSED' });
  expect((await judged(23, { machine, gateway: { metrics: silent } })).state).toBe('ok');
});

test('17: an account of Redis that lacks rights, of doctor or of what the gateway does', async () => {
  const config = { redis: { reveal: () => 'rediss://gate:of-a-test@redis.test:6379/0' } };
  const lacking = await judged(17, { config, redis: { failed: 'NOPERM this user has no permissions' } });
  expect(lacking.fix).toMatch(/^give its account the rights/);
  expect((await judged(17, { config, redis: { failed: 'ECONNREFUSED' } })).fix).toMatch(/^start it/);
  const gateway = { troubles: () => Promise.resolve([{ name: 'store', detail: 'NOPERM' }]) };
  expect((await judged(17, { config, redis: soundRedis })).state).toBe('ok');
  expect((await judged(17, { config, redis: soundRedis, gateway })).state).toBe('FAIL');
});

test('22, 24, 28: what the running gateway cannot do, though whoever looks here could', async () => {
  const gateway = (name: string): Partial<RunningGateway> => ({
    metrics: () => Promise.resolve('portcullis_audit_dropped_total 0\n'),
    troubles: () => Promise.resolve([{ name, detail: 'EACCES' }]),
  });
  const facts = { exists: true, trouble: undefined, mode: 0o700, freeBytes: 2 ** 40, isTmpfs: false };
  const machine: Partial<Machine> = { kindOf: () => undefined, directory: () => Promise.resolve(facts) };
  const config = { logins: { htpasswd: { file: '/h' } }, audit: {} };
  for (const [number, name] of [
    [22, 'store'],
    [24, 'logins.ldap'],
    [28, 'audit'],
  ] as const) {
    expect([number, (await judged(number, { config, machine, gateway: gateway(name) })).state]).toEqual([
      number,
      'FAIL',
    ]);
    expect([number, (await judged(number, { config, machine, gateway: gateway('keys') })).state]).toEqual([
      number,
      'ok',
    ]);
  }
});

test('24: a password file as `htpasswd -B` makes it, whose hashes cost 5', async () => {
  const config = { logins: { htpasswd: { file: '/h' } } };
  const line = (name: string, cost: string): string => `${name}:$2y$${cost}$${'a'.repeat(53)}\n`;
  const weak = await judged(24, { config, htpasswd: line('sam', '10') + line('tess', '05') });
  expect(weak).toMatchObject({ state: 'warn', fix: 'htpasswd -B -C 10 /h tess' });
  expect(weak.found).toBe('the bcrypt hash of "tess" costs 5, and is guessed in no time');
  expect((await judged(24, { config, htpasswd: line('sam', '10') })).state).toBe('ok');
});

describe('26: the admin listener', () => {
  const config = { admin: { listen: { host: '0.0.0.0', port: 5051 } } };
  // As http/admin/admin.ts: to a public name it says 421.
  const answer = (_url: string, { headers }: Asking): Answer =>
    headers?.['host'] === '127.0.0.1' ? { body: 'ok\n' } : { status: 421 };
  test('is found at the public name, to which it says nothing', async () => {
    expect((await judged(26, { config, answer })).state).toBe('FAIL');
    expect((await judged(26, { config })).state).toBe('ok');
  });
  test('is not at a name that leads to loopback from here', async () => {
    expect((await judged(26, { config, answer, addresses: ['127.0.1.1', '::1'] })).state).toBe('ok');
  });
});
