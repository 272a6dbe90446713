/** A registry of distribution 3 that wants tokens of another Portcullis, behind this one. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { soleUpstream } from '../../src/config/upstreams.ts';
import { Secret } from '../../src/secret.ts';
import { registries } from '../conformance/registries.mjs';
import { freePort } from '../support/free-port.mjs';
import {
  type GatewayHere,
  type GatewayProcess,
  basic,
  startGatewayHere,
  startGatewayProcess,
  testConfig,
} from '../support/gateway.ts';
import { quickHash } from '../support/policies.ts';
import { describeWithPrograms } from '../support/programs.ts';
import { type Carrier, carrierAt } from '../support/pushed.ts';
import { makeTempDir, removeTempDir } from '../support/temp-dir.ts';

const password = 'pass-word-of-svc';

describeWithPrograms(['go'], 'a registry whose tokens another Portcullis gives', () => {
  let dir: string;
  let realm: GatewayProcess;
  let registry: { readonly url: string; readonly stop: () => unknown };
  let front: GatewayHere;
  let dana: Carrier;

  beforeAll(async () => {
    dir = await makeTempDir('upstream-tokens');
    await mkdir(join(dir, 'build'));
    const { provide, start } = registries.distribution3;
    const program = await provide(join(dir, 'build'));
    const port = await freePort();
    const url = `http://127.0.0.1:${port}`;
    const rules = `
users: { svc: { password: "${await quickHash(password)}" } }
rules:
  - { name: work, subjects: ["user:svc"], repositories: ["team/**"], actions: [pull, push, delete] }
  - { name: list, subjects: ["user:svc"], repositories: ["**"], actions: [catalog] }
  - { name: not-all, effect: deny, subjects: [everyone], repositories: ["team/secret"], actions: [pull, push] }
`;
    realm = await startGatewayProcess({ upstream: url, policies: { 'policy.yaml': rules } });
    const jwks = join(dir, 'jwks.json');
    await writeFile(jwks, await (await fetch(`${realm.url}/.well-known/jwks.json`)).text());
    const { host } = new URL(realm.url);
    const token = { realm: `${realm.url}/token`, service: host, issuer: realm.url, jwks };
    registry = await start(program, join(dir, 'run'), { port, auth: { token } });
    const timeouts = { connectMs: 2000, idleMs: 15_000, responseMs: 15_000 } as const;
    const cloud = {
      ...soleUpstream(url, { timeouts, redirects: { mode: 'pass', hosts: [] } }),
      ...{ name: 'cloud', prefix: 'partner', remotePrefix: 'team', tokenHosts: [host] },
      credentials: { username: 'svc', password: new Secret(password) },
    };
    const policies = `
users:
  dana: { password: "$argon2id$v=19$m=8192,t=1,p=1$iKSpCHSoNI8PAz4ateNqYg$M2VJNCPpSgUmYyHR2e/+3dj57D+SFIDZ+OG0HU6URjk" }
rules: [{ name: all, subjects: ["user:dana"], repositories: ["**"], actions: [pull, push, delete, catalog] }]
`;
    front = await startGatewayHere({ 'policy.yaml': policies }, testConfig('', timeouts, undefined, [cloud]));
    dana = carrierAt(front.url, `Basic ${basic}`);
  }, 600_000);

  afterAll(async () => {
    await front.close();
    await registry.stop();
    await realm.stop();
    await removeTempDir(dir);
  });

  /** What tokens were asked for since, by scope, in their order. */
  const scopesAfter = (count: number): readonly unknown[] =>
    realm
      .logs()
      .slice(count)
      .flatMap((line) => (['token', 'login'].includes(String(line['event'])) ? [line['scope']] : []));

  test('takes what is pushed and gives it back, for tokens of each scope by itself', async () => {
    const before = realm.logs().length;
    expect(await dana.push('partner/app', 'v1')).toBe(201);
    expect(await dana.pull('partner/app', 'v1')).toEqual({ status: 200, isWhole: true });
    const { digest } = {
      digest:
        (await dana.ask('/v2/partner/app/manifests/v1', { method: 'HEAD' })).headers.get('docker-content-digest') ?? '',
    };
    expect(
      (await dana.ask(`/v2/partner/other/blobs/uploads/?mount=${digest}&from=partner/app`, { method: 'POST' })).status,
    ).toBe(202);
    expect(await (await dana.ask('/v2/_catalog')).json()).toEqual({ repositories: ['partner/app'] });
    expect((await dana.ask(`/v2/partner/app/manifests/${digest}`, { method: 'DELETE' })).status).toBe(202);
    await realm.findLog((line) => line['scope'] === 'repository:team/app:delete');
    const asked = scopesAfter(before).filter((scope) => scope !== '');
    expect([...asked].sort()).toEqual([
      'registry:catalog:*',
      'repository:team/app:delete',
      'repository:team/app:pull',
      'repository:team/app:pull,push',
      'repository:team/other:pull,push repository:team/app:pull',
    ]);
  });

  test('a hundred pulls at once of what nobody asked for yet cost one token', async () => {
    const before = realm.logs().length;
    const blob = `/v2/partner/cold/blobs/sha256:${'0'.repeat(64)}`;
    const replies = await Promise.all(Array.from({ length: 100 }, () => dana.ask(blob, { method: 'HEAD' })));
    expect(new Set(replies.map(({ status }) => status))).toEqual(new Set([404]));
    await realm.findLog((line) => line['scope'] === 'repository:team/cold:pull');
    expect(scopesAfter(before).filter((scope) => scope === 'repository:team/cold:pull')).toHaveLength(1);
  });

  test('one that may not read a repository is not shut out of the others', async () => {
    const reply = await dana.ask('/v2/partner/secret/manifests/v1');
    expect([reply.status, reply.headers.get('www-authenticate')]).toEqual([502, null]);
    expect(front.records.at(-1)).toMatchObject({ reason: 'upstream_login_failed', status: 502 });
    expect(await dana.push('partner/app', 'v2')).toBe(201);
    const page = await (await fetch(`${front.adminUrl}/readyz?verbose`)).text();
    expect(page).not.toContain('credentials are refused');
    expect(JSON.stringify([front.records, front.logged])).not.toContain(password);
  });
});
