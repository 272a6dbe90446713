import { gzipSync } from 'node:zlib';
import { decodeJwt } from 'jose';
import supertest from 'supertest';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { leastWork } from '../support/cpu-time.ts';
import { withoutIds } from '../support/error-body.ts';
import { type Front, credentials, passwordOf, service, startFront } from './support/front.ts';

/** As supertest's, but for the body, which nobody has looked at yet. */
interface Reply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly text: string;
  readonly body: unknown;
}

const read = async (asked: PromiseLike<Reply>): Promise<Reply> => asked;

let front: Front;
beforeAll(async () => {
  front = await startFront({
    rules: `rules:
      - { name: share, subjects: ['group:devs'], repositories: ['sandbox/**'], actions: [pull, push] }
      - { name: open, subjects: [everyone], repositories: ['open/**'], actions: [pull] }
`,
  });
});
afterAll(() => front.close());

const basic = (account: string, password?: string): string => `Basic ${credentials(account, password)}`;
const sandbox = 'repository:sandbox/app:pull,push';

function get(query: string, authorization?: string): supertest.Test {
  const asked = supertest(front.url).get(`/token?${query}`);
  return authorization === undefined ? asked : asked.set('Authorization', authorization);
}

/** A form; a list repeats its field. */
function post(fields: Readonly<Record<string, string | readonly string[]>>): supertest.Test {
  const form = Object.entries(fields).flatMap(([name, value]) =>
    [value].flat().map((one) => `${encodeURIComponent(name)}=${encodeURIComponent(one)}`),
  );
  return supertest(front.url)
    .post('/token')
    .set('Content-Type', 'application/x-www-form-urlencoded')
    .send(form.join('&'));
}

const password = { grant_type: 'password', service, client_id: 'test', username: 'dana', password: passwordOf('dana') };

interface TokenBody {
  readonly token: string;
  readonly access_token: string;
  readonly expires_in: number;
}

const accessOf = (body: unknown): unknown => decodeJwt((body as TokenBody).token).access;

describe('GET /token', () => {
  test('gives a token under both names, its time, and nothing that a client could misread', async () => {
    const { status, headers, body } = await read(get(`service=${service}&scope=${sandbox}`, basic('dana')));
    expect(status).toBe(200);
    expect(headers).toMatchObject({
      'content-type': 'application/json',
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
    });
    const { token, access_token, expires_in, ...rest } = body as TokenBody & Record<string, unknown>;
    expect(access_token).toBe(token);
    expect(expires_in).toBeGreaterThanOrEqual(60);
    // `issued_at` would be measured against the client's own clock.
    expect(rest).toEqual({});
    expect(decodeJwt(token)).toMatchObject({ iss: 'https://registry.test', sub: 'dana', aud: service });
    expect(accessOf(body)).toEqual([{ type: 'repository', name: 'sandbox/app', actions: ['pull', 'push'] }]);
  });

  test.each([
    ['repeated', 'scope=repository:sandbox/a:pull&scope=repository:open/b:pull,push'],
    ['separated by an escaped space', 'scope=repository:sandbox/a:pull%20repository:open/b:pull,push'],
    ['separated by a plus', 'scope=repository:sandbox/a:pull+repository:open/b:pull,push'],
    ['escaped altogether', `scope=${encodeURIComponent('repository:sandbox/a:pull repository:open/b:pull,push')}`],
  ])('takes scopes that are %s', async (_how, query) => {
    const { body } = await read(get(query, basic('dana')));
    expect(accessOf(body)).toEqual([
      { type: 'repository', name: 'sandbox/a', actions: ['pull'] },
      { type: 'repository', name: 'open/b', actions: ['pull'] },
    ]);
  });

  test.each([
    ['a login without scope', '', 'dana', []],
    ['a login as docker does it', `account=dana&client_id=docker&service=${service}`, 'dana', []],
    ['an empty scope', 'scope=', 'dana', []],
    ['an empty service', 'service=&scope=repository:sandbox/a:pull', 'dana', ['pull']],
    ['an unknown parameter', 'future=1&scope=repository:sandbox/a:pull', 'dana', ['pull']],
    ['an account that is only a hint', 'account=tess&scope=repository:sandbox/a:pull', 'dana', ['pull']],
    ['no right at all', 'scope=repository:sandbox/a:pull', 'tess', []],
  ])('answers %s', async (_what, query, account, actions) => {
    const { status, body } = await read(get(query, basic(account)));
    expect(status).toBe(200);
    expect(decodeJwt((body as TokenBody).token).sub).toBe(account);
    const [first] = accessOf(body) as { actions: string[] }[];
    expect(first?.actions ?? []).toEqual(actions);
  });

  test('gives anonymous what everyone may, without any credentials or with empty ones', async () => {
    for (const authorization of [undefined, 'Basic Og==']) {
      const { status, body } = await read(get('scope=repository:open/a:pull,push', authorization));
      expect(status).toBe(200);
      expect(decodeJwt((body as TokenBody).token).sub).toBe('');
      expect(accessOf(body)).toEqual([{ type: 'repository', name: 'open/a', actions: ['pull'] }]);
    }
  });

  test('does not work long for a query of thousands of parameters', async () => {
    const names = Array.from({ length: 16_000 }, (_, index) => index.toString(36));
    const asked = async (): Promise<void> => expect((await get(names.join('&'))).status).toBe(401);
    expect(await leastWork(asked)).toBeLessThan(300);
  });

  test('answers HEAD without a body', async () => {
    const { status, text, headers } = await supertest(front.url)
      .head(`/token?scope=${sandbox}`)
      .set('Authorization', basic('dana'));
    expect(status).toBe(200);
    expect(text ?? '').toBe('');
    expect(Number(headers['content-length'])).toBeGreaterThan(100);
  });
});

