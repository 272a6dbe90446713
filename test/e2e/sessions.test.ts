import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import argon2 from 'argon2';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { makeSecret, secretHash } from '../../src/identity/carried-secret.ts';
import { eventually } from '../support/eventually.ts';
import type { GatewayProcess } from '../support/gateway.ts';
import { describeWithPrograms, run } from '../support/programs.ts';
import { createApi } from '../support/registry-api.ts';
import { startRedis, startRegistry, type RedisProcess, type RegistryProcess } from '../support/registry.ts';
import { newKey, startReplicas, type Replicas } from '../support/replicas.ts';

const password = `long-and-${randomBytes(6).toString('hex')}`;
const robotSecret = makeSecret('robot').text;
const narrowSecret = makeSecret('robot').text;
const expiredSecret = makeSecret('robot').text;

const hashAnew = (): Promise<string> =>
  argon2.hash(password, { type: argon2.argon2id, memoryCost: 8192, timeCost: 1, parallelism: 1 });
/** Of policies that say nothing else: what was issued under another one has ended. */
const usualHash = await hashAnew();

function policy({ danaDisabled = false, danaGroups = '[developers]', secrets = true, hash = usualHash } = {}): string {
  return `
groups: { developers: {}, build-servers: {} }
users:
  dana: { password: "${hash}", groups: ${danaGroups}, disabled: ${danaDisabled} }
  otto: { password: "${hash}", groups: [developers] }
robots:
  builder:
    groups: [build-servers]
    tokens:
      - { id: expired1, sha256: ${secretHash(expiredSecret)}, expires: 2026-01-01 }
      ${secrets ? `- { id: wide0001, sha256: ${secretHash(robotSecret)} }` : ''}
      - { id: narrow01, sha256: ${secretHash(narrowSecret)}, repositories: ["integration/a/**"], actions: [pull] }
rules:
  - { name: dev, subjects: [group:developers], repositories: ["sandbox/**"], actions: [pull, push] }
  - { name: build, subjects: [group:build-servers], repositories: ["integration/**"], actions: [pull, push] }
`;
}

interface TokenReply {
  readonly token: string;
  readonly refresh_token?: string;
  readonly errors?: readonly [{ readonly message: string }];
}

