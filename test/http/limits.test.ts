/** Limits as a client sees them: headers, the answer that is too much, and what is never counted. */
import supertest from 'supertest';
import { afterEach, describe, expect, test } from 'vitest';
import { withoutIds } from '../support/error-body.ts';
import { type Front, credentials, passwordOf, service, startFront } from './support/front.ts';

const rules = `
rules:
  - { name: share, subjects: ['group:devs'], repositories: ['sandbox/**'], actions: [pull, push, delete] }
  - { name: open, subjects: [everyone], repositories: ['open/**'], actions: [pull] }
`;
const digest = `sha256:${'0123456789abcdef'.repeat(4)}`;
const manifest = { 'content-type': 'application/vnd.oci.image.manifest.v1+json' };

let front: Front;
afterEach(() => front.close());

async function start(limits: string, env: Readonly<Record<string, string>> = {}): Promise<void> {
  front = await startFront({ rules: `${rules}limits:\n${limits}`, env });
}

type Verb = 'get' | 'head' | 'put' | 'post' | 'delete';

function ask(verb: Verb, path: string, account = 'dana', headers: Record<string, string> = {}): supertest.Test {
  const asked = supertest(front.url)[verb](path).set(headers);
  return account === '' ? asked : asked.set('authorization', `Basic ${credentials(account)}`);
}

async function askAs(token: string, path: string, headers: Record<string, string> = {}): Promise<supertest.Response> {
  return supertest(front.url)
    .get(path)
    .set({ authorization: `Bearer ${token}`, ...headers });
}

const pull = (tag = 'v1'): supertest.Test => ask('get', `/v2/sandbox/app/manifests/${tag}`);

function limitHeadersOf(headers: Record<string, string>): Record<string, string | undefined> {
  return Object.fromEntries(
    [
      'ratelimit-limit',
      'ratelimit-remaining',
      'docker-ratelimit-source',
      'ratelimit-policy',
      'ratelimit',
      'retry-after',
    ]
      .filter((name) => headers[name] !== undefined)
      .map((name) => [name, headers[name]]),
  );
}

const pulls = `  - { name: pulls, subjects: [authenticated], count: pull, per: account, rate: 3/1h }\n`;

describe('a counted reply', () => {
  test('says what the limit is, what is left of it and whose it is, in the words of Docker Hub and of the IETF', async () => {
    await start(pulls);
    const { status, headers } = await pull();
    expect(status).toBe(200);
    expect(limitHeadersOf(headers as Record<string, string>)).toEqual({
      'ratelimit-limit': '3;w=3600',
      'ratelimit-remaining': '2;w=3600',
      'docker-ratelimit-source': 'dana',
      'ratelimit-policy': '"pulls";q=3;w=3600',
      ratelimit: expect.stringMatching(/^"pulls";r=2;t=1[12]\d\d$/) as string,
    });
  });

  test('beyond the limit is 429 with a sentence, the time to wait and the same headers', async () => {
    await start(pulls);
    for (let n = 0; n < 3; n++) expect((await pull()).status).toBe(200);
    const refused = await pull();
    expect(refused.status).toBe(429);
    expect(JSON.parse(withoutIds(refused.text))).toEqual({
      errors: [
        {
          code: 'TOOMANYREQUESTS',
          message: expect.stringMatching(
            /^user "dana" has used up 3 pulls per hour \(limit "pulls"\); the next one is free in (20 minutes|19 minutes \d+ seconds)$/,
          ) as string,
        },
      ],
    });
    const seconds = Number(refused.headers['retry-after']);
    expect(seconds).toBeGreaterThan(1190);
    expect(seconds).toBeLessThanOrEqual(1200);
    expect(limitHeadersOf(refused.headers as Record<string, string>)).toEqual({
      'ratelimit-limit': '3;w=3600',
      'ratelimit-remaining': '0;w=3600',
      'docker-ratelimit-source': 'dana',
      'ratelimit-policy': '"pulls";q=3;w=3600',
      ratelimit: `"pulls";r=0;t=${seconds}`,
      'retry-after': String(seconds),
    });
    expect(refused.headers['docker-distribution-api-version']).toBe('registry/2.0');
  });

  test('that is refused reaches no registry and leaves one audit record, of the limit and its line', async () => {
    await start(pulls);
    for (let n = 0; n < 3; n++) await pull();
    const [before, records] = [front.forwarded.length, front.records.length];
    await pull();
    expect(front.forwarded).toHaveLength(before);
    expect(front.records.slice(records)).toEqual([
      expect.objectContaining({
        event: 'limit',
        decision: 'deny',
        reason: 'limit_reached',
        rule: 'pulls',
        source: expect.stringMatching(/rules\.yaml:\d+$/) as string,
        account: 'dana',
        kind: 'user',
        repository: 'sandbox/app',
        action: 'pull',
        reference: 'v1',
        status: 429,
      }),
    ]);
    const metrics = await supertest(front.adminUrl).get('/metrics');
    expect(metrics.text).toContain('portcullis_limit_requests_total{limit="pulls",result="counted"} 3');
    expect(metrics.text).toContain('portcullis_limit_requests_total{limit="pulls",result="refused"} 1');
    expect(metrics.text).not.toContain('dana');
  });

  test('is of one account: another has a budget of its own', async () => {
    await start(`  - { name: pulls, subjects: [authenticated], count: pull, per: account, rate: 1/1h }\n`);
    expect((await ask('get', '/v2/open/app/manifests/v1')).status).toBe(200);
    expect((await ask('get', '/v2/open/app/manifests/v1')).status).toBe(429);
    expect((await ask('get', '/v2/open/app/manifests/v1', 'tess')).status).toBe(200);
  });

  test('counts one manifest for each platform of an index, by digest as by tag', async () => {
    await start(pulls);
    expect((await pull()).headers['ratelimit-remaining']).toBe('2;w=3600');
    expect((await pull(digest)).headers['ratelimit-remaining']).toBe('1;w=3600');
  });
});

