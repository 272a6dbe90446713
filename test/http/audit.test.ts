import supertest from 'supertest';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { AuditRecord } from '../../src/ports.ts';
import { eventually } from '../support/eventually.ts';
import { type Front, credentials, passwordOf, service, startFront } from './support/front.ts';

const digest = `sha256:${'0123456789abcdef'.repeat(4)}`;
const id = '6a2c4e6f-0f0e-4a44-b0a3-3f2d4c5b6a79';

let front: Front;
beforeAll(async () => {
  front = await startFront({
    rules: `rules:
      - { name: share, subjects: ['group:devs'], repositories: ['sandbox/**'], actions: [pull, push, delete, catalog] }
      - { name: open, subjects: [everyone], repositories: ['open/**'], actions: [pull] }
      - { name: frozen, effect: deny, subjects: [everyone], repositories: ['sandbox/frozen'], actions: [push] }
      - { name: trial, effect: deny, mode: shadow, subjects: ['user:dana'], repositories: ['sandbox/a'], actions: [pull] }
`,
    repositories: ['sandbox/a'],
    env: { PORTCULLIS_TRUSTED_PROXIES: '127.0.0.0/8' },
  });
});
afterAll(() => front.close());

const basic = (account: string, password?: string): string => `Basic ${credentials(account, password)}`;
const bearer = async (account: string, scope = ''): Promise<string> => `Bearer ${await front.token(account, scope)}`;
type Verb = 'get' | 'head' | 'post' | 'put' | 'patch' | 'delete';

/** Asks once, and waits for the one record that must come of it. */
async function recordOf(
  request: string,
  headers: Readonly<Record<string, string>> = {},
  body = '',
): Promise<AuditRecord> {
  const before = front.records.length;
  const [method = '', target = ''] = request.split(' ');
  const asked = supertest(front.url)[method.toLowerCase() as Verb](target).set(headers);
  await (body === '' ? asked : asked.send(body));
  await eventually('a record is written', () => front.records.length > before);
  expect(front.records.length).toBe(before + 1);
  const record = front.records[before];
  if (record === undefined) throw new Error('there is no record');
  return record;
}

const form = { 'Content-Type': 'application/x-www-form-urlencoded' };
const manifest = 'GET /v2/sandbox/a/manifests/1.0';

interface Case {
  readonly what: string;
  readonly request: string;
  readonly headers?: () => Readonly<Record<string, string>> | Promise<Readonly<Record<string, string>>>;
  readonly body?: string;
  readonly record: Partial<Record<keyof AuditRecord, unknown>>;
}

const authorization = (value: string): { Authorization: string } => ({ Authorization: value });
const dana = { account: 'dana', kind: 'user' };
const share = { rule: 'share', source: expect.stringMatching(/rules\.yaml:2$/) as unknown };

