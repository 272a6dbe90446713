/** `/api/v1` over HTTP: who may ask what, on which listener, and how it is asked. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import supertest from 'supertest';
import { afterAll, beforeEach, describe, expect, test } from 'vitest';
import { makeSecret, secretHash } from '../../src/identity/carried-secret.ts';
import { quickHash } from '../support/policies.ts';
import { Visitor } from '../support/visitor.ts';
import { type Front, credentials, passwordOf, startFront } from './support/front.ts';

const robot = makeSecret('robot').text;
const rulesOf = async (): Promise<string> => `
users:
  ada: { password: '${await quickHash(passwordOf('ada'))}' }
  ivy: { password: '${await quickHash(passwordOf('ivy'))}' }
  tia: { password: '${await quickHash(passwordOf('tia'))}' }
robots:
  watcher: { tokens: [{ id: abcd1234, sha256: ${secretHash(robot)} }] }
rules:
  - { name: ada-administers, subjects: ["user:ada"], repositories: ["**"], actions: [inspect, administer] }
  - { name: some-look-at-all, subjects: ["user:ivy", "robot:watcher"], repositories: ["**"], actions: [inspect] }
  - { name: tia-looks-at-a, subjects: ["user:tia"], repositories: ["team-a/**"], actions: [inspect] }
  - { name: a-pulls, subjects: ["user:dana"], repositories: ["team-a/**"], actions: [pull] }
  - { name: b-pulls, subjects: ["user:tess"], repositories: ["team-b/**"], actions: [pull] }
  - { name: c-deletes, subjects: ["user:tess"], repositories: ["team-c/**"], actions: [pull, delete] }
limits:
  - { name: pulls, subjects: [authenticated], count: pull, per: account, rate: 3/1h }
`;

let front: Front;
let admin: string;
const cookies = new Map<string, string>();
let tests = 0;
/** Somebody may ask 60 times a minute: a new gateway in time. */
beforeEach(async () => {
  if (tests++ % 10 > 0) return;
  if (tests > 1) await close();
  front = await startFront({ rules: await rulesOf() });
  admin = `Bearer ${readFileSync(join(front.stateDir, 'admin-token'), 'utf8').trim()}`;
  for (const name of ['ada', 'ivy', 'dana']) {
    const visitor = new Visitor(front.url);
    await visitor.logIn(name, passwordOf(name));
    cookies.set(name, visitor.cookie);
  }
});
const close = async (): Promise<void> => {
  await front.close();
  expect(front.errors).toEqual([]);
};
afterAll(close);

type Headers = Readonly<Record<string, string>>;
const basic = (account: string): Headers => ({ authorization: `Basic ${credentials(account)}` });
const cookieOf = (account: string): Headers => ({ cookie: cookies.get(account) ?? '' });
const fromPage: Headers = { 'sec-fetch-site': 'same-origin', 'content-type': 'application/json' };
const bearer = async (account: string, ...scopes: readonly string[]): Promise<Headers> => ({
  authorization: `Bearer ${await front.token(account, ...scopes)}`,
});

/** Method and path, of any query that makes it whole. */
const asked = (line: string): [method: 'get' | 'post' | 'delete', path: string] => {
  const [method = '', path = ''] = line.split(' ');
  return [method.toLowerCase() as 'get', `/api/v1${path}`];
};

async function call(line: string, headers: Headers, url = front.url): Promise<supertest.Response> {
  const [method, path] = asked(line);
  return supertest(url)[method](path).set(headers);
}

/** One that they made for a script of theirs. */
async function ownToken(account: string, terms: object): Promise<Headers> {
  const reply = await supertest(front.url)
    .post('/api/v1/tokens')
    .set(basic(account))
    .send({ label: 'script', ...terms });
  const { secret } = reply.body as { readonly secret: string };
  return { authorization: `Basic ${Buffer.from(`${account}:${secret}`).toString('base64')}` };
}