describe('asking whether there is a manifest', () => {
  test('is free and shows what is left', async () => {
    await start(pulls);
    await pull();
    for (let n = 0; n < 5; n++) {
      const { status, headers } = await ask('head', '/v2/sandbox/app/manifests/v1');
      expect(status).toBe(200);
      expect(headers['ratelimit-remaining']).toBe('2;w=3600');
    }
  });

  test('works when nothing is left', async () => {
    await start(pulls);
    for (let n = 0; n < 4; n++) await pull();
    const { status, headers } = await ask('head', '/v2/sandbox/app/manifests/v1');
    expect(status).toBe(200);
    expect(headers['ratelimit-remaining']).toBe('0;w=3600');
  });
});

describe('never counted and never refused by a limit:', () => {
  const everything = ['pull', 'push'].map(
    (count) => `  - { name: ${count}es, subjects: [everyone], count: ${count}, per: account, rate: 1/1d }\n`,
  );
  const cases: readonly (readonly [verb: Verb, path: string])[] = [
    ['get', `/v2/sandbox/app/blobs/${digest}`],
    ['head', `/v2/sandbox/app/blobs/${digest}`],
    ['post', '/v2/sandbox/app/blobs/uploads/'],
    ['put', `/v2/sandbox/app/blobs/uploads/1?digest=${digest}`],
    ['get', '/v2/sandbox/app/tags/list'],
    ['get', `/v2/sandbox/app/referrers/${digest}`],
    ['delete', `/v2/sandbox/app/blobs/${digest}`],
    ['get', '/v2/'],
  ];
  test.each(cases)('%s %s', async (verb, path) => {
    await start(everything.join(''));
    await pull();
    expect((await pull()).status).toBe(429);
    for (let n = 0; n < 3; n++) {
      const { status, headers } = await ask(verb, path);
      expect(status).toBeLessThan(300);
      expect(limitHeadersOf(headers as Record<string, string>)).toEqual({});
    }
  });

  test('what the policy refuses', async () => {
    await start(pulls);
    for (let n = 0; n < 5; n++) expect((await ask('get', '/v2/other/app/manifests/v1')).status).toBe(403);
    expect((await pull()).headers['ratelimit-remaining']).toBe('2;w=3600');
  });
});

describe('a push', () => {
  test('counts where its manifest is written, before the registry sees it', async () => {
    await start(`  - { name: pushes, subjects: [authenticated], count: push, per: account, rate: 60/1m, burst: 2 }\n`);
    const write = (n: number): supertest.Test =>
      ask('put', `/v2/sandbox/app/manifests/v${n}`, 'dana', manifest).send(`{"n":${n}}`);
    const first = await write(1);
    expect(first.status).toBe(201);
    expect(first.headers).toMatchObject({ 'ratelimit-limit': '60;w=60', 'ratelimit-remaining': '1;w=60' });
    await write(2);
    const refused = await write(3);
    expect(refused.status).toBe(429);
    expect(refused.headers['retry-after']).toBe('1');
    expect(front.forwarded.filter((line) => line.startsWith('PUT'))).toHaveLength(2);
  });
});

