/** People of an LDAP directory at the gateway: in by its password and groups, out when they leave it, and what happens while it is away. */
import { writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { join } from 'node:path';
import { decodeJwt } from 'jose';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { directorySettings } from '../support/directories.ts';
import { eventually } from '../support/eventually.ts';
import { type GatewayHere, startGatewayHere, testConfig } from '../support/gateway.ts';
import { type Slapd, describeWithSlapd, password, people, service, startSlapd } from '../support/slapd.ts';
import { quickHash } from '../support/policies.ts';

const accessTtlSeconds = 2;
const refreshMs = 500;

interface Reply {
  readonly status: number;
  readonly headers: Headers;
  readonly access_token?: string;
  readonly refresh_token?: string;
  readonly errors?: readonly { readonly code: string; readonly message: string }[];
}

describeWithSlapd('people of an LDAP directory at the gateway', () => {
  let slapd: Slapd;
  let registry: Server;
  let upstream: string;
  let gateway: GatewayHere;
  let hash: string;

  const policy = (more = ''): string => `
groups:
  writers: { from: ["ldap:developers"] }
users:
  max: { password: '${hash}' }
  ${more}
rules:
  - { name: share, subjects: ['group:writers'], repositories: ['sandbox/**'], actions: [pull, push] }
  - { name: read, subjects: [authenticated], repositories: ['public/**'], actions: [pull] }
`;

  beforeAll(async () => {
    hash = await quickHash('maxes own');
    slapd = await startSlapd();
    registry = createServer((_, response) => response.writeHead(404).end('{"errors":[{"code":"MANIFEST_UNKNOWN"}]}'));
    await new Promise<void>((resolve) => registry.listen(0, '127.0.0.1', resolve));
    const address = registry.address();
    upstream = `http://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`;
  });
  afterAll(async () => {
    registry?.close();
    await slapd?.stop();
  });
  beforeEach(async () => {
    gateway = await startGatewayHere({ 'p.yaml': policy() }, (dir, policiesDir) => {
      const config = testConfig(upstream)(dir, policiesDir);
      const ldap = { ...directorySettings(slapd.url), refreshMs, staleForMs: 60_000 };
      return { ...config, tokens: { ...config.tokens, accessTtlSeconds }, logins: { ...config.logins, ldap } };
    });
  });
  afterEach(async () => {
    await slapd.setMembers('developers', [`uid=dana,${people}`]);
    const written = JSON.stringify([gateway.records, gateway.logged]);
    for (const secret of [password, service.password, 'maxes own']) expect(written).not.toContain(secret);
    expect(gateway.errors).toEqual([]);
    await gateway.close();
  });

  const post = async (form: Readonly<Record<string, string>>): Promise<Reply> => {
    const body = new URLSearchParams({ service: 'registry.test', client_id: 'test', ...form });
    const reply = await fetch(`${gateway.url}/token`, { method: 'POST', body });
    return { status: reply.status, headers: reply.headers, ...((await reply.json()) as object) };
  };
  const logIn = (username: string, given: string, scope = 'repository:sandbox/app:pull,push'): Promise<Reply> =>
    post({ grant_type: 'password', access_type: 'offline', username, password: given, scope });
  const renew = (token: string | undefined, scope = 'repository:sandbox/app:pull,push'): Promise<Reply> =>
    post({ grant_type: 'refresh_token', refresh_token: token ?? '', scope });
  const upload = async (token: string | undefined): Promise<number> => {
    const headers = { authorization: `Bearer ${token}` };
    return (await fetch(`${gateway.url}/v2/sandbox/app/blobs/uploads/`, { method: 'POST', headers })).status;
  };
  const pull = async (token: string | undefined, repository = 'sandbox/app'): Promise<number> => {
    const headers = { authorization: `Bearer ${token}` };
    return (await fetch(`${gateway.url}/v2/${repository}/manifests/latest`, { headers })).status;
  };
  /** From when it was issued. */
  const livesSeconds = (token = ''): number => {
    const { exp = Infinity, iat = 0 } = decodeJwt(token);
    return exp - iat;
  };
  const ready = async (): Promise<{ readonly status: number; readonly text: string }> => {
    const reply = await fetch(`${gateway.adminUrl}/readyz?verbose`);
    return { status: reply.status, text: await reply.text() };
  };
  const metrics = async (): Promise<string> => (await fetch(`${gateway.adminUrl}/metrics`)).text();

  test('log in, and may do what the policy gives the groups that it names', async () => {
    const dana = await logIn('dana', password);
    expect(dana).toMatchObject({ status: 200 });
    expect(await upload(dana.access_token)).toBe(404);
    const rita = await logIn('rita', password, 'repository:public/app:pull');
    expect(await pull(rita.access_token, 'public/app')).toBe(404);
    expect(await upload(rita.access_token)).toBe(403);
    const proved = gateway.records.filter(({ method }) => method === 'password');
    expect(proved).toMatchObject(['dana', 'rita'].map((account) => ({ decision: 'allow', account, kind: 'user' })));
    expect((await ready()).text).toMatch(/logins\.ldap.*ok|ok.*logins\.ldap/);
    expect(await metrics()).toContain('portcullis_login_source_up{source="ldap"} 1');
  });

  test('do not get in by a wrong or empty password, or by a name that is several or none: 401 in the same words', async () => {
    const bodies = new Set<string>();
    for (const [name, given] of [
      ['dana', 'wrong'],
      ['nobody', password],
      ['twin', password],
      ['gone', password],
      ['*', password],
    ] as const) {
      const reply = await logIn(name, given);
      expect(reply.status, name).toBe(401);
      bodies.add(JSON.stringify(reply.errors));
    }
    expect((await logIn('dana', '')).status).toBeGreaterThanOrEqual(400);
    expect(bodies.size).toBe(1);
    expect([...bodies][0]).not.toMatch(/ldap|ou=/i);
    const reasons = gateway.records.flatMap(({ decision, reason }) => (decision === 'deny' ? [reason] : []));
    expect(reasons).toEqual(expect.arrayContaining(['password_wrong', 'account_unknown', 'account_disabled']));
  });

  test('a group that is taken away is gone within refresh and accessTtl, with session and token', async () => {
    const dana = await logIn('dana', password);
    expect(await upload(dana.access_token)).toBe(404);
    await slapd.setMembers('developers', [`uid=rita,${people}`]);
    await eventually(
      'the session gives no more',
      async () => (await upload((await renew(dana.refresh_token)).access_token)) !== 404,
      refreshMs + 2000,
    );
    expect(livesSeconds(dana.access_token)).toBeLessThanOrEqual(accessTtlSeconds);
    expect(await pull((await renew(dana.refresh_token, 'repository:public/app:pull')).access_token, 'public/app')).toBe(
      404,
    );
  });

  test('a leaver is out within refresh and accessTtl', async () => {
    const dn = `uid=leaver,${people}`;
    const entry = { objectClass: 'inetOrgPerson', sn: 'x', cn: 'x', uid: 'leaver', userPassword: password };
    await slapd.admin((client) => client.add(dn, entry));
    const leaver = await logIn('leaver', password, 'repository:public/app:pull');
    expect(await pull(leaver.access_token, 'public/app')).toBe(404);
    await slapd.admin((client) => client.del(dn));
    await eventually(
      'the session is over',
      async () => (await renew(leaver.refresh_token)).status === 401,
      refreshMs + 2000,
    );
    expect((await logIn('leaver', 'another')).status).toBe(401);
    expect(livesSeconds(leaver.access_token)).toBeLessThanOrEqual(accessTtlSeconds);
  });

  test('who is disabled in the policy files is out within five seconds', async () => {
    const dana = await logIn('dana', password);
    await writeFile(join(gateway.policiesDir, 'p.yaml'), policy('dana: { disabled: true }'));
    const token = async (): Promise<string | undefined> => (await renew(dana.refresh_token)).access_token;
    await eventually('the session gives nothing', async () => (await token()) === undefined, 5000);
    expect((await logIn('dana', password)).status).toBe(401);
  });

  test('a name that a user with a password has is that user, whatever the directory knows', async () => {
    await slapd.admin((client) =>
      client.add(`uid=max,${people}`, {
        objectClass: 'inetOrgPerson',
        sn: 'x',
        cn: 'x',
        uid: 'max',
        userPassword: password,
      }),
    );
    expect((await logIn('max', password)).status).toBe(401);
    expect((await logIn('MAX', password)).status).toBe(401);
    expect((await logIn('max', 'maxes own', 'repository:public/app:pull')).status).toBe(200);
    await slapd.admin((client) => client.del(`uid=max,${people}`));
  });

  test('while no server answers: logins are 503, live tokens and sessions go on, and it is shown as degraded', async () => {
    const dana = await logIn('dana', password);
    await slapd.kill();
    try {
      const refused = await logIn('rita', password);
      expect(refused.status).toBe(503);
      expect(refused.headers.get('retry-after')).toMatch(/^\d+$/);
      expect(JSON.stringify(refused.errors)).not.toMatch(/127\.0\.0\.1|ECONN/);
      expect(await upload(dana.access_token)).toBe(404);
      await new Promise((resolve) => setTimeout(resolve, refreshMs + 100));
      const renewed = await renew(dana.refresh_token);
      expect(renewed.status).toBe(200);
      expect(await upload(renewed.access_token)).toBe(404);
      expect((await logIn('max', 'maxes own', 'repository:public/app:pull')).status).toBe(200);
      const { status, text } = await ready();
      expect(status).toBe(200);
      expect(text).toMatch(/degraded/);
      expect(text).toMatch(/logins\.ldap/);
      expect(await metrics()).toContain('portcullis_login_source_up{source="ldap"} 0');
    } finally {
      await slapd.restart();
    }
    await eventually(
      'logins work again',
      async () => (await logIn('rita', password, 'repository:public/app:pull')).status === 200,
    );
    expect(await metrics()).toContain('portcullis_login_source_up{source="ldap"} 1');
  });

  test('a server that hangs holds up logins of its people, and nobody else', async () => {
    const dana = await logIn('dana', password);
    await slapd.pause();
    try {
      const waiting = Array.from({ length: 20 }, () => logIn('rita', password));
      let ended = 0;
      for (const each of waiting) void each.then(() => ended++);
      for (let round = 0; round < 5; round++) {
        expect(await upload(dana.access_token)).toBe(404);
        expect((await logIn('max', 'maxes own', 'repository:public/app:pull')).status).toBe(200);
      }
      expect(ended).toBe(0);
      for (const reply of await Promise.all(waiting)) expect(reply.status).toBe(503);
    } finally {
      slapd.resume();
    }
  });
});