const cases: readonly Case[] = [
  {
    what: 'a pull',
    request: manifest,
    headers: () => authorization(basic('dana')),
    record: {
      event: 'access',
      decision: 'allow',
      reason: 'rule_allows',
      ...dana,
      method: 'password',
      ...share,
      shadow: ['trial'],
      repository: 'sandbox/a',
      action: 'pull',
      reference: '1.0',
      digest,
      status: 200,
      bytes: 17,
    },
  },
  {
    what: 'a pull by token',
    request: 'GET /v2/sandbox/b/manifests/1.0',
    headers: async () => authorization(await bearer('dana', 'repository:sandbox/b:pull')),
    record: { decision: 'allow', ...dana, method: 'access-token', shadow: undefined, status: 200 },
  },
  {
    what: 'a pull by digest',
    request: `GET /v2/sandbox/b/manifests/${digest}`,
    headers: () => authorization(basic('dana')),
    record: { decision: 'allow', action: 'pull', reference: digest },
  },
  {
    what: 'an anonymous pull',
    request: 'GET /v2/open/a/manifests/1.0',
    headers: async () => authorization(await bearer('', 'repository:open/a:pull')),
    record: { decision: 'allow', rule: 'open', account: '', kind: 'anonymous', status: 200 },
  },
  {
    what: 'a blob',
    request: `GET /v2/sandbox/b/blobs/${digest}`,
    headers: () => authorization(basic('dana')),
    record: { action: 'pull', repository: 'sandbox/b', digest, status: 200 },
  },
  {
    what: 'the start of an upload',
    request: 'POST /v2/sandbox/b/blobs/uploads/',
    headers: () => authorization(basic('dana')),
    record: { action: 'push', repository: 'sandbox/b', decision: 'allow', status: 201 },
  },
  {
    what: 'the deletion of a blob',
    request: `DELETE /v2/sandbox/b/blobs/${digest}`,
    headers: () => authorization(basic('dana')),
    record: { action: 'delete', digest, decision: 'allow', status: 202 },
  },
  {
    what: 'a ping',
    request: 'GET /v2/',
    headers: () => authorization(basic('dana')),
    record: { event: 'access', decision: 'allow', reason: 'authenticated', ...dana, status: 200 },
  },
  {
    what: 'the catalog',
    request: 'GET /v2/_catalog',
    headers: () => authorization(basic('dana')),
    record: { action: 'catalog', decision: 'allow', rule: 'share', status: 200 },
  },
  {
    what: 'a request without credentials',
    request: manifest,
    record: {
      event: 'access',
      decision: 'deny',
      reason: 'credentials_missing',
      repository: 'sandbox/a',
      action: 'pull',
      account: undefined,
      status: 401,
    },
  },
  {
    what: 'credentials that cannot be read',
    request: manifest,
    headers: () => authorization('Basic !'),
    record: { decision: 'deny', reason: 'credentials_malformed', status: 401 },
  },
  {
    what: 'a wrong password',
    request: manifest,
    headers: () => authorization(basic('dana', 'wrong')),
    record: {
      event: 'login',
      decision: 'deny',
      reason: 'password_wrong',
      account: 'dana',
      repository: 'sandbox/a',
      status: 401,
    },
  },
  {
    what: 'an unknown user',
    request: manifest,
    headers: () => authorization(basic('nobody')),
    record: { event: 'login', decision: 'deny', reason: 'account_unknown', account: 'nobody', status: 401 },
  },
  {
    what: 'a disabled user',
    request: manifest,
    headers: () => authorization(basic('gone')),
    record: { event: 'login', decision: 'deny', reason: 'account_disabled', account: 'gone', status: 401 },
  },
  {
    what: 'a token that is none',
    request: manifest,
    headers: () => authorization('Bearer a.b.c'),
    record: { event: 'access', decision: 'deny', reason: 'token_invalid', status: 401 },
  },
  {
    what: 'a token that is too narrow',
    request: manifest,
    headers: async () => authorization(await bearer('dana')),
    record: { event: 'access', decision: 'deny', reason: 'scope_insufficient', ...dana, status: 401 },
  },
  {
    what: 'anonymous where it may not',
    request: manifest,
    headers: async () => authorization(await bearer('', 'repository:sandbox/a:pull')),
    record: { decision: 'deny', reason: 'anonymous_refused', kind: 'anonymous', status: 401 },
  },
  {
    what: 'a refusal because no rule allows it',
    request: 'PUT /v2/open/a/manifests/1.0',
    headers: () => authorization(basic('dana')),
    record: {
      event: 'access',
      decision: 'deny',
      reason: 'no_rule',
      rule: undefined,
      ...dana,
      action: 'push',
      repository: 'open/a',
      reference: '1.0',
      status: 403,
    },
  },
  {
    what: 'a refusal by a rule',
    request: 'PUT /v2/sandbox/frozen/manifests/1.0',
    headers: () => authorization(basic('dana')),
    record: {
      decision: 'deny',
      reason: 'rule_denies',
      rule: 'frozen',
      source: expect.stringMatching(/rules\.yaml:4$/) as unknown,
      status: 403,
    },
  },
  {
    what: 'a bad name',
    request: 'GET /v2/Bad/tags/list',
    headers: () => authorization(basic('dana')),
    record: { decision: 'deny', reason: 'name_invalid', ...dana, status: 400 },
  },
  {
    what: 'a target that can be read twice',
    request: 'GET /v2/a%2fb/tags/list',
    record: { decision: 'deny', reason: 'target_malformed', status: 400 },
  },
  {
    what: 'a method that does not exist there',
    request: 'POST /v2/a/tags/list',
    record: { decision: 'deny', reason: 'method_not_allowed', status: 405 },
  },
  {
    what: 'a form where none belongs',
    request: 'POST /v2/sandbox/a/blobs/uploads/',
    headers: () => form,
    body: 'mount=x',
    record: { decision: 'deny', reason: 'form_refused', status: 415 },
  },
  {
    what: 'a path that is not ours',
    request: 'GET /metrics',
    record: { decision: 'deny', reason: 'route_unknown', status: 404 },
  },
  {
    what: 'a login',
    request: `GET /token?service=${service}&account=dana`,
    headers: () => authorization(basic('dana')),
    record: { event: 'login', decision: 'allow', reason: 'granted', ...dana, method: 'password', status: 200 },
  },
  {
    what: 'a token',
    request: 'GET /token?scope=repository:sandbox/a:pull',
    headers: () => authorization(basic('dana')),
    record: {
      event: 'token',
      decision: 'allow',
      reason: 'granted',
      ...dana,
      scope: 'repository:sandbox/a:pull',
      status: 200,
    },
  },
  {
    what: 'a token for less than was asked',
    request: 'GET /token?scope=repository:secret/a:pull',
    headers: () => authorization(basic('dana')),
    record: { event: 'token', decision: 'allow', reason: 'granted_partly', scope: 'repository:secret/a:', status: 200 },
  },
  {
    what: 'an anonymous token',
    request: 'GET /token?scope=repository:open/a:pull',
    record: { event: 'token', decision: 'allow', kind: 'anonymous', account: '', status: 200 },
  },
  {
    what: 'a login with a wrong password',
    request: 'GET /token',
    headers: () => authorization(basic('dana', 'wrong')),
    record: { event: 'login', decision: 'deny', reason: 'password_wrong', account: 'dana', status: 401 },
  },
  {
    what: 'a login as nobody',
    request: 'GET /token',
    record: { event: 'token', decision: 'deny', reason: 'credentials_missing', status: 401 },
  },
  {
    what: 'a token request that is malformed',
    request: 'GET /token?service=a&service=b',
    record: { event: 'token', decision: 'deny', reason: 'request_malformed', status: 400 },
  },
  {
    what: 'a token request of an unknown kind',
    request: 'POST /token',
    headers: () => form,
    body: 'grant_type=magic',
    record: { event: 'token', decision: 'deny', reason: 'grant_type_unsupported', status: 400 },
  },
];

