/** A backup made while people push, put back elsewhere: who was logged in still is, and who was shut out stays out. */
import { cp, mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { type GatewayProcess, startGatewayProcess } from '../support/gateway.ts';
import { quickHash } from '../support/policies.ts';
import { describeWithPrograms, run } from '../support/programs.ts';
import { carrierAt } from '../support/pushed.ts';
import { type RedisServer, startRedisServer } from '../support/redis.ts';
import { type RegistryProcess, startRegistry } from '../support/registry.ts';
import { newKey } from '../support/replicas.ts';
import { makeTempDir, removeTempDir } from '../support/temp-dir.ts';
import { type Tokens, logIn, pullStatus, renew, revoke } from './support/accounts.ts';

const password = 'pass-word-of-all';
const scope = 'repository:team/app:pull,push';
const image = 'team/app:v1';
/** Its tokens are good wherever it runs. */
const publicUrl = 'https://registry.example.com';

describeWithPrograms(['docker-registry', 'redis-server', 'redis-cli'], 'a backup', () => {
  let registry: RegistryProcess;
  let hash: string;
  beforeAll(async () => {
    registry = await startRegistry();
    hash = await quickHash(password);
  });
  afterAll(() => registry?.stop());

  let dir: string;
  const ended: (() => Promise<unknown>)[] = [];
  beforeEach(async () => {
    dir = await makeTempDir('restore');
    for (const name of ['policies', 'keys', 'state']) await mkdir(join(dir, 'here', name), { recursive: true });
    const names = ['dana', 'otto', 'pia'];
    await writeFile(
      join(dir, 'here', 'policies', 'p.yaml'),
      `users: { ${names.map((name) => `${name}: { password: "${hash}" }`).join(', ')} }
rules: [{ name: all, subjects: [authenticated], repositories: ["team/**"], actions: [pull, push] }]
`,
    );
    await writeFile(join(dir, 'here', 'keys', 'first.pem'), newKey(), { mode: 0o600 });
  });
  afterEach(async () => {
    for (const end of ended.splice(0).reverse()) await end();
    await removeTempDir(dir);
  });

  const start = async (place: string, redis?: RedisServer): Promise<GatewayProcess> => {
    const gateway = await startGatewayProcess({
      upstream: registry.url,
      policies: {},
      publicUrl,
      env: {
        PORTCULLIS_POLICIES: join(dir, place, 'policies'),
        PORTCULLIS_TOKENS_KEYS: join(dir, place, 'keys'),
        PORTCULLIS_STATE_DIR: join(dir, place, 'state'),
        ...(redis === undefined ? {} : { PORTCULLIS_REDIS: redis.url }),
      },
    });
    ended.push(() => gateway.stop('SIGKILL'));
    return gateway;
  };

  /** Somebody logged in, somebody who logged out, and a token that was called back, while a fourth pushes on and on. */
  async function liveThrough(
    gateway: GatewayProcess,
    back: () => Promise<void>,
  ): Promise<Record<'dana' | 'otto' | 'pia', Tokens>> {
    const [dana, otto, pia] = await Promise.all(
      ['dana', 'otto', 'pia'].map((name) => logIn(gateway.url, name, password, scope)),
    );
    if (dana === undefined || otto === undefined || pia === undefined) throw new Error('unreachable');
    const pusher = carrierAt(gateway.url, `Basic ${Buffer.from(`dana:${password}`).toString('base64')}`);
    expect(await pusher.push('team/app', 'v1')).toBe(201);
    expect(await revoke(gateway.url, otto.refresh)).toBe(200);
    expect(await revoke(gateway.url, pia.access)).toBe(200);
    let isOver = false;
    const pushing = (async () => {
      const found = new Set<number>();
      for (let each = 0; !isOver; each++) found.add(await pusher.push(`team/busy${each % 3}`, `v${each}`));
      return found;
    })();
    await back();
    isOver = true;
    expect(await pushing).toEqual(new Set([201]));
    return { dana, otto, pia };
  }

  /** Of what is written anew right now, as it was before: what a writer has not put in its place yet may be gone any moment. */
  const copy = (): Promise<void> =>
    cp(join(dir, 'here'), join(dir, 'there'), {
      ...{ recursive: true, preserveTimestamps: true },
      filter: (path) => !path.endsWith('.tmp'),
    });

  async function expectAsBefore({ url }: GatewayProcess, { dana, otto, pia }: Record<'dana' | 'otto' | 'pia', Tokens>) {
    expect(await pullStatus(url, dana.access, image)).toBe(200);
    const renewed = await renew(url, dana.refresh, scope);
    expect(await pullStatus(url, String(renewed), image)).toBe(200);
    expect(await pullStatus(url, otto.access, image)).toBe(401);
    expect(await renew(url, otto.refresh, scope)).toBeGreaterThanOrEqual(400);
    expect(await pullStatus(url, pia.access, image)).toBe(401);
    expect(await pullStatus(url, String(await renew(url, pia.refresh, scope)), image)).toBe(200);
    const pusher = carrierAt(url, `Basic ${Buffer.from(`pia:${password}`).toString('base64')}`);
    expect(await pusher.push('team/app', 'v2')).toBe(201);
  }

  describe('of one gateway without Redis, its directories copied', () => {
    let people: Record<'dana' | 'otto' | 'pia', Tokens>;
    beforeEach(async () => {
      const before = await start('here');
      people = await liveThrough(before, copy);
      await before.stop('SIGKILL');
    });

    test('put back elsewhere, goes on with tokens, logins and revocations', async () => {
      await expectAsBefore(await start('there'), people);
    });

    test('without its keys: every access token has ended, logins go on', async () => {
      await rm(join(dir, 'there', 'keys'), { recursive: true });
      await mkdir(join(dir, 'there', 'keys'));
      await writeFile(join(dir, 'there', 'keys', 'other.pem'), newKey(), { mode: 0o600 });
      const { url } = await start('there');
      expect(await pullStatus(url, people.dana.access, image)).toBe(401);
      expect(await pullStatus(url, String(await renew(url, people.dana.refresh, scope)), image)).toBe(200);
    });

    test('without its state: everybody logs in again, and nobody is let in by what was revoked', async () => {
      await rm(join(dir, 'there', 'state'), { recursive: true });
      const { url } = await start('there');
      expect(await renew(url, people.dana.refresh, scope)).toBeGreaterThanOrEqual(400);
      expect(await renew(url, people.otto.refresh, scope)).toBeGreaterThanOrEqual(400);
      expect(await pullStatus(url, (await logIn(url, 'dana', password, scope)).access, image)).toBe(200);
    });

    test('without its policies nothing starts', async () => {
      await rm(join(dir, 'there', 'policies'), { recursive: true });
      await expect(start('there')).rejects.toThrow(/does not exist/);
    });
  });

  test('of gateways on Redis, by redis-cli --rdb, goes on with tokens, logins and revocations', async () => {
    const redis = await startRedisServer();
    ended.push(() => redis.stop());
    const before = await start('here', redis);
    const people = await liveThrough(before, async () => {
      await copy();
      const saved = await run('redis-cli', ['-p', `${redis.port}`, '--rdb', join(dir, 'dump.rdb')]);
      expect(saved).toMatchObject({ code: 0 });
    });
    await before.stop('SIGKILL');
    await redis.kill();
    const restored = async (...settings: readonly string[]): Promise<RedisServer> => {
      const server = await startRedisServer({ settings: ['--dir', dir, '--dbfilename', 'dump.rdb', ...settings] });
      ended.push(() => server.stop());
      return server;
    };
    // One that is to append from the start reads its own files alone.
    const appending = await restored('--appendonly', 'yes', '--appenddirname', 'none-yet');
    expect(await appending.admin.dbsize()).toBe(0);
    const first = await restored();
    await first.admin.config('SET', 'appendonly', 'yes');
    await eventually('all of it is appended', async () =>
      /aof_rewrite_in_progress:0\r\naof_rewrite_scheduled:0/.test(await first.admin.info('persistence')),
    );
    await first.kill();
    await expectAsBefore(await start('there', await restored('--appendonly', 'yes')), people);
  });
});