describeWithPrograms(['docker-registry', 'redis-server'], 'logins over two gateways on one Redis', () => {
  let registry: RegistryProcess;
  let redis: RedisProcess;
  let replicas: Replicas;
  let first: GatewayProcess;
  let second: GatewayProcess;

  beforeAll(async () => {
    registry = await startRegistry({ delete: true });
    redis = await startRedis();
    replicas = await startReplicas({
      upstream: registry.url,
      redis: redis.url,
      policies: { 'p.yaml': policy() },
    });
    [first, second] = replicas.gateways as [GatewayProcess, GatewayProcess];
  });
  afterAll(async () => {
    await replicas?.stop();
    await redis?.stop();
    await registry?.stop();
  });

  const basic = (account: string, secret: string): string =>
    `Basic ${Buffer.from(`${account}:${secret}`).toString('base64')}`;
  const scope = 'repository:sandbox/app:pull,push';

  async function login(url: string, account = 'dana'): Promise<TokenReply> {
    const query = new URLSearchParams({ offline_token: 'true', account, scope });
    const reply = await fetch(`${url}/token?${query.toString()}`, {
      headers: { authorization: basic(account, password) },
    });
    expect(reply.status).toBe(200);
    return (await reply.json()) as TokenReply;
  }

  function post(url: string, path: string, form: Readonly<Record<string, string>>): Promise<Response> {
    return fetch(url + path, { method: 'POST', body: new URLSearchParams(form) });
  }
  const refresh = (url: string, token: string): Promise<Response> =>
    post(url, '/token', { grant_type: 'refresh_token', refresh_token: token, scope, client_id: 'docker' });

  async function ping(url: string, token: string): Promise<number> {
    const reply = await fetch(`${url}/v2/`, { headers: { authorization: `Bearer ${token}` } });
    await reply.arrayBuffer();
    return reply.status;
  }

  /** Waits, at most the promised five seconds, until a condition holds. */
  const within5s = (condition: () => Promise<boolean>): Promise<number> =>
    eventually('what is promised within five seconds', condition, 5000);

  async function setPolicy(text: string): Promise<void> {
    await writeFile(join(replicas.policiesDir, 'p.yaml'), text);
  }

  const cli = (args: readonly string[], gateway: GatewayProcess) =>
    run(process.execPath, [join(import.meta.dirname, '../../dist/cli.js'), ...args], {
      env: {
        NODE_ENV: 'production',
        PORTCULLIS_PUBLIC_URL: replicas.url,
        PORTCULLIS_UPSTREAM: registry.url,
        PORTCULLIS_POLICIES: replicas.policiesDir,
        PORTCULLIS_ADMIN_LISTEN: new URL(gateway.adminUrl).host,
        PORTCULLIS_STATE_DIR: join(gateway.policiesDir, '..', 'state'),
      },
    });

  test('a login on one replica is good on the other, and its refresh token is not rotated', async () => {
    const { refresh_token: token = '' } = await login(first.url);
    expect(token).toMatch(/^pct_session_[0-9A-Za-z]{49}$/);
    const replies = await Promise.all(
      [second, first, second].map(async ({ url }) => (await (await refresh(url, token)).json()) as TokenReply),
    );
    for (const reply of replies) {
      expect(reply.refresh_token).toBe(token);
      expect(await ping(first.url, reply.token)).toBe(200);
    }
  });

  test('a refresh token opens nothing but the token endpoint, and an access token does not refresh', async () => {
    const { refresh_token: token = '', token: access } = await login(first.url);
    expect(await ping(first.url, token)).toBe(401);
    const asPassword = await fetch(`${first.url}/v2/`, { headers: { authorization: basic('dana', token) } });
    expect(asPassword.status).toBe(401);
    expect((await refresh(first.url, access)).status).toBe(401);
    const asIdentity = await fetch(`${second.url}/token?scope=${scope}`, {
      headers: { authorization: basic('', token) },
    });
    expect(asIdentity.status).toBe(200);
  });

  test('revoking a session ends its refresh token at once and its access tokens on every replica within 5 s', async () => {
    const { refresh_token: token = '', token: access } = await login(first.url);
    expect(await ping(second.url, access)).toBe(200);
    expect((await post(first.url, '/token/revoke', { token })).status).toBe(200);
    expect((await refresh(second.url, token)).status).toBe(401);
    expect(await ping(first.url, access)).toBe(401);
    await within5s(async () => (await ping(second.url, access)) === 401);
  });

  test('revoking an access token ends it on every replica within 5 s, a person’s without a session and a robot’s', async () => {
    for (const [account, secret] of [
      ['otto', password],
      ['builder', robotSecret],
    ] as const) {
      const reply = await fetch(`${first.url}/token`, { headers: { authorization: basic(account, secret) } });
      const { token } = (await reply.json()) as TokenReply;
      expect(await ping(second.url, token)).toBe(200);
      expect((await post(first.url, '/token/revoke', { token })).status).toBe(200);
      expect(await ping(first.url, token)).toBe(401);
      await within5s(async () => (await ping(second.url, token)) === 401);
    }
  });

  test('revoking an access token of a login ends that token alone', async () => {
    const { refresh_token: token = '', token: access } = await login(first.url);
    const other = ((await (await refresh(first.url, token)).json()) as TokenReply).token;
    expect((await post(first.url, '/token/revoke', { token: access })).status).toBe(200);
    expect(await ping(first.url, access)).toBe(401);
    await within5s(async () => (await ping(second.url, access)) === 401);
    for (const { url } of [first, second]) {
      expect(await ping(url, other)).toBe(200);
      expect((await refresh(url, token)).status).toBe(200);
    }
  });

  test('a changed password ends the sessions that the old one opened, and its access tokens', async () => {
    const { refresh_token: token = '', token: access } = await login(first.url);
    const plain = await fetch(`${first.url}/token`, { headers: { authorization: basic('dana', password) } });
    const { token: sessionless } = (await plain.json()) as TokenReply;
    expect((await refresh(second.url, token)).status).toBe(200);
    // The same password with a fresh salt is another hash, as after `user passwd`.
    await setPolicy(policy({ hash: await hashAnew() }));
    await within5s(async () => (await refresh(second.url, token)).status === 401);
    for (const { url } of [first, second]) {
      for (const old of [access, sessionless]) await within5s(async () => (await ping(url, old)) === 401);
    }
    expect((await refresh(first.url, (await login(first.url)).refresh_token ?? '')).status).toBe(200);
  });

  test('revoking what never existed is 200', async () => {
    expect((await post(first.url, '/token/revoke', { token: makeSecret('session').text })).status).toBe(200);
    expect((await post(first.url, '/token/revoke', { token: 'nonsense' })).status).toBe(200);
  });

  test('an admin lists and ends the sessions of one account from the command line', async () => {
    const mine = await login(first.url, 'otto');
    const listed = await cli(['session', 'list', 'otto', '--json'], second);
    const { sessions } = JSON.parse(listed.stdout) as { sessions: { id: string; account: string; address: string }[] };
    expect(sessions).toMatchObject([{ account: 'otto', address: '127.0.0.1' }]);
    expect(listed.stdout).not.toContain(mine.refresh_token);
    const ended = await cli(['session', 'revoke', '--account', 'otto'], second);
    expect(ended).toMatchObject({ code: 0, stdout: '1 session ended\n' });
    await within5s(async () => (await ping(first.url, mine.token)) === 401);
    expect((await refresh(first.url, mine.refresh_token ?? '')).status).toBe(401);
  });

  test('a user who is disabled, or leaves a group, is felt by live tokens on both replicas within 5 s', async () => {
    const hash = await hashAnew();
    const { token: before } = await login(first.url);
    await setPolicy(policy({ hash }));
    for (const { url } of [first, second]) await within5s(async () => (await ping(url, before)) === 401);
    const { token, refresh_token: session = '' } = await login(first.url);
    const loginStatus = async (url: string): Promise<number> =>
      (await fetch(`${url}/token`, { headers: { authorization: basic('dana', password) } })).status;
    const api = (url: string) =>
      fetch(`${url}/v2/sandbox/app/tags/list`, { headers: { authorization: `Bearer ${token}` } });
    const statuses = async (): Promise<string> =>
      (await Promise.all([first, second].map(async ({ url }) => (await api(url)).status))).join();
    expect(await statuses()).toBe('404,404');
    await setPolicy(policy({ hash, danaGroups: '[]' }));
    await within5s(async () => (await statuses()) === '403,403');
    await setPolicy(policy({ hash, danaDisabled: true }));
    await within5s(async () => (await statuses()) === '401,401');
    // Enabled by hand, with the same password: what was issued before stays dead, a new login is as good as any.
    await setPolicy(policy({ hash }));
    await within5s(async () => (await loginStatus(second.url)) === 200);
    expect(await statuses()).toBe('401,401');
    await run('redis-cli', ['-p', String(redis.port), 'flushall']);
    await within5s(async () => (await loginStatus(first.url)) === 200);
    expect(await statuses()).toBe('401,401');
    expect((await refresh(first.url, session)).status).toBe(401);
  });

  test('a robot logs in with its secret, at the token endpoint and with Basic, and gets no refresh token', async () => {
    const query = 'offline_token=true&scope=repository:integration/app:pull,push';
    const reply = await fetch(`${first.url}/token?${query}`, {
      headers: { authorization: basic('builder', robotSecret) },
    });
    const { token, refresh_token: none } = (await reply.json()) as TokenReply;
    expect(none).toBeUndefined();
    const api = createApi(second.url, 'builder', robotSecret);
    expect((await api.push('integration/app', 'v1')).status).toBe(201);
    const pulled = await fetch(`${second.url}/v2/integration/app/tags/list`, {
      headers: { authorization: `Bearer ${token}` },
    });
    expect(pulled.status).toBe(200);
  });

  test('a narrowed secret reaches no further than it was made for, whatever the rules give the robot', async () => {
    const api = createApi(first.url, 'builder', narrowSecret);
    expect((await createApi(first.url, 'builder', robotSecret).push('integration/a/app', 'v1')).status).toBe(201);
    expect((await api.request('GET', '/v2/integration/a/app/tags/list')).status).toBe(200);
    const refused = await api.push('integration/a/app', 'v2');
    expect(refused.status).toBe(403);
    expect(((await refused.json()) as TokenReply).errors?.[0].message).toBe(
      'robot "builder" may not push integration/a/app: its token was not made for it',
    );
    expect((await api.request('GET', '/v2/integration/app/tags/list')).status).toBe(403);
    const grant = await fetch(
      `${first.url}/token?scope=repository:integration/app:pull&scope=repository:integration/a/app:pull,push`,
      {
        headers: { authorization: basic('builder', narrowSecret) },
      },
    );
    const payload = ((await grant.json()) as TokenReply).token.split('.')[1] ?? '';
    const { access } = JSON.parse(Buffer.from(payload, 'base64url').toString()) as { access: unknown };
    expect(access).toEqual([
      { type: 'repository', name: 'integration/app', actions: [] },
      { type: 'repository', name: 'integration/a/app', actions: ['pull'] },
    ]);
  });

  test('a mistyped or cut secret is recognised as such, an expired one too, and each is refused', async () => {
    const message = async (secret: string): Promise<string | undefined> => {
      const reply = await fetch(`${first.url}/token?scope=${scope}`, {
        headers: { authorization: basic('builder', secret) },
      });
      expect(reply.status).toBe(401);
      return ((await reply.json()) as TokenReply).errors?.[0].message;
    };
    expect(await message(robotSecret.slice(0, -3))).toBe('the token is 3 characters short; copy it again');
    const flipped = robotSecret.slice(0, 10) + (robotSecret[10] === 'x' ? 'y' : 'x') + robotSecret.slice(11);
    expect(await message(flipped)).toBe('the token is mistyped; copy it again');
    expect(await message(expiredSecret)).toBe('the token has expired; make a new one');
    expect(await message(makeSecret('robot').text)).toBe('incorrect username or password');
  });

  test('taking a secret out of the policy ends its live access tokens within 5 s', async () => {
    const reply = await fetch(`${first.url}/token?scope=repository:integration/app:pull`, {
      headers: { authorization: basic('builder', robotSecret) },
    });
    const { token } = (await reply.json()) as TokenReply;
    expect(await ping(second.url, token)).toBe(200);
    await setPolicy(policy({ secrets: false }));
    await within5s(async () => (await ping(second.url, token)) === 401 && (await ping(first.url, token)) === 401);
    await setPolicy(policy());
    await within5s(async () => (await ping(second.url, token)) === 200);
  });

  test('a new signing key is published before it signs, and no replica refuses what another one signed', async () => {
    const { token: old } = await login(first.url);
    await writeFile(join(replicas.keysDir, 'second.pem'), newKey(), { mode: 0o600 });
    const published = async (url: string): Promise<number> =>
      ((await (await fetch(`${url}/.well-known/jwks.json`)).json()) as { keys: unknown[] }).keys.length;
    await within5s(async () => (await published(first.url)) === 2 && (await published(second.url)) === 2);
    const { token: fresh } = await login(second.url);
    const kid = (token: string): unknown =>
      JSON.parse(Buffer.from(token.split('.')[0] ?? '', 'base64url').toString()).kid;
    expect(kid(fresh)).toBe(kid(old));
    expect(await ping(first.url, fresh)).toBe(200);
    expect(await ping(second.url, old)).toBe(200);
  });

  test('no log line of either gateway holds a password, a token or a hash of one', async () => {
    const { token, refresh_token: refreshToken = '' } = await login(first.url);
    await refresh(second.url, refreshToken);
    await post(first.url, '/token/revoke', { token: refreshToken });
    await first.findLog((line) => line['event'] === 'session' && line['reason'] === 'revoked');
    const written = replicas.gateways.map((gateway) => gateway.stdout() + gateway.stderr()).join('\n');
    const secrets = [
      password,
      token,
      refreshToken,
      secretHash(refreshToken),
      robotSecret,
      secretHash(robotSecret),
      narrowSecret,
    ];
    for (const secret of secrets) expect(written).not.toContain(secret);
    expect(written).not.toMatch(/\$argon2id\$|pct_|eyJ|Basic |Bearer /);
  });

  test('with Redis gone tokens go on, logins that must be recorded are 503, and all is back within 5 s of its return', async () => {
    const { token, refresh_token: refreshToken = '' } = await login(first.url);
    await redis.stop();
    expect(await ping(first.url, token)).toBe(200);
    const plain = await fetch(`${first.url}/token?scope=${scope}`, {
      headers: { authorization: basic('dana', password) },
    });
    expect(plain.status).toBe(200);
    const calls = [
      () =>
        fetch(`${first.url}/token?offline_token=true&scope=${scope}`, {
          headers: { authorization: basic('dana', password) },
        }),
      () => refresh(first.url, refreshToken),
      () => post(first.url, '/token/revoke', { token: refreshToken }),
    ];
    for (const call of calls) {
      const reply = await call();
      expect(reply.status).toBe(503);
      expect(reply.headers.get('retry-after')).toMatch(/^[0-9]+$/);
    }
    expect(await (await fetch(`${first.adminUrl}/readyz?verbose`)).text()).toMatch(/^\[~\] store degraded/m);
    redis = await startRedis(redis.port);
    const spent = await within5s(async () => (await calls[0]?.())?.status === 200);
    expect(spent).toBeLessThan(5000);
    // What Redis forgot is unknown, never a login that still counts.
    await within5s(async () => (await refresh(second.url, refreshToken)).status === 401);
  });
});
