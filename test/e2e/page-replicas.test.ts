/** The page over two gateways on one Redis: one login for both, and its end on both. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import type { GatewayProcess } from '../support/gateway.ts';
import { quickHash } from '../support/policies.ts';
import { describeWithPrograms, run } from '../support/programs.ts';
import { quickEnough } from '../support/quick-enough.ts';
import { type RedisServer, startRedisServer } from '../support/redis.ts';
import { type Replicas, startReplicas } from '../support/replicas.ts';
import { type StandIn, startStandIn } from '../support/stand-in.ts';
import { Visitor, ask } from '../support/visitor.ts';

const usual = await quickHash('correct horse');
const other = await quickHash('battery staple');
/** One account for each test: page requests are counted by account. */
const names = ['anna', 'berta', 'clara', 'dana', 'emma', 'flora'];
const policy = (changes: Readonly<Record<string, string>> = {}): string => `
users:
${names.map((name) => `  ${name}: { ${changes[name] ?? `password: "${usual}"`} }`).join('\n')}
rules: [{ name: own, subjects: [authenticated], repositories: ["mine/**"], actions: [pull] }]
`;

/** Asked four times a second, since each time counts. */
async function soon(what: string, holds: () => Promise<boolean>, withinMs = 15_000): Promise<void> {
  for (const begun = performance.now(); !(await holds()); await delay(250))
    if (performance.now() - begun > withinMs) throw new Error(`not within ${withinMs} ms: ${what}`);
}

describeWithPrograms(['redis-server'], 'the page of two gateways on one Redis', () => {
  let registry: StandIn;
  let redis: RedisServer;
  let replicas: Replicas;
  let first: GatewayProcess;
  let second: GatewayProcess;
  /** One browser, as each of the gateways sees it. */
  let here: Visitor;
  let there: Visitor;
  let name: string;
  const accounts = names.values();

  beforeAll(async () => {
    registry = await startStandIn((_request, response) => response.end('{}'));
    redis = await startRedisServer();
    replicas = await startReplicas({ upstream: registry.url, redis: redis.url, policies: { 'p.yaml': policy() } });
    [first, second] = replicas.gateways as [GatewayProcess, GatewayProcess];
  });
  afterAll(async () => {
    await replicas?.stop();
    await redis?.stop();
    await registry?.close();
  });
  beforeEach(async () => {
    name = accounts.next().value ?? '';
    here = new Visitor(first.url);
    await soon('the account can log in', async () => (await here.logIn(name, 'correct horse')).status === 303);
    there = new Visitor(second.url);
    for (const [cookie, value] of here.cookies) there.cookies.set(cookie, value);
    await soon('both know the account', async () => (await status(here)) === 200 && (await status(there)) === 200);
  });

  const write = (text: string): Promise<void> => writeFile(join(replicas.policiesDir, 'p.yaml'), text);
  const status = async (visitor: Visitor): Promise<number> => (await visitor.get('/ui/')).status;
  /** Without losing the cookie, as a copy of it in other hands would not. */
  const isOut = async (visitor: Visitor): Promise<boolean> => {
    const { cookie } = visitor;
    const url = visitor === here ? first.url : second.url;
    return (await ask(url, '/ui/', { headers: { cookie, accept: 'text/html' } })).status === 303;
  };
  const bothOut = (why: string): Promise<void> =>
    soon(why, async () => (await isOut(here)) && (await isOut(there)), 5000);

  test('ends with logging out at either', async () => {
    const copy = here.cookie;
    expect((await there.logOut()).status).toBe(303);
    await soon(
      'the copy is nobody',
      async () => {
        const seen = await Promise.all(
          [first, second].map(({ url }) => ask(url, '/ui/', { headers: { cookie: copy } })),
        );
        return seen.every((page) => page.status === 303);
      },
      5000,
    );
  });

  test('ends with the account, and does not come back with it', async () => {
    await write(policy({ [name]: `password: "${usual}", disabled: true` }));
    await bothOut('both have read that the account is disabled');
    await write(policy());
    const again = new Visitor(first.url);
    await soon('the account is back', async () => (await again.logIn(name, 'correct horse')).status === 303);
    expect([await isOut(here), await isOut(there)]).toEqual([true, true]);
  });

  test('ends with the password', async () => {
    await write(policy({ [name]: `password: "${other}"` }));
    await bothOut('both have read the new password');
  });

  test('ends when an operator revokes it, who sees it in the list', async () => {
    const cli = (...args: readonly string[]) =>
      run(process.execPath, [join(import.meta.dirname, '../../dist/cli.js'), 'session', ...args], {
        env: {
          NODE_ENV: 'production',
          PORTCULLIS_POLICIES: replicas.policiesDir,
          PORTCULLIS_ADMIN_LISTEN: new URL(first.adminUrl).host,
          PORTCULLIS_STATE_DIR: join(first.policiesDir, '../state'),
          PORTCULLIS_PUBLIC_URL: replicas.url,
          PORTCULLIS_UPSTREAM: registry.url,
        },
      });
    const listed = await cli('list', '--json');
    expect([listed.code, listed.stdout.includes(name)]).toEqual([0, true]);
    expect(listed.stdout).not.toContain(here.cookies.get('__Host-portcullis'));
    expect((await cli('revoke', '--account', name)).code).toBe(0);
    await bothOut('both know that it is revoked');
  });

  test('without Redis nobody is let in and nobody is thrown out', async () => {
    await redis.pause();
    try {
      for (const visitor of [here, there]) {
        const page = await quickEnough('the page', 2500, () => visitor.get('/ui/'));
        expect([page.status, page.headers['retry-after'], page.headers['set-cookie']]).toEqual([503, '5', undefined]);
        expect(page.body).toContain('The store of logins does not answer');
      }
      const stranger = new Visitor(first.url);
      const login = await stranger.logIn(name, 'correct horse');
      expect([login.status, stranger.cookies.has('__Host-portcullis')]).toEqual([503, false]);
    } finally {
      redis.resume();
    }
    await soon(
      'both let the account in again',
      async () => (await status(here)) === 200 && (await status(there)) === 200,
      5000,
    );
  });

  test('a Redis that died and came back empty knows no login', async () => {
    await redis.kill();
    expect(await status(here)).toBe(503);
    await redis.restart();
    for (const replica of [here, there])
      await soon('there is a Redis again', async () => (await status(replica)) !== 503, 10_000);
    expect([await isOut(here), await isOut(there)]).toEqual([true, true]);
  });
});