/** How each caller shows who they are. A change is asked for with what the page sends along. */
const callers: Readonly<Record<string, () => Headers | Promise<Headers>>> = {
  nobody: () => ({}),
  'a person': () => basic('dana'),
  'their cookie': () => ({ ...cookieOf('dana'), ...fromPage }),
  'their bearer token': () => bearer('dana', 'repository:team-a/app:pull'),
  'an auditor of some': () => basic('tia'),
  'an auditor': () => basic('ivy'),
  'the cookie of an auditor': () => ({ ...cookieOf('ivy'), ...fromPage }),
  'a robot that audits': () => ({ authorization: `Basic ${Buffer.from(`watcher:${robot}`).toString('base64')}` }),
  'an administrator': () => basic('ada'),
  'the cookie of an administrator': () => ({ ...cookieOf('ada'), ...fromPage }),
  'the bearer token of an administrator': () => bearer('ada', 'repository:team-a/app:pull,inspect'),
  'the access token of an administrator': () => ownToken('ada', {}),
};
const order = Object.keys(callers);

/** In the order of the callers, then the admin token on the admin listener. */
const table: readonly (readonly [line: string, statuses: readonly number[], operator: number])[] = [
  ['GET /openapi.json', [401, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200], 200],
  ['GET /viewer', [200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200], 200],
  ['GET /me', [401, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200], 404],
  ['GET /sessions', [401, 200, 200, 403, 200, 200, 200, 200, 200, 200, 403, 200], 200],
  ['GET /sessions?account=tess', [401, 403, 403, 403, 403, 200, 200, 200, 200, 200, 403, 200], 200],
  ['DELETE /sessions?account=tess', [401, 403, 403, 403, 403, 403, 403, 403, 200, 200, 403, 403], 200],
  ['DELETE /sessions?account=dana', [401, 200, 200, 403, 403, 403, 403, 403, 200, 200, 403, 403], 200],
  ['DELETE /sessions/nobodys', [401, 404, 404, 403, 404, 404, 404, 403, 404, 404, 403, 403], 404],
  ['GET /activity', [401, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200], 200],
  // There are no audit files here.
  ['GET /audit', [401, 403, 403, 403, 403, 404, 404, 404, 404, 404, 403, 404], 404],
  ['GET /promotions', [401, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200], 200],
  ['GET /promotions/none', [401, 404, 404, 404, 404, 404, 404, 404, 404, 404, 404, 404], 404],
  ['GET /policy', [401, 403, 403, 403, 403, 200, 200, 200, 200, 200, 403, 200], 200],
  ['GET /limits', [401, 403, 403, 403, 403, 200, 200, 200, 200, 200, 403, 200], 200],
  ['GET /limits/state?subject=user:dana&count=pull', [401, 403, 403, 403, 403, 200, 200, 200, 200, 200, 403, 200], 200],
  ['GET /accounts', [401, 403, 403, 403, 403, 200, 200, 200, 200, 200, 403, 200], 200],
  ['GET /robot-tokens', [401, 403, 403, 403, 403, 200, 200, 200, 200, 200, 403, 200], 200],
  ['GET /keys', [401, 403, 403, 403, 403, 200, 200, 200, 200, 200, 403, 200], 200],
  ['GET /health', [401, 403, 403, 403, 403, 200, 200, 200, 200, 200, 403, 200], 200],
  ['GET /tokens', [401, 200, 200, 403, 200, 200, 200, 403, 200, 200, 403, 403], 404],
  ['POST /tokens', [401, 400, 400, 403, 400, 400, 400, 403, 400, 400, 403, 403], 404],
  ['DELETE /tokens/nobodys', [401, 404, 404, 403, 404, 404, 404, 403, 404, 404, 403, 403], 404],
  ['GET /me/account', [401, 200, 200, 403, 200, 200, 200, 403, 200, 200, 403, 403], 404],
  ['DELETE /me/sessions/nobodys', [401, 404, 404, 403, 404, 404, 404, 403, 404, 404, 403, 403], 404],
  // Without a body there is nothing that was found.
  ['POST /doctor', [401, 403, 403, 403, 403, 403, 403, 403, 400, 400, 403, 403], 400],
  ['POST /policy/reload', [401, 403, 403, 403, 403, 403, 403, 403, 200, 200, 403, 403], 200],
];