describe('POST /token', () => {
  test('gives the same, with the granted scope in words', async () => {
    const { status, headers, body } = await read(
      post({
        ...password,
        scope: 'repository:sandbox/a:push,pull,delete repository:none/b:pull',
      }),
    );
    expect(status).toBe(200);
    expect(headers['cache-control']).toBe('no-store');
    const { token, access_token, expires_in, ...rest } = body as TokenBody & Record<string, unknown>;
    expect(access_token).toBe(token);
    expect(expires_in).toBeGreaterThanOrEqual(60);
    expect(rest).toEqual({ scope: 'repository:sandbox/a:pull,push' });
  });

  test('takes repeated scopes, as containers/image sends them', async () => {
    const { body } = await read(post({ ...password, scope: ['repository:sandbox/a:pull', 'repository:open/b:pull'] }));
    expect(body).toMatchObject({ scope: 'repository:sandbox/a:pull repository:open/b:pull' });
  });

  test('takes a character set and a compressed form', async () => {
    const form = new URLSearchParams(password).toString();
    const types = ['application/x-www-form-urlencoded; charset=utf-8', 'APPLICATION/x-www-form-urlencoded'];
    for (const type of types) {
      expect((await supertest(front.url).post('/token').set('Content-Type', type).send(form)).status).toBe(200);
    }
    const reply = await fetch(`${front.url}/token`, {
      method: 'POST',
      headers: { 'content-type': 'application/x-www-form-urlencoded', 'content-encoding': 'gzip' },
      body: gzipSync(form),
    });
    expect(reply.status).toBe(200);
  });

  test('takes its parameters from the form alone', async () => {
    const query = new URLSearchParams(password).toString();
    const { status } = await supertest(front.url)
      .post(`/token?${query}`)
      .set('Content-Type', 'application/x-www-form-urlencoded')
      .send('');
    expect(status).toBe(400);
  });
});

/** Both forms in one body: docker reads the first, OAuth2 clients the second. */
function expectRefusal(
  { status, headers, body }: supertest.Response,
  expected: { status: number; code: string; error: string },
): void {
  expect({ status, body: body as unknown }).toMatchObject({
    status: expected.status,
    body: {
      errors: [{ code: expected.code, message: expect.any(String) as unknown }],
      error: expected.error,
      error_description: expect.any(String) as unknown,
    },
  });
  expect(headers).toMatchObject({ 'content-type': 'application/json', 'cache-control': 'no-store' });
  expect(body).not.toHaveProperty('token');
}

