/** Every check of `doctor` against a deployment in which all is well, and then exactly one thing is not. */
import { chmod, cp, mkdir, rm, statfs, symlink, truncate, utimes, writeFile } from 'node:fs/promises';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { makeCertificate } from '../support/certificate.ts';
import { eventually } from '../support/eventually.ts';
import { freePort } from '../support/free-port.mjs';
import { type Program, describeWithPrograms, requirePrograms, run } from '../support/programs.ts';
import { type RedisServer, startRedisServer } from '../support/redis.ts';
import { type RegistryOptions, type RegistryProcess, startRegistry } from '../support/registry.ts';
import { newKey } from '../support/replicas.ts';
import { startStandIn } from '../support/stand-in.ts';
import { projectDir } from '../support/trial.ts';
import { type Report, type Seen, type Site, openSite, password, soundPolicy } from './doctor.ts';
import { type Proxy, startProxy } from './proxy.ts';

const replicasKey = 'portcullis:{replicas}:all';

describeWithPrograms(['docker-registry', 'redis-server', 'openssl'], 'doctor', () => {
  let [registry, redis, proxy, site, gateway]: [RegistryProcess, RedisServer, Proxy, Site, Program] = [] as never;
  let sound: Report;
  const everything = ['--as', 'dana', '--password-stdin', '--write', 'sandbox/doctor', '--from', 'http://127.0.0.1:1'];
  const all = (
    env: Readonly<Record<string, string>> = {},
    args: readonly string[] = everything,
    by?: readonly string[],
  ) => site.doctor(args, { env, input: password, ...(by === undefined ? {} : { by }) });

  beforeAll(async () => {
    [registry, redis, proxy] = await Promise.all([
      startRegistry(),
      startRedisServer({ settings: ['--appendonly', 'yes'] }),
      startProxy(),
    ]);
    const account = [
      'portcullis',
      'on',
      '>of-a-test',
      '~portcullis:*',
      '&portcullis:*',
      '+@read',
      '+@write',
      '+@connection',
    ];
    const rights = [
      '+@scripting',
      '+time',
      '+publish',
      '+subscribe',
      '+info',
      '+wait',
      '+cluster',
      '-@dangerous',
      '+info',
    ];
    await redis.admin.call('ACL', 'SETUSER', ...account, ...rights);
    site = await openSite(registry.url, {
      publicUrl: proxy.url,
      trustedProxies: ['127.0.0.2/32'],
      redis: `redis://portcullis:of-a-test@127.0.0.1:${redis.port}/0`,
    });
    proxy.port = site.port;
    gateway = await site.serve();
    await eventually('the gateway said what it is', async () => (await redis.admin.hlen(replicasKey)) === 1);
    sound = await all();
  });

  afterEach(() => void (proxy.fault = 'none'));

  afterAll(async () => {
    await gateway.stop();
    await site.remove();
    await Promise.all([proxy.close(), redis.stop(), registry.stop()]);
  });

  /** As in the sound report but for these, and for those that cannot be judged without. */
  function expectOnly(report: Report, number: number, state: Seen['state'], without: readonly number[] = []): void {
    // How long a hash takes is up to what else this machine does.
    const states = (each: Report, leave: readonly number[]) =>
      each.checks.filter((one) => !leave.includes(one.number)).map((one) => `${one.number} ${one.state}`);
    expect(states(report, [2, number, ...without])).toEqual(states(sound, [2, number, ...without]));
    expect(without.map((each) => report.of(each).state)).toEqual(without.map(() => 'skip'));
    expect(report.of(number).state).toBe(state);
    if (state !== 'ok') expect(report.of(number).fix).toEqual(expect.any(String));
    expect(report.code).toBe(state === 'FAIL' ? 1 : 0);
  }

  test('all is well: 28 times ok with every flag, but for a Node.js whose time is over', () => {
    const node = sound.of(1).state;
    expect(['ok', 'warn']).toContain(node);
    expect(
      sound.checks.filter(({ state, number, found }) => state !== 'ok' && number !== 1 && !/hash takes/.test(found)),
    ).toEqual([]);
    expect(sound.checks).toHaveLength(28);
    expect(sound.code).toBe(0);
  });

  test('without the flags it skips what they ask for, and nothing else', async () => {
    expect((await site.doctor()).in('skip')).toEqual([16, 27]);
  });

  test('2: a library with compiled parts that does not load', async () => {
    const copy = join(site.dir, 'copy');
    await mkdir(join(copy, 'node_modules/argon2'), { recursive: true });
    await cp(join(projectDir, 'dist'), join(copy, 'dist'), { recursive: true });
    await cp(join(projectDir, 'package.json'), join(copy, 'package.json'));
    for (const name of ['bcrypt', 'yaml', 'node-gyp-build'])
      await symlink(join(projectDir, 'node_modules', name), join(copy, 'node_modules', name));
    await writeFile(join(copy, 'node_modules/argon2/package.json'), '{"name":"argon2","main":"index.js"}');
    await writeFile(join(copy, 'node_modules/argon2/index.js'), 'throw new Error("wrong ELF class")');
    const report = await site.doctor([], { program: join(copy, 'dist/cli.js') });
    expect(report.of(2)).toMatchObject({ state: 'FAIL', fix: expect.stringContaining('npm ci') as string });
    expect(report.of(2).found).toContain('wrong ELF class');
    expect(report.in('FAIL')).toEqual([2]);
  });

  test('3: a file that the configuration names is not there', async () => {
    const main = { url: registry.url, credentials: { username: 'gate', passwordFile: './upstream.secret' } };
    await site.configure({ upstream: undefined, upstreams: { main } });
    expect((await site.doctor(['--only', '3'])).of(3)).toMatchObject({ state: 'FAIL' });
    await writeFile(join(site.dir, 'upstream.secret'), 'of a test\n');
    expect((await site.doctor(['--only', '3'])).of(3).state).toBe('ok');
    await site.configure({});
  });

  test('4: a policy with a failing test; files that the running gateway does not have', async () => {
    const other = join(site.dir, 'others');
    await mkdir(other);
    await writeFile(
      join(other, 'policy.yaml'),
      (await soundPolicy()).replace('deny: [delete release/app]', 'deny: [pull release/app]'),
    );
    expectOnly(await all({ PORTCULLIS_POLICIES: other }), 4, 'FAIL');
    await writeFile(join(other, 'policy.yaml'), await soundPolicy());
    const report = await all({ PORTCULLIS_POLICIES: other });
    expectOnly(report, 4, 'FAIL');
    expect(report.of(4).found).toContain('the running gateway has revision');
  });

  test('5: a policy file that is a mount of its own', async (context) => {
    requirePrograms(context, ['root']);
    const mounted = join(site.dir, 'mounted');
    await mkdir(mounted);
    await writeFile(join(mounted, 'policy.yaml'), '');
    const bound = await run('mount', ['--bind', join(site.dir, 'policies/policy.yaml'), join(mounted, 'policy.yaml')]);
    if (bound.code !== 0) context.skip(`mount --bind: ${bound.stderr}`);
    for (const path of [join(mounted, 'policy.yaml'), mounted])
      expectOnly(await all({ PORTCULLIS_POLICIES: path }), 5, 'FAIL');
    await run('umount', [join(mounted, 'policy.yaml')]);
  });

  test('6: another program has the address', async () => {
    const other = await startStandIn((_, response) => void response.end('hello'));
    expectOnly(await all({ PORTCULLIS_LISTEN: other.host }), 6, 'FAIL');
    await other.close();
  });

  test('7: publicUrl redirects, or leads elsewhere', async () => {
    const other = await startStandIn(
      (_, response) => void response.writeHead(301, { location: 'https://elsewhere.example.com/' }).end(),
    );
    const report = await all({ PORTCULLIS_PUBLIC_URL: other.url });
    expectOnly(report, 7, 'FAIL', [8, 9, 27]);
    expect(report.of(7).fix).toContain('https://elsewhere.example.com/');
    await other.close();
    proxy.fault = 'drops headers';
    expectOnly(await all(), 7, 'FAIL');
  });

  test('8: a proxy that refuses large bodies, and one that keeps them', async () => {
    proxy.fault = 'limits bodies';
    expectOnly(await all(), 8, 'FAIL');
    proxy.fault = 'keeps bodies';
    expectOnly(await all(), 8, 'warn');
    proxy.fault = 'none';
    expect((await site.doctor(['--only', '8'])).of(8).state).toBe('ok');
  });

  test('9: addresses of clients can be made up, or are all those of the proxy', async () => {
    proxy.fault = 'believes clients';
    expectOnly(await all(), 9, 'FAIL');
    proxy.fault = 'another address';
    const report = await all();
    expectOnly(report, 9, 'FAIL');
    expect(report.of(9).fix).toContain('trustedProxies: [127.0.0.3]');
    proxy.fault = 'none';
    expectOnly(await all({ PORTCULLIS_TRUSTED_PROXIES: '127.0.0.2/32,128.0.0.0/1' }), 9, 'FAIL');
  });

  test('11, 12: no registry, one that asks for a login', async () => {
    const nobody = `http://127.0.0.1:${await freePort()}`;
    expectOnly(await all({ PORTCULLIS_UPSTREAM: nobody }), 11, 'FAIL', [12, 14, 15, 16]);
    await withRegistry({ login: { account: 'gate', password } }, async (url) => {
      expectOnly(await all({ PORTCULLIS_UPSTREAM: url }), 12, 'FAIL', [14, 15, 16]);
      const secret = {
        PORTCULLIS_UPSTREAMS_MAIN_CREDENTIALS_USERNAME: 'gate',
        PORTCULLIS_UPSTREAMS_MAIN_CREDENTIALS_PASSWORD: password,
      };
      await site.configure({ upstream: undefined, upstreams: { main: { url } } });
      expect((await site.doctor(['--only', '12'], { env: secret })).of(12).state).toBe('ok');
      const wrong = { ...secret, PORTCULLIS_UPSTREAMS_MAIN_CREDENTIALS_PASSWORD: 'wrong' };
      const refused = await site.doctor(['--only', '12'], { env: wrong });
      expect(refused.of(12).state).toBe('FAIL');
      await site.configure({});
    });
  });

  test('13: a registry for every interface; one that answers where --from says', async () => {
    await withRegistry({ address: '0.0.0.0' }, async (_url, { port }) => {
      const report = await all({ PORTCULLIS_UPSTREAM: `http://127.0.0.1:${port}` });
      expectOnly(report, 13, 'FAIL');
      expect(report.of(13).fix).toContain('bind the registry to 127.0.0.1');
    });
    expectOnly(await all({}, [...everything, '--from', registry.url]), 13, 'FAIL');
    expectOnly(await all({}, [...everything, '--from', proxy.url]), 13, 'ok');
  });

  test('14, 16: a registry that deletes nothing, and a rule that allows it', async () => {
    await withRegistry({ delete: false }, async (url) => {
      const report = await all({ PORTCULLIS_UPSTREAM: url });
      expect(report.in('FAIL')).toEqual([14]);
      expect(report.of(16)).toMatchObject({ state: 'warn', found: expect.stringContaining('written stays') as string });
    });
  });

  test('15: redirects to a storage that clients cannot reach', async () => {
    const nowhere = `http://127.0.0.1:${await freePort()}/blob`;
    const digest = `sha256:${'1'.repeat(64)}`;
    const other = await startStandIn((request, response) => {
      const { url = '' } = request;
      request.resume();
      if (url.includes('_catalog')) return void response.end('{"repositories":["app"]}');
      if (url.includes('/tags/')) return void response.end('{"tags":["1"]}');
      if (url.includes('/manifests/') && request.method === 'GET')
        return void response.end(JSON.stringify({ config: { digest } }));
      if (url.includes('/blobs/') && request.method === 'HEAD')
        return void response.writeHead(307, { location: nowhere }).end();
      response.end('{}');
    });
    const env = { PORTCULLIS_UPSTREAM: other.url };
    const report = await site.doctor(['--only', '11,12,13,14,15'], { env });
    expect(report.in('FAIL')).toEqual([15]);
    const host = new URL(nowhere).host;
    const followed = { ...env, PORTCULLIS_REDIRECTS_MODE: 'follow', PORTCULLIS_REDIRECTS_HOSTS: host };
    expect((await site.doctor(['--only', '15'], { env: followed })).of(15).state).toBe('ok');
    await other.close();
  });

  test('16: something before the registry takes no large manifest', async () => {
    const other = await startStandIn((request, response) => {
      const { url = '', method } = request;
      request.resume();
      if (method === 'POST')
        return void response.writeHead(202, { location: '/v2/sandbox/doctor/blobs/uploads/1' }).end();
      if (method === 'PUT') return void response.writeHead(url.includes('/manifests/') ? 413 : 201).end();
      response.end('{}');
    });
    const report = await all({ PORTCULLIS_UPSTREAM: other.url });
    expectOnly(report, 16, 'FAIL');
    await other.close();
  });

  test('17: a Redis that forgets, or is away', async () => {
    await redis.admin.call('CONFIG', 'SET', 'maxmemory-policy', 'allkeys-lru');
    const report = await all();
    expectOnly(report, 17, 'FAIL');
    expect(report.of(17).fix).toContain('noeviction');
    await redis.admin.call('CONFIG', 'SET', 'maxmemory-policy', 'noeviction');
    expect((await site.doctor(['--only', '17'])).of(17).state).toBe('ok');
    const away = `redis://portcullis:of-a-test@127.0.0.1:${await freePort()}/0`;
    expectOnly(await all({ PORTCULLIS_REDIS: away }), 17, 'FAIL', [19]);
    const refused = await site.doctor(['--only', '17'], {
      env: { PORTCULLIS_REDIS: `redis://portcullis:wrong-one@127.0.0.1:${redis.port}/0` },
    });
    expect(refused.of(17)).toMatchObject({ state: 'FAIL' });
    expect(JSON.stringify(refused.checks)).not.toContain('wrong-one');
  });

  test('18: a registry whose clock is wrong', async () => {
    const other = await startStandIn((request, response) => {
      request.resume();
      response.setHeader('date', new Date(Date.now() - 60_000).toUTCString());
      response.end('{}');
    });
    const report = await site.doctor(['--only', '11,12,13,17,18'], { env: { PORTCULLIS_UPSTREAM: other.url } });
    expect(report.in('FAIL')).toEqual([18]);
    expect(report.of(18).found).toContain('60 s ahead of');
    await other.close();
  });

  test('19: a replica with other policies', async () => {
    const said = Object.values(await redis.admin.hgetall(replicasKey))[0] ?? '';
    await redis.admin.hset(replicasKey, 'other', said.replace(/"revision":"\w+"/, '"revision":"000000000000"'));
    expectOnly(await all(), 19, 'FAIL');
    await redis.admin.hset(replicasKey, 'other', said);
    expect((await site.doctor(['--only', '19'])).of(19)).toMatchObject({ state: 'ok' });
    await redis.admin.hdel(replicasKey, 'other');
  });

  test('20: replicas that each make keys for themselves', async () => {
    const said = Object.values(await redis.admin.hgetall(replicasKey))[0] ?? '';
    await redis.admin.hset(replicasKey, 'other', said);
    await site.configure({ tokens: undefined });
    expectOnly(await all(), 20, 'FAIL');
    await site.configure({});
    await redis.admin.hdel(replicasKey, 'other');
    expect((await site.doctor(['--only', '20'], { env: { KUBERNETES_SERVICE_HOST: '10.0.0.1' } })).of(20).state).toBe(
      'ok',
    );
  });

  test('21: a key that everybody can read; keys that are not those at publicUrl', async () => {
    const keys = join(site.dir, 'other-keys');
    await mkdir(keys, { mode: 0o700 });
    await writeFile(join(keys, 'other.pem'), newKey(), { mode: 0o600 });
    expectOnly(await all({ PORTCULLIS_TOKENS_KEYS: keys }), 21, 'FAIL');
    await cp(join(site.dir, 'keys/first.pem'), join(keys, 'other.pem'));
    await chmod(join(keys, 'other.pem'), 0o644);
    expectOnly(await all({ PORTCULLIS_TOKENS_KEYS: keys }), 21, 'FAIL');
    await chmod(join(keys, 'other.pem'), 0o600);
    expectOnly(await all({ PORTCULLIS_TOKENS_KEYS: keys }), 21, 'ok');
  });

  test('22: a state directory that others look into, or that is none', async () => {
    await chmod(join(site.dir, 'state'), 0o755);
    const report = await all();
    expectOnly(report, 22, 'warn');
    await chmod(join(site.dir, 'state'), 0o700);
    expect(report.of(22).fix).toContain('chmod 700');
    const env = { PORTCULLIS_STATE_DIR: join(site.dir, 'portcullis.yaml') };
    expect((await site.doctor(['--only', '22'], { env })).of(22).state).toBe('FAIL');
  });

  test('23: few open files of the gateway; of doctor, where no gateway runs', async () => {
    const few = ['sh', '-c', 'ulimit -n 4096 && exec "$@"', 'sh'];
    const other = await openSite(registry.url);
    const of23 = async (by?: readonly string[]) => (await other.doctor(['--only', '23'], { ...(by && { by }) })).of(23);
    expect([(await of23()).state, (await of23(few)).state]).toEqual(['ok', 'FAIL']);
    const limited = await other.serve({}, few);
    expect((await of23()).found).toBe('4096 open files: two for each transfer');
    await limited.stop();
    await other.remove();
  });

  test('24: a first password that lies about; nobody who can log in', async () => {
    const first = join(site.dir, 'state/initial-admin-password');
    await writeFile(first, 'secret\n');
    const report = await all();
    expectOnly(report, 24, 'warn');
    expect(JSON.stringify(report.checks)).not.toContain('"secret');
    await rm(first);
    const env = { PORTCULLIS_POLICIES: join(site.dir, 'nobody') };
    await mkdir(join(site.dir, 'nobody'));
    await writeFile(join(site.dir, 'nobody/p.yaml'), 'groups: { admins: {} }\n');
    expect((await site.doctor(['--only', '24'], { env })).of(24).state).toBe('FAIL');
  });

  test('25: strangers push; a rule that waits in shadow; one that no test needs', async () => {
    const dir = join(site.dir, 'open');
    const file = join(dir, 'p.yaml');
    const rule = (more: string): string =>
      `rules:\n  - { name: r, subjects: [everyone], repositories: ['x/**'], actions: [push]${more} }\n`;
    const judge = async (text: string) => {
      await writeFile(file, text);
      return (await site.doctor(['--only', '25'], { env: { PORTCULLIS_POLICIES: dir } })).of(25);
    };
    await mkdir(dir);
    const tested = 'tests: [{ name: t, as: anonymous, allow: [push x/y] }]\n';
    expect(await judge(rule('') + tested)).toMatchObject({ state: 'FAIL' });
    expect((await judge(rule('').replace('everyone', 'authenticated'))).found).toContain('no test would miss');
    const shadow = rule(', mode: shadow').replace('everyone', 'authenticated');
    expect((await judge(shadow)).state).toBe('ok');
    const old = new Date(Date.now() - 31 * 86_400_000);
    await utimes(file, old, old);
    const kept = await site.doctor(['--only', '25'], { env: { PORTCULLIS_POLICIES: dir } });
    expect(kept.of(25)).toMatchObject({ state: 'warn', found: expect.stringContaining('in shadow') as string });
  });

  test('26: the admin listener at the host of publicUrl', async (context) => {
    const address = ownAddress();
    if (address === undefined) return context.skip('this machine has no address but loopback');
    const admin = await startStandIn((_, response) => void response.end('ok\n'), { address: '0.0.0.0' });
    const env = { PORTCULLIS_PUBLIC_URL: `http://${address}:1`, PORTCULLIS_ADMIN_LISTEN: `127.0.0.1:${admin.port}` };
    expect((await site.doctor(['--only', '26'], { env })).of(26).state).toBe('FAIL');
    await admin.close();
    expect((await site.doctor(['--only', '26'], { env })).of(26).state).toBe('ok');
  });

  test('27: a wrong password, which is told to nobody', async () => {
    const report = await site.doctor(everything, { input: 'battery staple' });
    expectOnly(report, 27, 'FAIL');
    expect(JSON.stringify(report.checks)).not.toContain('battery');
  });

  test('28: a log that standard output does not take', async () => {
    const other = await openSite(registry.url);
    const full = await other.serve({}, ['sh', '-c', 'exec "$@" >/dev/full', 'sh']);
    await eventually('a line was lost', async () =>
      /dropped_total [1-9]/.test(await (await fetch(`${other.adminUrl}/metrics`)).text()),
    );
    const report = await other.doctor();
    expect(report.in('FAIL')).toEqual([28]);
    await full.stop();
    await other.remove();
  });

  test('28: a disk that is full before audit files are deleted, or takes no more', async () => {
    const other = await openSite(registry.url);
    const directory = join(other.dir, 'audit');
    await mkdir(directory);
    await other.configure({ audit: { directory } });
    const yesterday = join(directory, `${new Date(Date.now() - 86_400_000).toISOString().slice(0, 10)}.gate.jsonl`);
    const only = async () => (await other.doctor(['--only', '28'])).of(28);
    expect((await only()).state).toBe('ok');
    const serving = await other.serve();
    // Holes take no room: a file of a tenth of what is free, then of more than that.
    const { bavail, bsize } = await statfs(directory);
    await writeFile(yesterday, '');
    await truncate(yesterday, Math.floor((bavail * bsize) / 10));
    expect(await only()).toMatchObject({ state: 'warn', found: expect.stringContaining('is full in ') as string });
    await truncate(yesterday, 2 * bavail * bsize);
    const report = await other.doctor();
    expect(report.in('FAIL')).toEqual([28]);
    expect(report.of(28).fix).toContain('audit.keep');
    await serving.stop();
    await other.remove();
  });

  async function withRegistry(
    options: RegistryOptions,
    judge: (url: string, registry: RegistryProcess) => Promise<void>,
  ): Promise<void> {
    const other = await startRegistry(options);
    await judge(other.url, other).finally(other.stop);
  }
});