describe('who may ask', () => {
  for (const [line, statuses, operator] of table) {
    test(line, async () => {
      const got = [];
      for (const name of order) {
        // Ending somebody's sessions ends what they are called by here; a new one for each.
        if (line.startsWith('DELETE') && name === 'their cookie') {
          const visitor = new Visitor(front.url);
          await visitor.logIn('dana', passwordOf('dana'));
          cookies.set('dana', visitor.cookie);
        }
        const reply = await call(line, (await callers[name]?.()) ?? {});
        got.push(`${name}: ${reply.status}`);
        if (reply.status >= 400) expect(reply.headers['content-type']).toBe('application/problem+json');
      }
      expect(got).toEqual(order.map((name, at) => `${name}: ${statuses[at]}`));
      expect((await call(line, { authorization: admin }, front.adminUrl)).status).toBe(operator);
      expect((await call(line, {}, front.adminUrl)).status).toBe(401);
      // The admin token is nobody's password.
      expect((await call(line, { authorization: admin })).status).toBe(401);
    });
  }

  test('is answered for every operation that there is: none is missing in this table', async () => {
    const { body } = await call('GET /openapi.json', basic('ada'));
    const paths = body.paths as Record<string, Record<string, unknown>>;
    const there = Object.entries(paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method.toUpperCase()} ${path.slice('/api/v1'.length)}`),
    );
    const tested = table.map(([line]) => line.split('?')[0]?.replace(/\/(?:nobodys|none)$/, '/{id}'));
    const elsewhere = there.filter((line) => !tested.includes(line));
    // Pages of developers and promotions have tests of their own.
    const others =
      /^(?:POST \/promotions|DELETE \/me\/sessions$|(?:GET|POST|DELETE) \/(?:repositor|tags|image|delete|access|explain|device|policy\/))/;
    expect(elsewhere.filter((line) => !others.test(line))).toEqual([]);
  });
});

describe("a browser with the page's cookie", () => {
  const reload = (headers: Headers) => call('POST /policy/reload', { ...cookieOf('ada'), ...headers });

  test.each([
    ['another port of the same host', { ...fromPage, 'sec-fetch-site': 'same-site' }, 403],
    ['another site', { ...fromPage, 'sec-fetch-site': 'cross-site' }, 403],
    ['nowhere that it says', { 'content-type': 'application/json' }, 403],
    [
      'another origin, as an old browser says it',
      { 'content-type': 'application/json', origin: 'https://evil.test' },
      403,
    ],
    ['a form', { 'sec-fetch-site': 'same-origin', 'content-type': 'application/x-www-form-urlencoded' }, 415],
    ['text that a form can send', { 'sec-fetch-site': 'same-origin', 'content-type': 'text/plain' }, 415],
    ['the page', fromPage, 200],
    [
      'the page, as an old browser says it',
      { 'content-type': 'application/json', origin: 'https://registry.test' },
      200,
    ],
  ])('changes something from %s or not', async (_where, headers, status) => {
    const before = front.records.filter(({ event }) => event === 'policy').length;
    expect((await reload(headers)).status).toBe(status);
    const after = front.records.filter(({ event }) => event === 'policy').length;
    if (status !== 200) expect(after).toBe(before);
  });

  test('is never asked for a password by the browser', async () => {
    for (const headers of [{}, { cookie: '__Host-portcullis=gone' }, cookieOf('nobody')]) {
      const reply = await call('GET /me', headers);
      expect(reply.status).toBe(401);
      expect(reply.headers['www-authenticate']).toMatch(/^Bearer /);
      expect(reply.headers['www-authenticate']).not.toMatch(/basic/i);
    }
  });

  test('is taken at its credentials where it sends some', async () => {
    const reply = await call('GET /me', { ...cookieOf('ada'), ...basic('dana') });
    expect(reply.body).toMatchObject({ name: 'dana', administers: false });
    expect((await call('GET /me', { ...cookieOf('ada'), authorization: 'Basic ???' })).status).toBe(401);
  });
});

describe('a request', () => {
  test.each([
    ['GET /activity?acount=dana', 'there is no parameter "acount" — did you mean "account"?'],
    ['GET /activity?acount=dana', 'repository, decision'],
    ['GET /me?x=1', 'it takes none'],
    ['GET /explain?action=pull', 'repository: it is missing'],
    ['GET /activity?limit=0', 'limit'],
    ['GET /activity?limit=1e3', 'limit: expected a whole number'],
    ['GET /activity?decision=maybe', 'decision: expected allow, deny or error'],
    ['GET /activity?reason=a&reason=b', 'twice'],
    ['DELETE /sessions/abc?id=def', 'twice'],
    ['POST /policy/reload?x=1', 'send JSON'],
  ])('%s is told what is wrong: %s', async (line, words) => {
    const reply = await call(line, basic('ada'));
    expect([reply.status, reply.body.detail]).toEqual([400, expect.stringContaining(words)]);
  });

  test.each([
    ['[]', 'no JSON object'],
    ['{"x":1}', 'there is no parameter "x"'],
    ['{', 'no JSON'],
  ])('with the body %s is told what is wrong', async (body, words) => {
    const reply = await supertest(front.url)
      .post('/api/v1/policy/reload')
      .set({ ...basic('ada'), 'content-type': 'application/json' })
      .send(body);
    expect([reply.status, reply.body.detail]).toEqual([400, expect.stringContaining(words)]);
  });

  test.each([
    ['PUT', '/policy', 'GET, HEAD'],
    ['OPTIONS', '/policy/reload', 'POST'],
    ['POST', '/sessions', 'GET, HEAD, DELETE'],
    ['GET', '/sessions/abc', 'DELETE'],
    ['PATCH', '/promotions', 'GET, HEAD, POST'],
  ])('%s %s is told what there is', async (method, path, allow) => {
    for (const url of [front.url, front.adminUrl]) {
      const isAdmin = url === front.adminUrl;
      const headers = isAdmin ? { authorization: admin } : basic('dana');
      const reply = await fetch(`${url}/api/v1${path}`, { method, headers });
      const there = isAdmin ? allow.replace(', POST', '') : allow;
      expect([reply.status, reply.headers.get('allow')]).toEqual([405, path === '/policy/reload' ? 'POST' : there]);
    }
  });

  test('by HEAD has the head of a GET and no body', async () => {
    const reply = await fetch(`${front.url}/api/v1/me`, { method: 'HEAD', headers: basic('dana') });
    expect([reply.status, reply.headers.get('content-type'), await reply.text()]).toEqual([
      200,
      'application/json',
      '',
    ]);
  });

  test.each([
    '/api/v1',
    '/api/v1/',
    '/api/v1/me/',
    '/api/v1//me',
    '/api/v1/Me',
    '/api/v1/%6de',
    '/api/v1/sessions/a/b',
    '/api/v2/me',
  ])('for %s is for nothing', async (path) => {
    expect((await supertest(front.url).get(path).set(basic('ada'))).status).toBe(404);
  });

  test('for what is not there gets a problem that says where to look, on both listeners', async () => {
    for (const [url, headers] of [
      [front.url, basic('dana')],
      [front.adminUrl, { authorization: admin }],
    ] as const) {
      const reply = await supertest(url).get('/api/v1/sesions').set(headers);
      expect([reply.status, reply.type]).toEqual([404, 'application/problem+json']);
      expect(reply.body).toMatchObject({ type: 'unknown', detail: expect.stringContaining('/api/v1/openapi.json') });
    }
  });

  test('is answered to nobody but its caller: no cache, no other site', async () => {
    const { headers } = await call('GET /me', basic('dana'));
    expect(headers).toMatchObject({
      'cache-control': 'no-store',
      vary: 'Authorization, Cookie',
      'cross-origin-resource-policy': 'same-origin',
      'x-content-type-options': 'nosniff',
    });
  });

  test('that changes something is written down with who did it, on both listeners', async () => {
    await call('POST /policy/reload', basic('ada'));
    const facts = {
      event: 'access',
      decision: 'allow',
      route: 'api',
      detail: 'POST /api/v1/policy/reload',
      status: 200,
    };
    expect(front.records.at(-1)).toMatchObject({ ...facts, account: 'ada', kind: 'user', method: 'password' });
    await call('POST /policy/reload', { authorization: admin }, front.adminUrl);
    expect(front.records.at(-1)).toMatchObject({ ...facts, reason: 'admin_token' });
    await call('POST /policy/reload', basic('dana'));
    expect(front.records.at(-1)).toMatchObject({ decision: 'deny', reason: 'needs_administer', account: 'dana' });
  });
});

describe('what somebody is told', () => {
  test('of themselves: groups, rights by their rules, what is left of their limits', async () => {
    const { body } = await call('GET /me', basic('dana'));
    expect(body).toMatchObject({ kind: 'user', name: 'dana', groups: ['devs'], inPerson: true, inspects: false });
    expect(body.rights).toEqual([{ rule: 'a-pulls', actions: ['pull'], repositories: ['team-a/**'] }]);
    expect(body.limits).toMatchObject([{ name: 'pulls', source: 'dana', burst: 3, remaining: 3, waitSeconds: 0 }]);
  });

  test('by a bearer token: only the repositories of its access, and what they may do there now', async () => {
    const token = await bearer('dana', 'repository:team-a/app:pull,push', 'repository:team-b/app:pull');
    const { body } = await call('GET /me', token);
    expect(body.inPerson).toBe(false);
    expect(body.rights).toEqual([{ actions: ['pull'], repositories: ['team-a/app'] }]);
  });

  test('by an access token of their own: as far as that was made for', async () => {
    const token = await ownToken('dana', { repositories: ['team-a/app', 'team-b/**'], actions: ['pull', 'push'] });
    const { body } = await call('GET /me', token);
    expect(body).toMatchObject({ name: 'dana', inPerson: false });
    expect(body.rights).toEqual([{ rule: 'a-pulls', actions: ['pull'], repositories: ['team-a/app'] }]);
  });

  test('of a question about themselves: as far as the token that asks was made for', async () => {
    const accessBy = async (headers: Headers) =>
      (await call('GET /access?repository=team-c/app&action=delete', headers)).body as {
        readonly explained: { readonly allowed: boolean };
        readonly actions: readonly string[];
        readonly rows: readonly { readonly cells: readonly object[] }[];
      };
    const narrow = await ownToken('tess', { repositories: ['team-c/*'], actions: ['pull'] });
    const yes = { answer: 'yes', rule: 'c-deletes', note: null };
    const none = { answer: 'none', rule: null, note: null };
    const narrowed = { ...none, note: 'your token was not made for it' };
    for (const headers of [narrow, await bearer('tess', 'repository:team-c/app:pull')]) {
      for (const as of ['', '&as=user:tess']) {
        const { body } = await call(`GET /explain?repository=team-c/app&action=delete${as}`, headers);
        expect(body).toMatchObject({ allowed: false, rule: null, reason: 'your token was not made for it' });
        expect(body.sentence).toBe('user "tess" may not delete team-c/app');
      }
      const { explained, actions, rows } = await accessBy(headers);
      expect([explained.allowed, rows.length]).toEqual([false, 1]);
      expect(rows[0]?.cells).toEqual([yes, none, none, narrowed, ...actions.slice(4).map(() => none)]);
    }
    const { explained, rows } = await accessBy(basic('tess'));
    expect(explained).toMatchObject({ allowed: true, rule: { name: 'c-deletes' } });
    expect(rows[0]?.cells.slice(0, 4)).toEqual([yes, none, none, yes]);
  });

  test('by an access token of an administrator: that it is the token which may not administer', async () => {
    const { body } = await call('POST /policy/reload', await ownToken('ada', {}));
    expect(body.detail).toBe('a token may not do this: use the password, or the page');
  });

  test('of activity: their own, or about what they may inspect, or everything', async () => {
    for (const [account, repository] of [
      ['dana', 'team-a/app'],
      ['dana', 'team-b/app'],
      ['tess', 'team-b/app'],
      ['tess', 'team-a/app'],
    ] as const)
      await supertest(front.url).get(`/v2/${repository}/manifests/1.0`).set(basic(account));
    const seen = async (headers: Headers): Promise<readonly string[]> => {
      const { body } = await call('GET /activity?limit=200', headers);
      const records = body.records as readonly { account: string; repository?: string; action?: string }[];
      const pulls = records.filter(({ action, repository }) => action === 'pull' && repository !== undefined);
      return [...new Set(pulls.map(({ account, repository }) => `${account} ${repository ?? ''}`))].toSorted();
    };
    const all = ['dana team-a/app', 'dana team-b/app', 'tess team-a/app', 'tess team-b/app'];
    expect(await seen(basic('ivy'))).toEqual(all);
    expect(await seen(basic('tia'))).toEqual(['dana team-a/app', 'tess team-a/app']);
    expect(await seen(basic('tess'))).toEqual(['tess team-a/app', 'tess team-b/app']);
    // A token reaches no further than its access, whatever its person did.
    expect(await seen(await bearer('tess', 'repository:team-b/app:pull'))).toEqual(['tess team-b/app']);
    expect(await seen(await bearer('tia', 'repository:team-a/other:inspect'))).toEqual([]);
    const { body } = await call('GET /activity?account=tess&decision=deny', basic('ivy'));
    expect(body.records[0]).toMatchObject({
      explain: { as: 'user:tess', action: 'pull', repository: 'team-a/app', tag: '1.0' },
    });
  });
});

interface Described {
  readonly paths: Record<
    string,
    Record<
      string,
      {
        readonly summary: string;
        readonly operationId: string;
        readonly parameters?: readonly unknown[];
        readonly requestBody?: {
          readonly content: { readonly 'application/json': { readonly schema: { readonly required: unknown } } };
        };
      }
    >
  >;
  readonly components: { readonly securitySchemes: object };
}

describe('the OpenAPI document', () => {
  test('has what its listener serves, with what each takes and answers', async () => {
    const main = (await call('GET /openapi.json', basic('dana'))).body as Described;
    const there = (await call('GET /openapi.json', { authorization: admin }, front.adminUrl)).body as Described;
    expect(
      main.paths['/api/v1/promotions']?.['post']?.requestBody?.content['application/json'].schema.required,
    ).toEqual(['source', 'target']);
    expect(there.paths['/api/v1/promotions']?.['post']).toBeUndefined();
    expect(Object.keys(main.components.securitySchemes)).toEqual(['basic', 'token', 'page']);
    expect(Object.keys(there.components.securitySchemes)).toEqual(['adminToken']);
    const { parameters, operationId } = main.paths['/api/v1/sessions/{id}']?.['delete'] ?? {};
    expect([operationId, parameters]).toEqual([
      'deleteSessionsById',
      [{ name: 'id', in: 'path', required: true, schema: { type: 'string' } }],
    ]);
    for (const methods of Object.values(main.paths))
      for (const { summary } of Object.values(methods)) expect(summary).not.toBe('');
  });
});