describe('a token request', () => {
  const get = (account: string, scope = ''): supertest.Test =>
    ask('get', `/token?service=${service}&scope=${scope}`, account);

  test('is counted and refused as others are', async () => {
    await start(`  - { name: tokens, subjects: [authenticated], count: token, per: account, rate: 2/1h }\n`);
    expect((await get('dana')).headers['ratelimit-remaining']).toBe('1;w=3600');
    await get('dana');
    const refused = await get('dana');
    expect(refused.status).toBe(429);
    expect(refused.body).toMatchObject({
      errors: [{ code: 'TOOMANYREQUESTS', message: expect.stringContaining('2 token requests per hour') as string }],
    });
    expect(Number(refused.headers['retry-after'])).toBeGreaterThan(1790);
    expect(front.records.at(-1)).toMatchObject({
      event: 'limit',
      reason: 'limit_reached',
      rule: 'tokens',
      account: 'dana',
    });
    expect((await get('tess')).status).toBe(200);
  });

  test('without a login counts by address', async () => {
    await start(`  - { name: tokens, subjects: [anonymous], count: token, per: address, rate: 1/1h }\n`);
    const first = await get('', 'repository:open/app:pull');
    expect(first.headers['docker-ratelimit-source']).toBe('127.0.0.1');
    expect((await get('', 'repository:open/app:pull')).status).toBe(429);
    expect((await get('dana')).status).toBe(200);
  });
});

describe('several limits', () => {
  const both = `${pulls}  - { name: hot, subjects: [authenticated], count: pull, per: repository, rate: 2/1h }\n`;

  test('all show, and the tightest answers', async () => {
    await start(both);
    const { headers } = await pull();
    expect(headers['ratelimit-limit']).toBe('2;w=3600');
    expect(headers['docker-ratelimit-source']).toBe('sandbox/app');
    expect(headers['ratelimit-policy']).toBe('"hot";q=2;w=3600, "pulls";q=3;w=3600');
    expect(headers['ratelimit']).toMatch(/^"hot";r=1;t=\d+, "pulls";r=2;t=\d+$/);
  });

  test('are charged together or not at all', async () => {
    await start(both);
    for (let n = 0; n < 5; n++) await pull();
    const other = await ask('get', '/v2/sandbox/other/manifests/v1');
    expect(other.status).toBe(200);
    expect(other.headers['ratelimit-policy']).toContain('"pulls";q=3');
    expect(other.headers['ratelimit']).toContain('"pulls";r=0');
  });

  test('of which one is in shadow mode: it counts, refuses nobody, shows nothing outside, and is named in the log', async () => {
    await start(
      `  - { name: trial, mode: shadow, subjects: [authenticated], count: pull, per: account, rate: 1/1h }\n`,
    );
    await pull();
    const second = await pull();
    expect(second.status).toBe(200);
    expect(limitHeadersOf(second.headers as Record<string, string>)).toEqual({});
    expect(front.records.at(-2)?.shadow).toBeUndefined();
    expect(front.records.at(-1)).toMatchObject({ decision: 'allow', shadow: ['trial'] });
    const metrics = await supertest(front.adminUrl).get('/metrics');
    expect(metrics.text).toContain('portcullis_limit_requests_total{limit="trial",result="would_refuse"} 1');
  });
});

describe('whom a limit is about', () => {
  test('except leaves out', async () => {
    await start(
      `  - { name: pulls, subjects: [authenticated], except: ['user:dana'], count: pull, per: account, rate: 1/1h }\n`,
    );
    for (let n = 0; n < 3; n++) expect((await pull()).status).toBe(200);
    const tess = (): supertest.Test => ask('get', '/v2/open/app/manifests/v1', 'tess');
    expect([(await tess()).status, (await tess()).status]).toEqual([200, 429]);
  });

  test('an edit counts for the very next request, and what was used stays used', async () => {
    await start(pulls);
    await pull();
    await pull();
    await front.setPolicy(`${rules}limits:\n${pulls.replace('3/1h', '4/1h')}`);
    expect((await pull()).headers['ratelimit-remaining']).toMatch(/^[01];w=3600$/);
    await front.setPolicy(rules);
    expect((await pull()).headers['ratelimit-limit']).toBeUndefined();
  });
});