/** An IPv4 address that is not loopback. */
function ownAddress(): string | undefined {
  return Object.values(networkInterfaces())
    .flatMap((each) => each ?? [])
    .find(({ family, internal }) => family === 'IPv4' && !internal)?.address;
}

describeWithPrograms(['openssl'], 'doctor: TLS', () => {
  test('10: believed or not, soon over, of another key, and none at all', async () => {
    const registry = await startStandIn((request, response) => void (request.resume(), response.end('{}')));
    const site = await openSite(registry.url);
    const [cert, key, other] = ['tls.crt', 'tls.key', 'other.key'].map((name) => join(site.dir, name)) as [
      string,
      string,
      string,
    ];
    await makeCertificate(join(site.dir, 'other.crt'), other);
    await makeCertificate(cert, key, 60);
    await site.configure({ publicUrl: site.url.replace('http:', 'https:'), tls: { cert, key } });
    const gateway = await site.serve();
    const judge = async (env = {}) => (await site.doctor(['--only', '7,10'], { env })).in('FAIL');
    const believed = { NODE_EXTRA_CA_CERTS: cert };
    expect(await judge(believed)).toEqual([]);
    expect(await judge()).toEqual([10]);
    expect(await judge({ ...believed, PORTCULLIS_TLS_KEY: other })).toEqual([10]);
    const plain = { PORTCULLIS_PUBLIC_URL: 'http://registry.invalid' };
    expect((await site.doctor(['--only', '10'], { env: plain })).of(10).state).toBe('FAIL');
    await makeCertificate(cert, key, 2);
    await eventually(
      'it is served',
      async () => (await site.doctor(['--only', '10'], { env: believed })).of(10).state === 'warn',
    );
    await gateway.stop();
    await site.remove();
    await registry.close();
  });
});

