/** Real registries that let in nobody but the gateway. */
import { chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type UpstreamTerms, soleUpstream } from '../../src/config/upstreams.ts';
import { Secret } from '../../src/secret.ts';
import { eventually } from '../support/eventually.ts';
import { type GatewayHere, basic, startGatewayHere, testConfig } from '../support/gateway.ts';
import { describeWithPrograms } from '../support/programs.ts';
import { type Carrier, carrierAt } from '../support/pushed.ts';
import { type RegistryProcess, startRegistry } from '../support/registry.ts';
import { makeTempDir, removeTempDir } from '../support/temp-dir.ts';

const policies = `
users:
  dana: { password: "$argon2id$v=19$m=8192,t=1,p=1$iKSpCHSoNI8PAz4ateNqYg$M2VJNCPpSgUmYyHR2e/+3dj57D+SFIDZ+OG0HU6URjk" }
rules:
  - { name: all, subjects: ["user:dana"], repositories: ["**"], actions: [pull, push, delete, catalog] }
`;
const login = { account: 'svc', password: 'pass-word-of-svc' };
const timeouts = { connectMs: 2000, idleMs: 15_000, responseMs: 15_000 } as const;

describeWithPrograms(['docker-registry'], 'registries with a password of their own', () => {
  let guarded: RegistryProcess;
  let plain: RegistryProcess;
  let dir: string;
  let front: GatewayHere;
  let dana: Carrier;

  beforeAll(async () => {
    dir = await makeTempDir('upstream-login');
    [guarded, plain] = await Promise.all([startRegistry({ login }), startRegistry()]);
    await writeFile(join(dir, 'secret'), `${login.password}\n`);
    await writeFile(join(dir, 'other'), 'not the password\n');
    const helper = join(dir, 'docker-credential-here');
    await writeFile(
      helper,
      `#!/bin/sh\ncat >/dev/null\necho '${JSON.stringify({ Username: login.account, Secret: login.password })}'\n`,
    );
    await chmod(helper, 0o755);
    const at = (name: string, terms: Partial<UpstreamTerms>, url = guarded.url): UpstreamTerms => ({
      ...soleUpstream(url, { timeouts, redirects: { mode: 'pass', hosts: [] } }),
      ...{ name, prefix: name, remotePrefix: 'team', tokenHosts: [] },
      ...terms,
    });
    process.env['PATH'] = `${dir}:${process.env['PATH'] ?? ''}`;
    const { account: username } = login;
    front = await startGatewayHere(
      { 'policy.yaml': policies },
      testConfig('', timeouts, undefined, [
        at('main', { prefix: '', remotePrefix: '' }, plain.url),
        at('given', { credentials: { username, password: new Secret(login.password) } }),
        at('filed', { credentials: { username, passwordFile: join(dir, 'secret') } }),
        at('helped', { credentials: { helper: 'here' } }),
        at('wrong', { credentials: { username, passwordFile: join(dir, 'other') } }),
        at('none', {}),
        at('hanging', { credentials: { helper: 'nowhere' } }),
      ]),
    );
    dana = carrierAt(front.url, `Basic ${basic}`);
  });

  afterAll(async () => {
    process.env['PATH'] = (process.env['PATH'] ?? '').replace(`${dir}:`, '');
    await front.close();
    await guarded.stop();
    await plain.stop();
    await removeTempDir(dir);
  });

  const readiness = async (name: string): Promise<string> => {
    const text = await (await fetch(`${front.adminUrl}/readyz?verbose`)).text();
    return text.split('\n').find((line) => line.includes(`upstream ${name}`)) ?? text;
  };

  test.each(['given', 'filed', 'helped'])('take what is pushed, and give it back (%s)', async (prefix) => {
    expect(await dana.push(`${prefix}/${prefix}`, 'v1')).toBe(201);
    expect(await dana.pull(`${prefix}/${prefix}`, 'v1')).toEqual({ status: 200, isWhole: true });
    const tags = await dana.ask(`/v2/${prefix}/${prefix}/tags/list`);
    expect(await tags.json()).toMatchObject({ name: `${prefix}/${prefix}`, tags: ['v1'] });
    const deleted = await dana.ask(`/v2/${prefix}/${prefix}/manifests/v1`, { method: 'HEAD' });
    const digest = deleted.headers.get('docker-content-digest') ?? '';
    expect((await dana.ask(`/v2/${prefix}/${prefix}/manifests/${digest}`, { method: 'DELETE' })).status).toBe(202);
    expect(await readiness(prefix)).toContain('ok');
  });

  describe('that refuse it', () => {
    test.each([
      ['wrong', 'its credentials are refused by'],
      ['none', 'access control of its own'],
      ['hanging', 'docker-credential-nowhere is not on PATH'],
    ])('never ask a client for a password (%s)', async (prefix, detail) => {
      const before = front.records.length;
      expect(await dana.push(`${prefix}/app`, 'v1')).toBe(502);
      const reply = await dana.ask(`/v2/${prefix}/app/manifests/v1`);
      expect(reply.status).toBe(502);
      expect(reply.headers.get('www-authenticate')).toBeNull();
      expect(await reply.json()).toMatchObject({ errors: [{ code: 'UNAVAILABLE' }] });
      const reason = prefix === 'none' ? 'upstream_broken' : 'upstream_login_failed';
      await eventually('both are recorded', () => front.records.length >= before + 2);
      expect(front.records.slice(before)).toMatchObject([
        { decision: 'error', reason, status: 502 },
        { decision: 'error', reason, status: 502 },
      ]);
      await eventually('the page says so', async () => (await readiness(prefix)).includes(detail));
      expect(await readiness(prefix)).toContain('degraded');
      // Nobody else has anything to do with it.
      expect((await fetch(`${front.adminUrl}/readyz`)).status).toBe(200);
      expect(await dana.push('shop/app', 'v1')).toBe(201);
    });

    test('hear the wrong password a few times, and not at each request', async () => {
      for (let count = 0; count < 20; count++)
        expect(await dana.pull('wrong/app', 'v1')).toMatchObject({ status: 502 });
      const log = await guarded.settledAccessLog();
      expect(log.split('\n').filter((line) => line.includes(' 401 ') && line.includes('svc')).length).toBeLessThan(5);
      expect(
        front.logged.filter((line) => line.includes('upstream_login_failed') && line.includes('"wrong"')),
      ).toHaveLength(1);
    });

    test('let it in as soon as the password is right', async () => {
      await writeFile(join(dir, 'other'), login.password);
      expect(await dana.push('wrong/late', 'v1')).toBe(201);
      await eventually('the page says so', async () => (await readiness('wrong')).includes('ok'));
    });
  });

  test('nothing of it is written down', () => {
    const written = JSON.stringify([front.records, front.logged]);
    for (const secret of [login.password, 'not the password', Buffer.from(`svc:${login.password}`).toString('base64')])
      expect(written).not.toContain(secret);
    expect(front.errors).toEqual([]);
  });
});
