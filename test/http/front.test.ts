import { createLocalJWKSet, jwtVerify } from 'jose';
import supertest from 'supertest';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { withoutIds } from '../support/error-body.ts';
import { type Front, credentials, realm, service, startFront } from './support/front.ts';

const digest = `sha256:${'0123456789abcdef'.repeat(4)}`;
const id = '6a2c4e6f-0f0e-4a44-b0a3-3f2d4c5b6a79';

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
      - { name: share, subjects: ['group:devs'], repositories: ['sandbox/**'], actions: [pull, push, delete, catalog] }
      - { name: open, subjects: [everyone], repositories: ['open/**'], actions: [pull] }
      - { name: hidden, effect: deny, subjects: [everyone], repositories: ['sandbox/hidden/**'], actions: [pull, catalog] }
`,
    repositories: [
      'open/a',
      'release/x',
      'sandbox/a',
      'sandbox/b',
      'sandbox/c',
      'sandbox/hidden/1',
      'sandbox/hidden/2',
      'sandbox/z',
      'secret/y',
    ],
  });
});
afterAll(() => front.close());

const challenge = `Bearer realm="${realm}",service="${service}"`;
const basic = (account: string, password?: string): string => `Basic ${credentials(account, password)}`;
type Verb = 'get' | 'head' | 'post' | 'put' | 'patch' | 'delete';

function ask(request: string, authorization?: string): supertest.Test {
  const [method = '', target = ''] = request.split(' ');
  const asked = supertest(front.url)[method.toLowerCase() as Verb](target);
  return authorization === undefined ? asked : asked.set('Authorization', authorization);
}

interface Refused {
  readonly errors: readonly { readonly code: string; readonly message: string; readonly detail?: unknown }[];
}

const everyRoute: readonly (readonly [request: string, scope: string])[] = [
  ['GET /v2/', ''],
  ['GET /v2', ''],
  ['HEAD /v2/', ''],
  ['GET /v2/_catalog', ',scope="registry:catalog:*"'],
  ['GET /v2/open/a/tags/list', ',scope="repository:open/a:pull"'],
  ['GET /v2/open/a/manifests/1', ',scope="repository:open/a:pull"'],
  ['HEAD /v2/open/a/manifests/1', ',scope="repository:open/a:pull"'],
  ['PUT /v2/open/a/manifests/1', ',scope="repository:open/a:pull,push"'],
  ['DELETE /v2/open/a/manifests/1', ',scope="repository:open/a:delete"'],
  [`GET /v2/open/a/blobs/${digest}`, ',scope="repository:open/a:pull"'],
  [`DELETE /v2/open/a/blobs/${digest}`, ',scope="repository:open/a:delete"'],
  ['POST /v2/open/a/blobs/uploads/', ',scope="repository:open/a:pull,push"'],
  [`PATCH /v2/open/a/blobs/uploads/${id}`, ',scope="repository:open/a:pull,push"'],
  [`PUT /v2/open/a/blobs/uploads/${id}`, ',scope="repository:open/a:pull,push"'],
  [`GET /v2/open/a/referrers/${digest}`, ',scope="repository:open/a:pull"'],
  ['GET /v2/no/such/route', ''],
];

describe('without credentials', () => {
  test.each(everyRoute)('%s is 401 with one Bearer challenge, also where anybody may pull', async (request, scope) => {
    const { status, headers, body, text } = await read(ask(request));
    expect(status).toBe(401);
    expect(headers).toMatchObject({
      'www-authenticate': `${challenge}${scope}`,
      'content-type': 'application/json',
      'docker-distribution-api-version': 'registry/2.0',
    });
    if (request.startsWith('HEAD')) expect(text ?? '').toBe('');
    else expect((body as Refused).errors).toMatchObject([{ code: 'UNAUTHORIZED', message: 'authentication required' }]);
    expect(front.forwarded).toEqual([]);
  });

  test('the answer is the same for repositories that exist and that do not', async () => {
    const strip = (text: string): string => withoutIds(text).replaceAll(/open\/a|no\/such/g, 'NAME');
    const [one, other] = await Promise.all([ask('GET /v2/open/a/tags/list'), ask('GET /v2/no/such/tags/list')]);
    expect(strip(one.text)).toBe(strip(other.text));
    expect(strip(String(one.headers['www-authenticate']))).toBe(strip(String(other.headers['www-authenticate'])));
  });

  test('the detail names each access as distribution does', async () => {
    const { body } = await read(ask('POST /v2/open/a/blobs/uploads/'));
    expect((body as Refused).errors[0]?.detail).toEqual([
      { Type: 'repository', Class: '', Name: 'open/a', Action: 'pull' },
      { Type: 'repository', Class: '', Name: 'open/a', Action: 'push' },
    ]);
  });

  test('the realm is that of the configuration, whatever host a client names', async () => {
    const { headers } = await ask('GET /v2/')
      .set('Host', 'evil.example.com')
      .set('X-Forwarded-Host', 'evil.example.com')
      .set('X-Forwarded-Proto', 'http')
      .set('Forwarded', 'host=evil.example.com');
    expect(headers['www-authenticate']).toBe(challenge);
  });
});

describe('with credentials', () => {
  test('the ping answers an empty object', async () => {
    for (const authorization of [
      basic('dana'),
      `Bearer ${await front.token('dana')}`,
      `Bearer ${await front.token('', 'repository:open/a:pull')}`,
    ]) {
      const { status, headers, text } = await ask('GET /v2/', authorization);
      expect([status, text]).toEqual([200, '{}']);
      expect(headers).toMatchObject({
        'content-type': 'application/json',
        'docker-distribution-api-version': 'registry/2.0',
      });
    }
    const head = await ask('HEAD /v2', basic('dana'));
    expect([head.status, head.text ?? '', head.headers['content-length']]).toEqual([200, '', '2']);
  });

  const cases: readonly (readonly [
    promise: string,
    request: string,
    authorization: () => string | Promise<string>,
    answer: { status: number; challenge?: string; code?: string; message?: string },
  ])[] = [
    [
      'a wrong password is 401 without an error parameter',
      'GET /v2/open/a/manifests/1',
      () => basic('dana', 'wrong'),
      {
        status: 401,
        challenge: ',scope="repository:open/a:pull"',
        code: 'UNAUTHORIZED',
        message: 'incorrect username or password',
      },
    ],
    [
      'an unknown user is the very same',
      'GET /v2/open/a/manifests/1',
      () => basic('nobody'),
      {
        status: 401,
        challenge: ',scope="repository:open/a:pull"',
        code: 'UNAUTHORIZED',
        message: 'incorrect username or password',
      },
    ],
    [
      'a disabled user is the very same',
      'GET /v2/open/a/manifests/1',
      () => basic('gone'),
      {
        status: 401,
        challenge: ',scope="repository:open/a:pull"',
        code: 'UNAUTHORIZED',
        message: 'incorrect username or password',
      },
    ],
    [
      'a token that is none is invalid',
      'GET /v2/open/a/manifests/1',
      () => 'Bearer x.y.z',
      {
        status: 401,
        challenge: ',scope="repository:open/a:pull",error="invalid_token"',
        code: 'UNAUTHORIZED',
        message: 'the token is not valid',
      },
    ],
    [
      'an access token does not serve as a password',
      'GET /v2/',
      async () => basic('dana', await front.token('dana')),
      {
        status: 401,
        challenge: '',
        code: 'UNAUTHORIZED',
        message:
          'the token is not accepted as that of a CI job with this name; check the user name, and the issuer and audience of the token',
      },
    ],
    [
      'a token that is too narrow says so',
      'PUT /v2/sandbox/a/manifests/1',
      async () => `Bearer ${await front.token('dana', 'repository:sandbox/a:pull')}`,
      {
        status: 401,
        challenge: ',scope="repository:sandbox/a:pull,push",error="insufficient_scope"',
        code: 'UNAUTHORIZED',
        message: 'the token does not reach this far',
      },
    ],
    [
      'anonymous is challenged where it may not',
      'GET /v2/sandbox/a/manifests/1',
      async () => `Bearer ${await front.token('', 'repository:sandbox/a:pull')}`,
      {
        status: 401,
        challenge: ',scope="repository:sandbox/a:pull",error="insufficient_scope"',
        code: 'UNAUTHORIZED',
        message: 'not allowed without logging in',
      },
    ],
    [
      'the policy’s no is 403 with the reason',
      'PUT /v2/open/a/manifests/1.0',
      () => basic('dana'),
      { status: 403, code: 'DENIED', message: 'user "dana" may not push open/a:1.0: no rule allows it' },
    ],
    [
      'the policy’s no is 403 to a token as well',
      'PUT /v2/open/a/manifests/1.0',
      async () => `Bearer ${await front.token('dana', 'repository:open/a:push')}`,
      { status: 403, code: 'DENIED', message: 'user "dana" may not push open/a:1.0: no rule allows it' },
    ],
    ['a bad name is 400', 'GET /v2/Open/a/tags/list', () => basic('dana'), { status: 400, code: 'NAME_INVALID' }],
    [
      'a push of a bad tag is 400',
      'PUT /v2/sandbox/a/manifests/-x',
      () => basic('dana'),
      { status: 400, code: 'MANIFEST_INVALID' },
    ],
    [
      'a manifest by a bad tag is not there',
      'GET /v2/open/a/manifests/-x',
      () => basic('dana'),
      { status: 404, code: 'MANIFEST_UNKNOWN' },
    ],
    [
      'a bad digest is 400',
      'GET /v2/open/a/blobs/sha256:abc',
      () => basic('dana'),
      { status: 400, code: 'DIGEST_INVALID' },
    ],
    [
      'a bad page is 400',
      'GET /v2/_catalog?n=-1',
      () => basic('dana'),
      { status: 400, code: 'PAGINATION_NUMBER_INVALID' },
    ],
    [
      'an unknown upload id is 404',
      'GET /v2/sandbox/a/blobs/uploads/a:b',
      () => basic('dana'),
      { status: 404, code: 'BLOB_UPLOAD_UNKNOWN' },
    ],
    ['an unknown route is 404', 'GET /v2/open/a/unknown', () => basic('dana'), { status: 404, code: 'UNSUPPORTED' }],
    [
      'a method that a route does not have is 405',
      'POST /v2/open/a/manifests/1',
      () => basic('dana'),
      { status: 405, code: 'UNSUPPORTED' },
    ],
    [
      'a target that can be read twice is 400 at once',
      'GET /v2/open%2fa/tags/list',
      () => basic('dana'),
      { status: 400, code: 'NAME_INVALID' },
    ],
  ];
  test.each(cases)('%s', async (_promise, request, authorization, { status, challenge: more, code, message }) => {
    const reply = await ask(request, await authorization());
    expect(reply.status).toBe(status);
    const [error] = (reply.body as Refused).errors;
    expect(error).toMatchObject({ code, ...(message === undefined ? {} : { message }) });
    expect(reply.headers['www-authenticate']).toBe(more === undefined ? undefined : `${challenge}${more}`);
    expect(reply.headers['docker-distribution-api-version']).toBe('registry/2.0');
    expect(front.forwarded).toEqual([]);
  });

  test('what is allowed is forwarded as it was judged, and the answer comes back', async () => {
    const before = front.forwarded.length;
    const { status, text, headers } = await ask('GET /v2/sandbox/a/manifests/1?x=1', basic('dana'));
    expect([status, text]).toEqual([200, '{"manifest":true}']);
    expect(headers['docker-content-digest']).toBe(digest);
    expect(front.forwarded.slice(before)).toEqual(['GET /v2/sandbox/a/manifests/1']);
  });

  test('a policy edit counts for the very next request of a live token', async () => {
    const token = `Bearer ${await front.token('tess', 'repository:open/a:pull')}`;
    expect((await ask('GET /v2/open/a/manifests/1', token)).status).toBe(200);
    const rules = `rules: [{ name: share, subjects: ['group:devs'], repositories: ['sandbox/**'], actions: [pull, push, delete, catalog] },
      { name: hidden, effect: deny, subjects: [everyone], repositories: ['sandbox/hidden/**'], actions: [pull, catalog] }`;
    await front.setPolicy(`${rules}]`);
    expect((await ask('GET /v2/open/a/manifests/1', token)).status).toBe(403);
    await front.setPolicy('rules: [');
    expect((await ask('GET /v2/open/a/manifests/1', token)).status).toBe(403);
    await front.setPolicy(
      `${rules}, { name: open, subjects: [everyone], repositories: ['open/**'], actions: [pull] }]`,
    );
    expect((await ask('GET /v2/open/a/manifests/1', token)).status).toBe(200);
  });
});

describe('the list of repositories', () => {
  const names = (reply: supertest.Response): unknown => (reply.body as { repositories: unknown }).repositories;

  test('shows what the caller may list and pull', async () => {
    const reply = await ask('GET /v2/_catalog', basic('dana'));
    expect([reply.status, names(reply), reply.headers['link']]).toEqual([
      200,
      ['sandbox/a', 'sandbox/b', 'sandbox/c', 'sandbox/z'],
      undefined,
    ]);
  });

  test('is closed to who may list nothing', async () => {
    const reply = await ask('GET /v2/_catalog', basic('tess'));
    expect(reply.status).toBe(403);
    expect(reply.text).toContain('user \\"tess\\" may not list the catalog');
  });

  test('has pages whose links never name what is hidden', async () => {
    const seen: unknown[] = [];
    let target: string | undefined = '/v2/_catalog?n=1';
    while (target !== undefined) {
      const reply: supertest.Response = await ask(`GET ${target}`, basic('dana'));
      expect(reply.text).not.toMatch(/hidden|secret|release/);
      seen.push(names(reply));
      const link: string | undefined = reply.headers['link'];
      expect(link ?? '').not.toMatch(/hidden|secret|release|127\.0\.0\.1/);
      target = /^<(\/v2\/_catalog\?\S+)>; rel="next"$/.exec(link ?? '')?.[1];
    }
    expect(seen).toEqual([['sandbox/a'], ['sandbox/b'], ['sandbox/c'], ['sandbox/z']]);
  });

  test('may begin after a name that is hidden or does not exist, without telling', async () => {
    for (const last of ['sandbox/hidden/1', 'sandbox/hidden/9', 'sandbox/d']) {
      expect(names(await ask(`GET /v2/_catalog?last=${encodeURIComponent(last)}`, basic('dana')))).toEqual([
        'sandbox/z',
      ]);
    }
  });
});

describe('everything else', () => {
  test.each([
    'GET /',
    'GET /TOKEN',
    'GET /token/',
    'GET /Token',
    'GET /token/revoke/x',
    'GET //token',
    'GET /v1/',
    'GET /v1/search',
    'GET /V2/',
    'GET /v2x',
    'GET /metrics',
    'GET /readyz',
    'GET /livez',
    'GET /debug/pprof',
    'GET /favicon.ico',
    'GET /.well-known/openid-configuration',
    'GET /.well-known/jwks.json/',
    'GET /%2e%2e/v2/',
    'GET /x/../v2/open/a/manifests/1',
    'GET /%2F%2F..%2F..%2Fetc%2Fpasswd',
    'GET /extensions/v2/open/a/signatures/x',
    'GET /zot/auth/login',
    'GET /swagger/v1/swagger.json',
    'POST /anything',
  ])('%s is 404, with or without credentials, and never reaches the registry', async (request) => {
    const before = front.forwarded.length;
    for (const authorization of [undefined, basic('dana')]) {
      const reply = await ask(request, authorization);
      expect(reply.status).toBe(404);
      expect(reply.headers['content-type']).toBe('application/json');
      expect(reply.headers['www-authenticate']).toBeUndefined();
      expect((reply.body as Refused).errors).toHaveLength(1);
    }
    expect(front.forwarded.length).toBe(before);
  });

  test('gives away neither the framework nor what is behind it', async () => {
    for (const request of [
      'GET /',
      'GET /v2/',
      'GET /token',
      'GET /.well-known/jwks.json',
      'GET /v2/sandbox/a/manifests/1',
    ]) {
      const { headers } = await ask(request, basic('dana'));
      expect(Object.keys(headers)).not.toEqual(expect.arrayContaining(['x-powered-by']));
      expect(Object.keys(headers)).not.toEqual(expect.arrayContaining(['server']));
      expect(headers['x-request-id']).toMatch(/^[0-9a-f-]{36}$/);
    }
  });
});

describe('the public keys', () => {
  test('are enough for anybody to verify a token, and nothing more', async () => {
    const { status, headers, body } = await read(ask('GET /.well-known/jwks.json'));
    expect(status).toBe(200);
    expect(headers['content-type']).toBe('application/json');
    const { keys } = body as { keys: Record<string, unknown>[] };
    expect(keys).toHaveLength(1);
    expect(Object.keys(keys[0] ?? {}).sort()).toEqual(['alg', 'crv', 'kid', 'kty', 'use', 'x', 'y']);
    const token = await front.token('dana', 'repository:sandbox/a:pull');
    const verified = await jwtVerify(token, createLocalJWKSet(body as never), {
      issuer: 'https://registry.test',
      audience: service,
    });
    expect(verified.payload.sub).toBe('dana');
    expect(verified.protectedHeader.kid).toBe(keys[0]?.['kid']);
  });

  test('are read, not written', async () => {
    for (const method of ['POST', 'PUT', 'DELETE'])
      expect((await ask(`${method} /.well-known/jwks.json`)).status).toBe(404);
  });
});