describe('doctor and the network', () => {
  test('peers that accept and say nothing hold it up to its own deadline, and no check is ok by their silence', async () => {
    const { createServer } = await import('node:net');
    const server = createServer(() => undefined);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as { port: number };
    const at = `127.0.0.1:${port}`;
    const site = await openSite(`http://${at}`, {
      publicUrl: `http://${at}`,
      redis: `redis://${at}/0`,
      admin: { listen: at },
    });
    await writeFile(join(site.dir, 'state/admin-token'), `${'t'.repeat(43)}\n`, { mode: 0o600 });
    const flags = ['--as', 'dana', '--password-stdin', '--write', 'sandbox/doctor', '--from', `http://${at}`];
    const timed = async (args: readonly string[]) => {
      const begun = performance.now();
      const report = await site.doctor(args, { input: password });
      return { report, ms: performance.now() - begun };
    };
    const { ms: startMs } = await timed(['--offline']);
    const { report, ms } = await timed(flags);
    // Eleven seconds, and as long as this machine takes to run it at all.
    expect(ms).toBeLessThan(12_000 + 2 * startMs);
    expect(report.code).toBe(1);
    expect(
      report.checks.filter(
        ({ number, state }) => [7, 8, 9, 11, 12, 14, 15, 16, 17, 18, 19, 27, 28].includes(number) && state === 'ok',
      ),
    ).toEqual([]);
    expect(report.in('FAIL')).toEqual(expect.arrayContaining([7, 11, 17]) as number[]);
    server.close();
    await site.remove();
  });

  test('--offline opens no connection beyond loopback', async (context) => {
    const address = ownAddress();
    if (address === undefined) return context.skip('this machine has no address but loopback');
    const far = await startStandIn((request, response) => void (request.resume(), response.end('{}')), {
      address: '0.0.0.0',
    });
    const host = `${address}:${far.port}`;
    const site = await openSite(`http://${host}`, {
      publicUrl: `http://${host}`,
      redis: `redis://${host}/0`,
      admin: { listen: `${address}:${far.port + 1}` },
    });
    const flags = ['--as', 'dana', '--password-stdin', '--write', 'sandbox/doctor', '--from', `http://${host}`];
    const report = await site.doctor(['--offline', ...flags], { input: password });
    expect(far.connections()).toBe(0);
    expect(report.in('skip')).toEqual(
      expect.arrayContaining([7, 8, 9, 11, 12, 14, 15, 16, 17, 18, 19, 20, 27, 28]) as number[],
    );
    await site.doctor(flags, { input: password });
    expect(far.connections()).toBeGreaterThan(0);
    await far.close();
    await site.remove();
  });
});