describe('exactly one audit record is written for', () => {
  test.each(cases)('$what', async ({ request, headers, body, record: expected }) => {
    const given = headers === undefined ? {} : await headers();
    const record = await recordOf(request, { 'User-Agent': 'audit-test/1', ...given }, body);
    const { account, kind, method, rule, shadow, ...others } = expected;
    expect(record).toMatchObject(
      Object.fromEntries(
        Object.entries({ account, kind, method, rule, shadow, ...others }).filter(([, value]) => value !== undefined),
      ),
    );
    for (const [name, value] of Object.entries(expected))
      if (value === undefined) expect(record[name as keyof AuditRecord]).toBeUndefined();
    expect(record).toMatchObject({
      address: '127.0.0.1',
      userAgent: 'audit-test/1',
      requestId: expect.stringMatching(/^[0-9a-f-]{36}$/) as unknown,
    });
    expect(record.durationMs).toBeGreaterThanOrEqual(0);
  });

  test('each upload step, with what it is a step of', async () => {
    for (const [request, reference] of [
      [`PATCH /v2/sandbox/b/blobs/uploads/${id}`, 'PATCH upload'],
      [`PUT /v2/sandbox/b/blobs/uploads/${id}?digest=${digest}`, 'PUT upload'],
      [`DELETE /v2/sandbox/b/blobs/uploads/${id}`, 'DELETE upload'],
    ] as const) {
      expect(await recordOf(request, authorization(basic('dana')))).toMatchObject({
        action: 'push',
        repository: 'sandbox/b',
        reference,
        decision: 'allow',
      });
    }
  });

  test('a reload of the policy, good or bad', async () => {
    const before = front.records.length;
    await front.setPolicy('rules: [');
    await front.setPolicy('rules: []\n');
    expect(front.records.slice(before)).toMatchObject([
      {
        event: 'policy',
        decision: 'deny',
        reason: 'reload_refused',
        source: expect.stringMatching(/rules\.yaml:\d+$/) as unknown,
        detail: expect.any(String) as unknown,
      },
      { event: 'policy', decision: 'allow', reason: 'reloaded' },
    ]);
    await front.setPolicy(
      `rules: [{ name: share, subjects: ['group:devs'], repositories: ['sandbox/**'], actions: [pull] }]`,
    );
  });
});