describe('a token request is refused', () => {
  const grant = { status: 401, code: 'UNAUTHORIZED', error: 'invalid_grant' };
  const missing = { status: 401, code: 'UNAUTHORIZED', error: 'invalid_request' };
  const bad = { status: 400, code: 'UNSUPPORTED', error: 'invalid_request' };
  const cases: readonly (readonly [why: string, ask: () => PromiseLike<supertest.Response>, refusal: typeof bad])[] = [
    ['for a wrong password', () => get(`scope=${sandbox}`, basic('dana', 'wrong')), grant],
    ['for an unknown user', () => get(`scope=${sandbox}`, basic('nobody')), grant],
    ['for a disabled user', () => get(`scope=${sandbox}`, basic('gone')), grant],
    ['for a password of two kilobytes', () => get('', basic('dana', 'x'.repeat(2048))), grant],
    [
      'for a wrong password where anonymous would be served',
      () => get('scope=repository:open/a:pull', basic('dana', 'wrong')),
      grant,
    ],
    ['for a wrong password in a form', () => post({ ...password, password: 'wrong' }), grant],
    ['for an unknown user in a form', () => post({ ...password, username: 'nobody' }), grant],
    ['for a login as nobody', () => get(`service=${service}`), missing],
    ['for an empty login', () => get('', 'Basic Og=='), missing],
    ['for an empty login in a form', () => post({ ...password, username: '', password: '' }), missing],
    ['for Basic that is no base64', () => get(`scope=${sandbox}`, 'Basic !!!'), missing],
    [
      'for Basic that is no UTF-8',
      () => get(`scope=${sandbox}`, `Basic ${Buffer.from([0x61, 0x3a, 0xff]).toString('base64')}`),
      missing,
    ],
    ['for an access token in place of a password', () => get(`scope=${sandbox}`, 'Bearer abc'), missing],
    ['for another service', () => get('service=other.test&scope=repository:open/a:pull'), bad],
    ['for a repeated service', () => get(`service=${service}&service=${service}&scope=${sandbox}`, basic('dana')), bad],
    ['for a repeated user name in a form', () => post({ ...password, username: ['dana', 'tess'] }), bad],
    ['for a repeated password in a form', () => post({ ...password, password: [passwordOf('dana'), 'x'] }), bad],
    ['for a repeated grant type', () => post({ ...password, grant_type: ['password', 'password'] }), bad],
    ['for JSON', () => supertest(front.url).post('/token').send(password), bad],
    ['for a multipart form', () => supertest(front.url).post('/token').field('grant_type', 'password'), bad],
    [
      'for a form that does not say so',
      () => supertest(front.url).post('/token').set('Content-Type', 'text/plain').send('grant_type=password'),
      bad,
    ],
    ['for no body at all', () => supertest(front.url).post('/token'), bad],
    ['for a form of a megabyte', () => post({ ...password, junk: 'x'.repeat(1_048_576) }), bad],
    ['for a form that swells to a megabyte', () => compressed('x'.repeat(1_048_576)), bad],
    [
      'for more fields than anybody needs',
      () => post(Object.fromEntries(Array.from({ length: 5000 }, (_, index) => [`f${index}`, 'x']))),
      bad,
    ],
    [
      'for an unknown compression',
      () =>
        supertest(front.url)
          .post('/token')
          .set('Content-Type', 'application/x-www-form-urlencoded')
          .set('Content-Encoding', 'lzma')
          .send('a=b'),
      bad,
    ],
    [
      'for an unknown character set',
      () =>
        supertest(front.url)
          .post('/token')
          .set('Content-Type', 'application/x-www-form-urlencoded; charset=utf-16')
          .send('a=b'),
      bad,
    ],
    [
      'for too many scopes',
      () =>
        get(
          Array.from({ length: 400 }, (_, at) => `scope=repository:${'a'.repeat(60)}${at}:pull`).join('&'),
          basic('dana'),
        ),
      { ...bad, error: 'invalid_scope' },
    ],
    [
      'for an unknown grant type',
      () => post({ ...password, grant_type: 'client_credentials' }),
      { ...bad, error: 'unsupported_grant_type' },
    ],
    [
      'for no grant type',
      () => post({ username: 'dana', password: passwordOf('dana') }),
      { ...bad, error: 'unsupported_grant_type' },
    ],
    [
      'for nested fields',
      () => post({ 'grant_type[]': 'password', ...{ username: 'dana', password: passwordOf('dana') } }),
      { ...bad, error: 'unsupported_grant_type' },
    ],
    [
      'for fields that JavaScript knows',
      () => post({ __proto__x: 'a', constructor: 'b', 'constructor[prototype]': 'c' }),
      { ...bad, error: 'unsupported_grant_type' },
    ],
  ];
  test.each(cases)('%s', async (_why, ask, refusal) => {
    expectRefusal(await ask(), refusal);
  });

  async function compressed(text: string): Promise<supertest.Response> {
    const reply = await fetch(`${front.url}/token`, {
      method: 'POST',
      headers: { 'content-type': 'application/x-www-form-urlencoded', 'content-encoding': 'gzip' },
      body: gzipSync(`a=${text}`),
    });
    const body: unknown = await reply.json();
    return { status: reply.status, headers: Object.fromEntries(reply.headers), body } as supertest.Response;
  }

  test('with one and the same body whether the user exists, is disabled, or guessed wrong', async () => {
    const bodies = await Promise.all(
      [
        basic('dana', 'wrong'),
        basic('nobody'),
        basic('gone'),
        basic('gone', 'wrong'),
        basic('../x'),
        basic('dana', 'x'.repeat(3000)),
      ].map(async (authorization) => withoutIds((await get(`scope=${sandbox}`, authorization)).text)),
    );
    expect(new Set(bodies).size).toBe(1);
    expect(bodies[0]).toContain('incorrect username or password');
  });

  test('for any other method, with those it has', async () => {
    for (const method of ['put', 'patch', 'delete'] as const) {
      const { status, headers } = await supertest(front.url)[method]('/token');
      expect([status, headers['allow']]).toEqual([405, 'GET, POST']);
    }
  });
});
