/** distribution 3 that verifies our tokens itself, with docker's own protocol and with skopeo: nothing of it passes through the gateway. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { registries } from '../conformance/registries.mjs';
import { freePort } from '../support/free-port.ts';
import { type GatewayProcess, startGatewayProcess } from '../support/gateway.ts';
import { quickHash } from '../support/policies.ts';
import { describeWithPrograms, run } from '../support/programs.ts';
import { carrierAt } from '../support/pushed.ts';
import { makeTempDir, removeTempDir } from '../support/temp-dir.ts';
import { cli } from '../support/trial.ts';

const password = 'pass-word-of-dana';
const basic = (name: string): string => `Basic ${Buffer.from(`${name}:${password}`).toString('base64')}`;

describeWithPrograms(['go', 'skopeo'], 'distribution 3 with tokens of a gateway in token mode', () => {
  let dir: string;
  let gateway: GatewayProcess;
  let registry: { readonly url: string; readonly stop: () => unknown };
  let program: unknown;
  let port: number;

  const policyOf = (hash: string, more = ''): string => `
users: { dana: { password: "${hash}" }, lena: { password: "${hash}"${more} } }
rules:
  - { name: work, subjects: ["user:dana"], repositories: ["team/**"], actions: [pull, push, delete] }
  - { name: read, subjects: ["user:lena"], repositories: ["team/**"], actions: [pull] }
`;
  const startRegistry = async (name: string): Promise<void> => {
    const jwks = join(dir, `${name}.json`);
    await writeFile(jwks, await (await fetch(`${gateway.url}/.well-known/jwks.json`)).text());
    const { host } = new URL(gateway.url);
    const token = { realm: `${gateway.url}/token`, service: host, issuer: gateway.url, jwks };
    registry = await registries.distribution3.start(program, join(dir, name), { port, auth: { token } });
  };
  const tokenOf = async (name: string, scope: string): Promise<string> => {
    const { host } = new URL(gateway.url);
    const query = `service=${host}&scope=${scope}`;
    const reply = await fetch(`${gateway.url}/token?${query}`, { headers: { authorization: basic(name) } });
    return `Bearer ${((await reply.json()) as { readonly token: string }).token}`;
  };

  beforeAll(async () => {
    dir = await makeTempDir('token-mode');
    await mkdir(join(dir, 'build'));
    program = await registries.distribution3.provide(join(dir, 'build'));
    port = await freePort();
    const policies = { 'policy.yaml': policyOf(await quickHash(password)) };
    const env = { PORTCULLIS_ENFORCE: 'token', PORTCULLIS_TOKENS_ACCESS_TTL: '60s' };
    gateway = await startGatewayProcess({ upstream: `http://127.0.0.1:${port}`, policies, env });
    await startRegistry('first');
  }, 600_000);

  afterAll(async () => {
    await registry?.stop();
    await gateway?.stop();
    await removeTempDir(dir);
  });

  test('takes what may be pushed and gives it to who may pull, and refuses the rest', async () => {
    const dana = carrierAt(registry.url, await tokenOf('dana', 'repository:team/app:pull,push'));
    expect(await dana.push('team/app', 'v1')).toBe(201);
    const lena = carrierAt(registry.url, await tokenOf('lena', 'repository:team/app:pull,push'));
    expect(await lena.pull('team/app', 'v1')).toEqual({ status: 200, isWhole: true });
    expect(await lena.push('team/app', 'v2')).toBe(401);
    const elsewhere = carrierAt(registry.url, await tokenOf('dana', 'repository:other/app:pull,push'));
    expect(await elsewhere.push('other/app', 'v1')).toBe(401);
    const nobody = await fetch(`${registry.url}/v2/team/app/manifests/v1`);
    expect(nobody.status).toBe(401);
    expect(nobody.headers.get('www-authenticate')).toContain(`realm="${gateway.url}/token"`);
    expect(gateway.logs().filter((line) => line['event'] === 'access')).toEqual([]);
  });

  test('skopeo logs in by the challenge of the registry and copies', async () => {
    const { host } = new URL(registry.url);
    const options = ['--src-tls-verify=false', '--dest-tls-verify=false', `--src-creds=dana:${password}`];
    const copy = (name: string) =>
      run('skopeo', [
        ...['copy', ...options, `--dest-creds=${name}:${password}`],
        ...[`docker://${host}/team/app:v1`, `docker://${host}/team/copy-of-${name}:v1`],
      ]);
    expect(await copy('dana')).toMatchObject({ code: 0 });
    expect((await copy('lena')).code).not.toBe(0);
  });

  test('somebody who is shut out gets no further token, and what they hold ends with its minute', async () => {
    const before = await tokenOf('lena', 'repository:team/app:pull');
    const { exp, iat } = JSON.parse(Buffer.from(before.split('.')[1] ?? '', 'base64url').toString()) as Readonly<
      Record<string, number>
    >;
    expect((exp ?? 0) - (iat ?? 0)).toBe(60);
    const hash = await quickHash(password);
    await writeFile(join(gateway.policiesDir, 'policy.yaml'), policyOf(hash, ', disabled: true'));
    await gateway.findLog((line) => line['event'] === 'policy' && line['decision'] === 'allow');
    const { host } = new URL(gateway.url);
    const query = `service=${host}&scope=repository:team/app:pull`;
    const reply = await fetch(`${gateway.url}/token?${query}`, { headers: { authorization: basic('lena') } });
    expect(reply.status).toBe(401);
  });

  test('a next key, a restart of the registry, and a rotation: no token is refused on the way', async () => {
    const env = { HOME: dir };
    const keys = join(gateway.policiesDir, '..', 'state', 'keys');
    const key = (verb: string) => run(process.execPath, [cli, 'key', verb, '--keys', keys], { cwd: dir, env });
    const held = async (): Promise<number> =>
      ((await (await fetch(`${gateway.url}/.well-known/jwks.json`)).json()) as { readonly keys: readonly unknown[] })
        .keys.length;
    const works = async (): Promise<number> =>
      (
        await fetch(`${registry.url}/v2/team/app/manifests/v1`, {
          headers: {
            authorization: await tokenOf('dana', 'repository:team/app:pull'),
            accept: 'application/vnd.oci.image.manifest.v1+json',
          },
        })
      ).status;
    expect(await key('next')).toMatchObject({ code: 0 });
    await expect.poll(held, { timeout: 10_000 }).toBe(2);
    expect(await works()).toBe(200);
    await registry.stop();
    await startRegistry('second');
    const before = carrierAt(registry.url, await tokenOf('dana', 'repository:team/app:pull,push'));
    expect(await before.push('team/app', 'v1')).toBe(201);
    const kidNow = async (): Promise<unknown> =>
      (
        JSON.parse(
          Buffer.from(
            (await tokenOf('dana', 'repository:team/app:pull')).slice(7).split('.')[0] ?? '',
            'base64url',
          ).toString(),
        ) as { readonly kid: unknown }
      ).kid;
    const first = await kidNow();
    expect(await key('rotate')).toMatchObject({ code: 0 });
    await expect.poll(kidNow, { timeout: 60_000, interval: 1000 }).not.toBe(first);
    expect(await works()).toBe(200);
  }, 120_000);
});