describe('the request', () => {
  test('is named in the record as in the answer', async () => {
    const before = front.records.length;
    const { headers } = await supertest(front.url).get('/v2/');
    await eventually('a record is written', () => front.records.length > before);
    expect(front.records[before]?.requestId).toBe(headers['x-request-id']);
  });

  test.each([
    ['192.0.2.7', '192.0.2.7'],
    ['127.0.0.1, 192.0.2.7', '192.0.2.7'],
    ['2001:db8::1', '2001:db8::1'],
    ['::ffff:192.0.2.7', '192.0.2.7'],
    ['127.0.0.9', '127.0.0.9'],
    ['192.0.2.7, unknown', '127.0.0.1'],
    ['not an address', '127.0.0.1'],
    ['fe80::1%eth0', 'fe80::1%eth0'],
    [Array.from({ length: 2000 }, () => '127.0.0.1').join(','), '127.0.0.1'],
  ])('comes from where a trusted proxy says: %s', async (forwarded, address) => {
    expect((await recordOf('GET /v2/', { 'X-Forwarded-For': forwarded })).address).toBe(address);
  });
});

test('no password, hash, token or Authorization value is ever written down', async () => {
  const token = await front.token('dana', 'repository:sandbox/a:pull');
  const canaries = [
    passwordOf('dana'),
    passwordOf('gone'),
    'CANARY',
    'wrong-CANARY',
    token,
    credentials('dana'),
    '$argon2id$',
    token.split('.')[2] ?? '?',
  ];
  const attempts: readonly (readonly [string, Readonly<Record<string, string>>, string?])[] = [
    [manifest, authorization(basic('dana'))],
    [manifest, authorization(`Bearer ${token}`)],
    [manifest, authorization(`Bearer ${token.slice(0, -1)}`)],
    [manifest, authorization(basic('dana', 'wrong-CANARY'))],
    [manifest, authorization(`Basic ${credentials('dana')}, Bearer ${token}`)],
    [manifest, { 'Proxy-Authorization': basic('dana'), Cookie: `session=${token}` }],
    [`GET /token?scope=repository:sandbox/a:pull&password=CANARY`, authorization(basic('dana'))],
    [`GET /v2/sandbox/a/manifests/1?access_token=${token}`, {}],
    [`GET /nowhere?token=${token}`, {}],
    [
      'POST /token',
      form,
      new URLSearchParams({ grant_type: 'password', username: 'dana', password: passwordOf('dana') }).toString(),
    ],
    [
      'POST /token',
      form,
      new URLSearchParams({ grant_type: 'password', username: 'dana', password: 'wrong-CANARY' }).toString(),
    ],
    ['POST /token', { 'Content-Type': 'application/json' }, JSON.stringify({ password: passwordOf('dana') })],
  ];
  for (const [request, headers, body] of attempts) {
    const [method = '', target = ''] = request.split(' ');
    const asked = supertest(front.url)[method.toLowerCase() as Verb](target).set(headers);
    await (body === undefined ? asked : asked.send(body));
  }
  await front.setPolicy(`users: { x: { password: CANARY } }\nrules: []\n`);
  const written = [JSON.stringify(front.records), ...front.logged].join('\n');
  for (const canary of canaries) expect(written).not.toContain(canary);
  const metrics = await supertest(front.adminUrl).get('/metrics');
  for (const canary of [...canaries, 'sandbox/a', 'dana']) expect(metrics.text).not.toContain(canary);
});
