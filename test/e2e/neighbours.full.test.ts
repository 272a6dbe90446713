/** The build that was landed before this one and this one, beside each other on one Redis, as while a rollout lasts. */
import { execFileSync } from 'node:child_process';
import { symlink, writeFile } from 'node:fs/promises';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type GatewayProcess, startGatewayProcess } from '../support/gateway.ts';
import { quickHash } from '../support/policies.ts';
import { describeWithPrograms } from '../support/programs.ts';
import { carrierAt } from '../support/pushed.ts';
import { type RedisServer, startRedisServer } from '../support/redis.ts';
import { type RegistryProcess, startRegistry } from '../support/registry.ts';
import { newKey } from '../support/replicas.ts';
import { makeTempDir, removeTempDir } from '../support/temp-dir.ts';
import { projectDir } from '../support/trial.ts';
import { logIn, pullStatus, pulledDigest, renew, revoke } from './support/accounts.ts';

/** Moved on when a newer state has been in use somewhere. */
const before = '24ef86f';
const password = 'pass-word-of-all';
const scope = 'repository:team/app:pull,push';
const publicUrl = 'https://registry.example.com';

describeWithPrograms(['docker-registry', 'redis-server', 'git', 'tar'], 'the build before and this one', () => {
  let dir: string;
  let registry: RegistryProcess;
  let redis: RedisServer;
  let old: GatewayProcess;
  let now: GatewayProcess;
  let olderProgram: string;

  const start = (program: string | undefined, store: Readonly<Record<string, string>>): Promise<GatewayProcess> =>
    startGatewayProcess({
      upstream: registry.url,
      policies: {},
      publicUrl,
      ...(program === undefined ? {} : { program }),
      env: { PORTCULLIS_POLICIES: join(dir, 'policies'), PORTCULLIS_TOKENS_KEYS: join(dir, 'keys'), ...store },
    });

  beforeAll(async () => {
    dir = await makeTempDir('neighbours');
    for (const name of ['older', 'policies', 'keys']) await mkdir(join(dir, name));
    const source = join(dir, 'older.tar');
    execFileSync('git', ['archive', '--output', source, before], { cwd: projectDir });
    execFileSync('tar', ['-xf', source, '-C', join(dir, 'older')]);
    await symlink(join(projectDir, 'node_modules'), join(dir, 'older', 'node_modules'));
    execFileSync('npm', ['run', 'build', '--silent'], { cwd: join(dir, 'older') });
    olderProgram = join(dir, 'older', 'dist', 'cli.js');
    const hash = await quickHash(password);
    await writeFile(
      join(dir, 'policies', 'p.yaml'),
      `users: { dana: { password: "${hash}" }, otto: { password: "${hash}" } }
rules: [{ name: all, subjects: [authenticated], repositories: ["team/**"], actions: [pull, push] }]
limits: [{ name: pulls, subjects: ["user:otto"], count: pull, per: account, rate: 6/1h }]
`,
    );
    await writeFile(join(dir, 'keys', 'first.pem'), newKey(), { mode: 0o600 });
    registry = await startRegistry();
    redis = await startRedisServer();
    const store = { PORTCULLIS_REDIS: redis.url };
    [old, now] = await Promise.all([start(olderProgram, store), start(undefined, store)]);
    const dana = carrierAt(old.url, `Basic ${Buffer.from(`dana:${password}`).toString('base64')}`);
    expect(await dana.push('team/app', 'v1')).toBe(201);
  }, 300_000);
  afterAll(async () => {
    for (const gateway of [old, now]) await gateway?.stop();
    await redis?.stop();
    await registry?.stop();
    await removeTempDir(dir);
  });

  test('each takes the tokens of the other, and goes on with its logins', async () => {
    for (const [here, there] of [
      [old, now],
      [now, old],
    ] as const) {
      const { access, refresh } = await logIn(here.url, 'dana', password, scope);
      expect(await pullStatus(there.url, access, 'team/app:v1')).toBe(200);
      expect(await pullStatus(there.url, String(await renew(there.url, refresh, scope)), 'team/app:v1')).toBe(200);
    }
  });

  test('what is revoked at one has ended at the other', async () => {
    for (const [here, there] of [
      [old, now],
      [now, old],
    ] as const) {
      const { access, refresh } = await logIn(here.url, 'dana', password, scope);
      expect(await revoke(there.url, refresh)).toBe(200);
      await expect.poll(() => pullStatus(here.url, access, 'team/app:v1'), { timeout: 5000 }).toBe(401);
      expect(await renew(here.url, refresh, scope)).toBeGreaterThanOrEqual(400);
    }
  });

  test('what is pushed through one is what the next pull through the other gets', async () => {
    const { access } = await logIn(now.url, 'dana', password, scope);
    const basic = `Basic ${Buffer.from(`dana:${password}`).toString('base64')}`;
    for (const [here, there] of [
      [old, now],
      [now, old],
    ] as const) {
      expect(await carrierAt(here.url, basic).push('team/app', 'moving')).toBe(201);
      const seen = await pulledDigest(there.url, access, 'team/app:moving');
      expect(seen).toBe(await pulledDigest(here.url, access, 'team/app:moving'));
      expect(seen).toBe(await pulledDigest(registry.url, access, 'team/app:moving'));
    }
  });

  test('limits are counted by both together', async () => {
    const { access } = await logIn(now.url, 'otto', password, scope);
    const found: number[] = [];
    for (let each = 0; each < 8; each++)
      found.push(await pullStatus((each % 2 === 0 ? old : now).url, access, 'team/app:v1'));
    expect(found).toEqual([200, 200, 200, 200, 200, 200, 429, 429]);
  });

  test('going back, on Redis or on a state directory, keeps the logins', async () => {
    const onRedis = await logIn(now.url, 'dana', password, scope);
    expect(await pullStatus(old.url, String(await renew(old.url, onRedis.refresh, scope)), 'team/app:v1')).toBe(200);
    const store = { PORTCULLIS_STATE_DIR: join(dir, 'state') };
    const newer = await start(undefined, store);
    const { access, refresh } = await logIn(newer.url, 'dana', password, scope);
    await newer.stop();
    const older = await start(olderProgram, store);
    expect(await pullStatus(older.url, access, 'team/app:v1')).toBe(200);
    expect(await pullStatus(older.url, String(await renew(older.url, refresh, scope)), 'team/app:v1')).toBe(200);
    await older.stop();
  });
});
