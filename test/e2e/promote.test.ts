/** `portcullis promote` by the login that docker stores, in front of a real gateway and a real registry. */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type GatewayProcess, startGatewayProcess } from '../support/gateway.ts';
import { pushImage } from '../support/image.ts';
import { quickHash } from '../support/policies.ts';
import { type RunResult, describeWithPrograms, run } from '../support/programs.ts';
import { type RegistryProcess, startRegistry } from '../support/registry.ts';
import { makeTempDir, removeTempDir } from '../support/temp-dir.ts';
import { basic, cli } from '../support/trial.ts';

const password = 'correct horse';

describeWithPrograms(['docker-registry'], 'promote', () => {
  let registry: RegistryProcess;
  let gateway: GatewayProcess;
  let directory: string;
  let host: string;
  let digest: string;

  beforeAll(async () => {
    directory = await makeTempDir('promote');
    registry = await startRegistry();
    ({ digest } = await pushImage(registry.url, 'integration/app', 'approved-1'));
    await pushImage(registry.url, 'integration/app', 'build-2');
    await pushImage(registry.url, 'secret/app', '1');
    await pushImage(registry.url, 'release/app', 'v0');
    const hash = await quickHash(password);
    const policy = `users:
  rita: { password: "${hash}" }
  theo: { password: "${hash}" }
rules:
  - { name: reads, subjects: [authenticated], repositories: ['integration/**'], actions: [pull] }
  - { name: releases, subjects: ['user:rita'], repositories: ['release/**'], actions: [promote] }
  - { name: stays, effect: deny, subjects: [everyone], repositories: ['release/**'], tags: ['v*'], actions: [overwrite] }
gates:
  - { name: approved, repositories: ['release/**'], from: ['integration/**'], fromTags: ['approved-*'] }
`;
    gateway = await startGatewayProcess({ upstream: registry.url, policies: { 'p.yaml': policy } });
    ({ host } = new URL(gateway.url));
    for (const name of ['rita', 'theo']) await logIn(name);
  });
  afterAll(async () => {
    await gateway?.stop();
    await registry?.stop();
    await removeTempDir(directory);
  });

  /** What `docker login` does and keeps. */
  async function logIn(name: string): Promise<void> {
    const query = `service=${host}&client_id=docker&offline_token=true&account=${name}`;
    const reply = await fetch(`${gateway.url}/token?${query}`, { headers: { authorization: basic(name, password) } });
    const { refresh_token: identitytoken } = (await reply.json()) as { refresh_token: string };
    await mkdir(join(directory, name), { recursive: true });
    const auths = { [host]: { auth: Buffer.from(`${name}:`).toString('base64'), identitytoken } };
    await writeFile(join(directory, name, 'config.json'), JSON.stringify({ auths }));
  }

  function promote(name: string, source: string, target: string, ...options: readonly string[]): Promise<RunResult> {
    const env = { HOME: directory, DOCKER_CONFIG: join(directory, name), NODE_ENV: 'production' };
    return run(process.execPath, [cli, 'promote', `${host}/${source}`, target, ...options], { cwd: directory, env });
  }

  async function digestAt(name: string): Promise<string | null> {
    const [repository = '', tag = ''] = name.split(':');
    const headers = { accept: 'application/vnd.oci.image.manifest.v1+json' };
    const reply = await fetch(`${registry.url}/v2/${repository}/manifests/${tag}`, { method: 'HEAD', headers });
    return reply.status === 200 ? reply.headers.get('docker-content-digest') : null;
  }

  test('releases what was approved, by tag or by digest, and says what was done', async () => {
    const planned = await promote('rita', 'integration/app:approved-1', 'release/app:v1', '--dry-run');
    expect([planned.code, planned.stdout, await digestAt('release/app:v1')]).toEqual([
      0,
      `would promote integration/app:approved-1 to release/app:v1\n${digest}  1 manifest, 2 blobs\nnothing was changed\n`,
      null,
    ]);
    const promoted = await promote('rita', 'integration/app:approved-1', 'release/app:v1');
    expect(promoted).toMatchObject({ code: 0, stderr: '' });
    expect(promoted.stdout).toMatch(
      new RegExp(
        `^promoted integration/app:approved-1 to release/app:v1\n${digest}  1 manifest, 2 blobs, nothing copied, `,
      ),
    );
    expect(await digestAt('release/app:v1')).toBe(digest);
    const again = await promote('rita', `integration/app@${digest}`, 'release/app:v1');
    expect([again.code, again.stdout]).toEqual([
      0,
      `nothing to do: release/app:v1 is integration/app@${digest} already\n${digest}\n`,
    ]);
    const { stdout } = await promote('rita', `integration/app:any@${digest}`, 'release/app:v2', '--json');
    expect(JSON.parse(stdout)).toMatchObject({ digest, source: `integration/app@${digest}`, target: 'release/app:v2' });
  });

  test.each([
    ['rita', 'integration/app:nowhere', 'release/app:v3', /there is no integration\/app:nowhere that you may pull\n/],
    ['rita', 'secret/app:1', 'release/app:v3', /there is no secret\/app:1 that you may pull\n/],
    [
      'theo',
      'integration/app:approved-1',
      'release/app:v3',
      /user "theo" may not promote release\/app:v3: no rule allows it\n/,
    ],
    [
      'rita',
      'integration/app:approved-1',
      'release/app:v0',
      /release\/app:v0 is another image already.*\n.*a tag that is free/,
    ],
    [
      'rita',
      'integration/app:build-2',
      'release/app:v3',
      /not in integration\/app under a tag approved-\*.*\n.*what was approved/,
    ],
  ])('%s is refused %s to %s, with what to do', async (name, source, target, words) => {
    const before = await digestAt(target);
    for (const options of [[], ['--dry-run']]) {
      const { code, stdout, stderr } = await promote(name, source, target, ...options);
      expect([code, stdout, stderr]).toEqual([1, '', expect.stringMatching(words)]);
      expect(stderr).toMatch(/\n {4}fix: \S/);
    }
    expect(await digestAt(target)).toBe(before);
  });

  test('a login that was ended says to log in again', async () => {
    await logIn('theo');
    const [, theo = ''] =
      /"identitytoken":"([^"]+)"/.exec(await readFile(join(directory, 'theo/config.json'), 'utf8')) ?? [];
    const form = new URLSearchParams({ token: theo });
    expect((await fetch(`${gateway.url}/token/revoke`, { method: 'POST', body: form })).status).toBe(200);
    const { code, stderr } = await promote('theo', 'integration/app:approved-1', 'release/app:v3');
    expect([code, stderr]).toEqual([1, expect.stringContaining(`fix: docker login ${host}`)]);
  });

  test('nothing of a login is in the log of the gateway', () => {
    expect(gateway.stdout()).toContain('"event":"promotion"');
    for (const secret of [password, 'pct_', 'eyJ']) expect(gateway.stdout()).not.toContain(secret);
  });
});