describe('an address', () => {
  const limits = `  - { name: anonymous, subjects: [anonymous], count: pull, per: address, rate: 1/1h }\n`;
  const proxied = { PORTCULLIS_TRUSTED_PROXIES: '127.0.0.1' };

  const cases: readonly (readonly [claim: string, source: string])[] = [
    ['198.51.100.7', '198.51.100.7'],
    ['::ffff:198.51.100.7', '198.51.100.7'],
    ['203.0.113.1, 198.51.100.7', '198.51.100.7'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['not an address', '127.0.0.1'],
    ['198.51.100.7, ', '127.0.0.1'],
    [`${'1.1.1.1, '.repeat(2000)}198.51.100.7`, '198.51.100.7'],
    ['999.1.1.1', '127.0.0.1'],
  ];
  test.each(cases)('claimed as %.40s behind a trusted proxy counts as %s', async (claim, source) => {
    await start(limits, proxied);
    const token = await front.token('', 'repository:open/app:pull');
    const { headers } = await askAs(token, '/v2/open/app/manifests/v1', { 'x-forwarded-for': claim });
    expect(headers['docker-ratelimit-source']).toBe(source);
  });

  test('claimed by a client that is no proxy counts for nothing: no fresh budget for each claim', async () => {
    await start(limits);
    const token = await front.token('', 'repository:open/app:pull');
    const statuses: number[] = [];
    for (let n = 0; n < 5; n++) {
      const reply = await askAs(token, '/v2/open/app/manifests/v1', { 'x-forwarded-for': `198.51.100.${n}` });
      statuses.push(reply.status);
    }
    expect(statuses).toEqual([200, 429, 429, 429, 429]);
  });

  test('within one /64 of IPv6 shares its budget', async () => {
    await start(limits, proxied);
    const token = await front.token('', 'repository:open/app:pull');
    const from = async (address: string): Promise<number> =>
      (await askAs(token, '/v2/open/app/manifests/v1', { 'x-forwarded-for': address })).status;
    expect(await from('2001:db8::1')).toBe(200);
    expect(await from('2001:db8::ffff:2')).toBe(429);
    expect(await from('2001:db8:0:1::1')).toBe(200);
  });
});

describe('failed logins', () => {
  const wrong = (n: number): string => `Basic ${credentials('dana', `wrong-${n}`)}`;
  const login = (authorization: string, path = `/token?service=${service}`): supertest.Test =>
    supertest(front.url).get(path).set({ authorization });

  test('hold back further ones with 429, the time to wait, one audit record and no hash', async () => {
    await start(pulls);
    for (let n = 0; n < 5; n++) expect((await login(wrong(n))).status).toBe(401);
    const records = front.records.length;
    const held = await login(`Basic ${credentials('dana')}`);
    expect(held.status).toBe(429);
    expect(held.body).toMatchObject({
      errors: [{ code: 'TOOMANYREQUESTS', message: 'too many failed logins; try again in 1 second' }],
    });
    expect(held.headers['retry-after']).toBe('1');
    expect(front.records.slice(records)).toEqual([
      expect.objectContaining({
        event: 'limit',
        decision: 'deny',
        reason: 'login_held',
        account: 'dana',
        status: 429,
        detail: expect.stringContaining('this account from this address') as string,
      }),
    ]);
  });

  test('count together on every way in: GET and POST of the token endpoint, and Basic on the registry', async () => {
    await start(pulls);
    await login(wrong(0));
    await login(wrong(1), '/v2/');
    await login(wrong(2), '/v2/sandbox/app/manifests/v1');
    const post = (password: string): supertest.Test =>
      supertest(front.url)
        .post('/token')
        .type('form')
        .send({ grant_type: 'password', username: 'dana', password, service });
    expect((await post('wrong-3')).status).toBe(401);
    expect((await post('wrong-4')).status).toBe(401);
    for (const path of ['/v2/', `/token?service=${service}`]) {
      const held = await login(`Basic ${credentials('dana')}`, path);
      expect(held.status).toBe(429);
      expect(held.headers['www-authenticate']).toBeUndefined();
    }
  });

  test('answer the same for a name that does not exist', async () => {
    await start(pulls);
    const bodies: unknown[] = [];
    for (const account of ['dana', 'nobody']) {
      for (let n = 0; n < 5; n++) await login(`Basic ${credentials(account, `wrong-${n}`)}`);
      const { status, text } = await login(`Basic ${credentials(account, 'again')}`);
      bodies.push([status, withoutIds(text)]);
    }
    expect(bodies[0]).toEqual(bodies[1]);
  });

  test('do not touch whoever is logged in: tokens and remembered passwords go on', async () => {
    await start(pulls);
    const token = await front.token('dana', 'repository:sandbox/app:pull');
    for (let n = 0; n < 8; n++) await login(wrong(n));
    expect((await askAs(token, '/v2/sandbox/app/manifests/v1')).status).toBe(200);
    expect((await pull()).status).toBe(200);
  });

  test('write no password down', async () => {
    await start(pulls);
    for (let n = 0; n < 7; n++) await login(wrong(n));
    const written = JSON.stringify(front.records) + front.logged.join('');
    expect(written).not.toContain('wrong-');
    expect(written).not.toContain(passwordOf('dana'));
  });
});
