/** ID tokens of CI jobs: which are taken, and whom each other one is refused as. */
import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { SignJWT, exportSPKI, importJWK } from 'jose';
import type { CryptoKey } from 'jose';
import { createIssuerKeys } from '../../src/identity/issuer-keys.ts';
import type { Authentication, IdentitySource } from '../../src/identity/source.ts';
import { createWorkloadSource } from '../../src/identity/sources/workload.ts';
import type { DocumentReading, IssuerDocuments } from '../../src/ports.ts';
import { idTokenSentence } from '../../src/http/front/id-token-words.ts';
import { fileSources, identityOf } from '../support/identity.ts';
import { type SigningKey, makeSigningKey, signToken } from '../support/issuer.ts';
import { compile, quickHash, readPolicy } from '../support/policies.ts';
import { noTokenGuard } from '../support/ports.ts';

const issuer = 'https://ci.example.com';
const audience = 'registry.example.com';
const start = Date.parse('2026-06-01T12:00:00Z');

const policy = readPolicy(`
workloads:
  main-job:
    issuer: ${issuer}
    audience: [${audience}, other.example.com]
    claims:
      repository: acme/*
      ref: refs/heads/main
      ref_protected: "true"
      teams: "team:*"
      repository_id: "123456"
      /kubernetes.io/namespace: shop
      /list/1: second
      /a~1b/~0c: deep
  tag-job: { issuer: ${issuer}, audience: ${audience}, claims: { ref: refs/tags/**, repository: acme/app } }
  old-job: { issuer: ${issuer}, audience: ${audience}, claims: { ref: refs/tags/v1, repository: acme/app } }
  elsewhere: { issuer: https://other.example.com, audience: ${audience}, claims: { ref: refs/heads/main } }
  closed: { issuer: ${issuer}, audience: ${audience}, claims: { ref: closed }, disabled: true }
  slow-build: { issuer: ${issuer}, audience: ${audience}, claims: { ref: slow }, lifetime: 2h }
users:
  dana: {}
`);

let now = start;
let key: SigningKey;
let second: SigningKey;
let stranger: SigningKey;
let published: readonly object[];
let isDown: boolean;
let asked: string[];
const documents: IssuerDocuments = {
  get(url): Promise<DocumentReading> {
    asked.push(url);
    if (isDown || !url.startsWith(issuer)) return Promise.resolve({ ok: false, detail: `${url} cannot be asked` });
    const document = url.endsWith('/keys') ? { keys: published } : { issuer, jwks_uri: `${issuer}/keys` };
    return Promise.resolve({ ok: true, text: JSON.stringify(document) });
  },
  read: (path) => Promise.resolve({ ok: false, detail: `${path} is not there` }),
};
let source: IdentitySource;

beforeAll(async () => {
  [key, second, stranger] = await Promise.all([
    makeSigningKey('one'),
    makeSigningKey('two', 'ES256'),
    makeSigningKey('one'),
  ]);
});
beforeEach(() => {
  now = start;
  published = [key.jwk];
  isDown = false;
  asked = [];
  source = createWorkloadSource({
    keys: createIssuerKeys(documents, () => now),
    ownIssuer: 'https://registry.own',
    guard: noTokenGuard,
  });
});

const seconds = start / 1000;
const good = {
  iss: issuer,
  aud: audience,
  iat: seconds,
  exp: seconds + 300,
  repository: 'acme/app',
  ref: 'refs/heads/main',
  ref_protected: true,
  teams: ['guests', 'team:core'],
  repository_id: 123456,
  'kubernetes.io': { namespace: 'shop' },
  list: ['first', 'second'],
  'a/b': { '~c': 'deep' },
};

/** `in as main-job`, or why not. */
async function logIn(password: string, account = 'main-job'): Promise<string> {
  return outcomeOf(await source.authenticate(policy, { account, password, address: undefined }, now));
}

function outcomeOf(found: Authentication | undefined): string {
  if (found === undefined) return 'not taken for an ID token';
  if (found.ok) return `in as ${'name' in found.login.principal ? found.login.principal.name : ''}`;
  if (found.reason !== 'id_token_refused') return found.reason;
  const sentence = idTokenSentence(found.refused);
  expect(sentence.length).toBeLessThanOrEqual(200);
  expect(sentence).not.toMatch(/[\n\r]/);
  return found.refused.reason;
}

const withClaims = (more: object): Promise<string> => signToken(key, { ...good, ...more });
const base64 = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');

describe('the ID token of a CI job', () => {
  test('is taken when every claim that the policy names is as it says', async () => {
    expect(await logIn(await withClaims({}))).toBe('in as main-job');
    expect(await logIn(await withClaims({ aud: ['someone', 'other.example.com'] }))).toBe('in as main-job');
    expect(await logIn(await withClaims({ repository_id: '123456', teams: 'team:a' }))).toBe('in as main-job');
  });

  test.each<[what: string, more: object, reason: string]>([
    ['of another issuer', { iss: 'https://evil.example.com' }, 'issuer_wrong'],
    ['of an issuer that is nearly ours', { iss: `${issuer}/` }, 'issuer_wrong'],
    ['that names no issuer', { iss: undefined }, 'id_token_invalid'],
    ['whose issuer is no text', { iss: [issuer] }, 'id_token_invalid'],
    ['of our own', { iss: 'https://registry.own' }, 'id_token_invalid'],
    ['for somebody else', { aud: 'elsewhere.example.com' }, 'audience_wrong'],
    ['for nobody', { aud: undefined }, 'audience_wrong'],
    ['for a part of our name', { aud: 'registry.example' }, 'audience_wrong'],
    ['that has expired', { iat: seconds - 400, exp: seconds - 60 }, 'id_token_expired'],
    ['that never expires', { exp: undefined }, 'id_token_invalid'],
    ['that does not say when it was issued', { iat: undefined }, 'id_token_invalid'],
    ['that was issued in words', { iat: 'today' }, 'id_token_invalid'],
    ['that expires behind all calendars', { exp: 1e300 }, 'id_token_invalid'],
    ['from the future', { iat: seconds + 61, exp: seconds + 400 }, 'id_token_early'],
    ['that is not valid yet', { nbf: seconds + 61 }, 'id_token_early'],
    ['with a wrong claim', { ref: 'refs/heads/other' }, 'claim_wrong'],
    ['with a claim that only begins well', { ref: 'refs/heads/main2' }, 'claim_wrong'],
    ['without a claim', { repository: undefined }, 'claim_wrong'],
    ['whose star would reach over a slash', { repository: 'acme/app/more' }, 'claim_wrong'],
    ['whose star would reach over a colon', { repository: 'acme/app:more' }, 'claim_wrong'],
    ['whose list has no entry that fits', { teams: ['guests', 'team:a:b'] }, 'claim_wrong'],
    ['whose list is empty', { teams: [] }, 'claim_wrong'],
    ['whose list is a map', { teams: { 0: 'team:core' } }, 'claim_wrong'],
    ['with false for true', { ref_protected: false }, 'claim_wrong'],
    ['with null for a claim', { ref: null }, 'claim_wrong'],
    ['with another number', { repository_id: 123457 }, 'claim_wrong'],
    ['with another namespace', { 'kubernetes.io': { namespace: 'other' } }, 'claim_wrong'],
    ['with a text for the map', { 'kubernetes.io': 'namespace' }, 'claim_wrong'],
    ['with a shorter list', { list: ['second'] }, 'claim_wrong'],
  ])('%s is refused', async (_, more, reason) => {
    expect(await logIn(await withClaims(more))).toBe(reason);
  });

  test.each<[what: string, make: () => Promise<string> | string, reason: string]>([
    ['not signed (alg none)', () => `${base64({ alg: 'none' })}.${base64(good)}.`, 'id_token_invalid'],
    ['not signed, with a kid', () => `${base64({ alg: 'none', kid: 'one' })}.${base64(good)}.AAAA`, 'id_token_invalid'],
    [
      'signed by the public key as a secret (HS256)',
      async () => {
        const secret = Buffer.from(await exportSPKI((await importJWK(key.jwk, 'RS256')) as CryptoKey));
        return new SignJWT(good).setProtectedHeader({ alg: 'HS256', kid: 'one' }).sign(secret);
      },
      'id_token_invalid',
    ],
    ['signed by a stranger with the name of the key', () => signToken(stranger, good), 'id_token_invalid'],
    ['signed by an unknown key', () => signToken(second, good), 'key_unknown'],
    [
      'signed by a key that it brings along',
      () => signToken(stranger, good, { jwk: stranger.jwk }),
      'id_token_invalid',
    ],
    ['an access token', () => signToken(key, good, { kid: 'one', typ: 'at+jwt' }), 'id_token_invalid'],
    [
      'critical about what nobody knows',
      () =>
        signToken(key, good, { kid: 'one', crit: ['b64'], b64: false }).catch(
          () => `${base64({ alg: 'RS256', kid: 'one', crit: ['x'], x: 1 })}.${base64(good)}.AAAA`,
        ),
      'id_token_invalid',
    ],
    [
      'changed after it was signed',
      async () => {
        const [header, , signature] = (await withClaims({})).split('.');
        return `${header}.${base64({ ...good, sub: 'other' })}.${signature}`;
      },
      'id_token_invalid',
    ],
    ['no claims but a list', () => `${base64({ alg: 'RS256' })}.${base64([])}.AAAA`, 'id_token_invalid'],
    ['longer than 8 KiB', () => withClaims({ filler: 'x'.repeat(8192) }), 'id_token_too_long'],
  ])('%s is refused', async (_, make, reason) => {
    expect(await logIn(await make())).toBe(reason);
  });

  test('may have 8 KiB', async () => {
    const short = await withClaims({ filler: '' });
    let token = short;
    for (let filler = Math.floor(((8192 - short.length) * 3) / 4); token.length !== 8192 && filler > 0; filler--) {
      token = await withClaims({ filler: 'x'.repeat(filler) });
      if (token.length <= 8192) break;
    }
    expect(token.length).toBeGreaterThan(8180);
    expect(await logIn(token)).toBe('in as main-job');
  });

  test('of an issuer with several keys need not name one', async () => {
    published = [second.jwk, (await makeSigningKey('three')).jwk, key.jwk];
    expect(await logIn(await signToken(key, good, {}))).toBe('in as main-job');
    expect(await logIn(await signToken(stranger, good, {}))).toBe('id_token_invalid');
  });

  test('is that of one workload, not of another', async () => {
    const tag = await withClaims({ ref: 'refs/tags/v2', repository: 'acme/app' });
    expect(await logIn(tag, 'tag-job')).toBe('in as tag-job');
    expect(await logIn(tag)).toBe('claim_wrong');
    expect(await logIn(tag, 'elsewhere')).toBe('issuer_wrong');
    expect(await logIn(tag, 'nobody')).toBe('workload_unknown');
    expect(await logIn(tag, 'dana')).toBe('workload_unknown');
    expect(await logIn(tag, '__proto__')).toBe('workload_unknown');
    expect(await logIn(await withClaims({ ref: 'closed' }), 'closed')).toBe('account_disabled');
  });

  test('finds its workload by itself where exactly one accepts it', async () => {
    expect(await logIn(await withClaims({}), 'oidc')).toBe('in as main-job');
    expect(await logIn(await withClaims({ ref: 'refs/tags/v2' }), 'oidc')).toBe('in as tag-job');
    expect(await logIn(await withClaims({ ref: 'refs/tags/v1' }), 'oidc')).toBe('workload_ambiguous');
    expect(await logIn(await withClaims({ ref: 'other' }), 'oidc')).toBe('no_workload_matches');
    expect(await logIn(await withClaims({ aud: 'other' }), 'oidc')).toBe('audience_wrong');
    expect(await logIn(await withClaims({ iss: 'https://evil.example.com' }), 'oidc')).toBe('workload_unknown');
    expect(await logIn(await signToken(stranger, good), 'oidc')).toBe('id_token_invalid');
    expect(await logIn(await withClaims({}), 'OIDC')).toBe('workload_unknown');
  });

  test('is good for the lifetime that the policy gives, counted from when it was issued', async () => {
    const token = await withClaims({ ref: 'slow' });
    now = start + 7_200_000;
    expect(await logIn(token, 'slow-build')).toBe('in as slow-build');
    now += 60_000;
    expect(await logIn(token, 'slow-build')).toBe('id_token_expired');
    const long = await signToken(key, { ...good, ref: 'slow', exp: seconds + 86_400 });
    expect(await logIn(long, 'slow-build')).toBe('id_token_expired');
  });

  test('is refused once it has expired, although it was taken a moment before', async () => {
    const token = await withClaims({ exp: seconds + 10 });
    expect(await logIn(token)).toBe('in as main-job');
    now = start + 69_000;
    expect(await logIn(token)).toBe('in as main-job');
    now = start + 70_000;
    expect(await logIn(token)).toBe('id_token_expired');
  });

  test('says in the refusal what it is itself, never what the policy asks for', async () => {
    const refusalOf = async (more: object): Promise<string> => {
      const password = await withClaims(more);
      const found = await source.authenticate(policy, { account: 'main-job', password, address: undefined }, now);
      if (found === undefined || found.ok || found.reason !== 'id_token_refused') throw new Error('it was not refused');
      return idTokenSentence(found.refused);
    };
    expect(await refusalOf({ ref: 'refs/heads/x' })).toBe(
      'the CI token is not that of workload "main-job": its claim "ref" is "refs/heads/x"',
    );
    expect(await refusalOf({ aud: 'https://github.com/acme' })).toBe(
      'the CI token is for the audience "https://github.com/acme"; fetch one for "registry.example.com"',
    );
    expect(await refusalOf({ ref: 'x\n\u0000'.repeat(400) })).toMatch(/^.{100,200}…$/);
  });
});

describe('a password that is no ID token', () => {
  test.each([
    'a.b.c',
    'eyJhbGciOiJSUzI1NiJ9',
    '..',
    `${base64(['alg'])}.a.b`,
    `${base64({ kid: 'x' })}.a.b`,
    `${base64({ alg: 1 })}.a.b`,
  ])('is left to the other sources: %s', async (password) =>
    expect(await logIn(password)).toBe('not taken for an ID token'),
  );

  test('is told apart before any hashing, and no ID token is ever hashed or counted as a failed login', async () => {
    const hashed: string[] = [];
    const attempts: string[] = [];
    const sources = [
      source,
      ...fileSources({
        passwords: { verify: (_policy, _hash, password) => (hashed.push(password), Promise.resolve('mismatch')) },
        guard: { attempt: (login, verify) => (attempts.push(login.account), verify()) },
      }),
    ];
    const compiled = compile(`users: { dana: { password: '${await quickHash('x')}' } }`);
    const identity = identityOf({ sources, policies: { current: () => compiled }, clock: () => now });
    const reasonOf = async (password: string): Promise<string> => {
      const found = await identity.identify({ kind: 'basic', account: 'dana', password }, { address: '192.0.2.1' });
      return found.kind === 'refused' ? found.refusal.reason : found.kind;
    };
    for (const token of [
      await withClaims({}),
      `${base64({ alg: 'none' })}.e30.`,
      await withClaims({ f: 'x'.repeat(9000) }),
    ])
      expect(await reasonOf(token)).toBe('id_token_refused');
    expect([hashed, attempts]).toEqual([[], []]);
    expect(await reasonOf('x'.repeat(1025))).toBe('password_too_long');
    expect(await reasonOf('wrong')).toBe('password_wrong');
    expect([hashed, attempts]).toEqual([['wrong'], ['dana']]);
  });
});

describe('the keys of an issuer', () => {
  const keyReads = (): number => asked.filter((url) => url.endsWith('/keys')).length;

  test('are asked for once, by all who wait, and again after ten minutes', async () => {
    const tokens = await Promise.all(Array.from({ length: 50 }, (_, index) => withClaims({ jti: String(index) })));
    expect(new Set(await Promise.all(tokens.map((token) => logIn(token))))).toEqual(new Set(['in as main-job']));
    expect(asked).toEqual([`${issuer}/.well-known/openid-configuration`, `${issuer}/keys`]);
    now += 600_000;
    await logIn(await withClaims({ iat: now / 1000, exp: now / 1000 + 60 }));
    expect(keyReads()).toBe(2);
  });

  test('are rotated without one refused token', async () => {
    expect(await logIn(await withClaims({}))).toBe('in as main-job');
    published = [second.jwk, key.jwk];
    const tokens = await Promise.all(
      Array.from({ length: 20 }, (_, index) => signToken(index % 2 === 0 ? key : second, { ...good, jti: index })),
    );
    expect(new Set(await Promise.all(tokens.map((token) => logIn(token))))).toEqual(new Set(['in as main-job']));
    expect(keyReads()).toBe(2);
  });

  test('are read at most twice a minute for ten thousand tokens with random key names', async () => {
    const [, payload, signature] = (await withClaims({})).split('.');
    const random = (index: number): string => `${base64({ alg: 'RS256', kid: `k${index}` })}.${payload}.${signature}`;
    const reads: number[] = [];
    for (let index = 0; index < 10_000; index++) {
      now = start + index * 12;
      if (index % 1000 === 0) reads.push(asked.length);
      expect(await logIn(random(index))).toBe('key_unknown');
    }
    // Two minutes: where the keys are, once, and then twice a minute what they are.
    expect(keyReads()).toBeLessThanOrEqual(4);
    expect(asked.length - keyReads()).toBe(1);
  });

  test('go on for a day while the issuer is down, and nobody waits for it more often than every 30 seconds', async () => {
    const at = (hours: number): Promise<string> => {
      now = start + hours * 3_600_000;
      return withClaims({ iat: now / 1000, exp: now / 1000 + 60 });
    };
    expect(await logIn(await at(0))).toBe('in as main-job');
    isDown = true;
    expect(await logIn(await at(1))).toBe('in as main-job');
    const before = asked.length;
    expect(await logIn(await withClaims({ iat: now / 1000, exp: now / 1000 + 61 }))).toBe('in as main-job');
    expect(asked).toHaveLength(before);
    expect(await logIn(await at(23.9))).toBe('in as main-job');
    expect(await logIn(await at(24.1))).toBe('source_unavailable');
    isDown = false;
    now += 5000;
    expect(await logIn(await withClaims({ iat: now / 1000, exp: now / 1000 + 62 }))).toBe('in as main-job');
  });

  test('leave the answer open, not "wrong", while the issuer is down and a token names another key', async () => {
    expect(await logIn(await withClaims({}))).toBe('in as main-job');
    isDown = true;
    expect(await logIn(await signToken(second, good))).toBe('source_unavailable');
    expect(await logIn(await signToken(second, { ...good, jti: 2 }))).toBe('source_unavailable');
    expect(await logIn(await withClaims({ jti: 3 }))).toBe('in as main-job');
  });

  test('leave it open when they were never read, and are asked for again five seconds later', async () => {
    isDown = true;
    expect(await logIn(await withClaims({}))).toBe('source_unavailable');
    isDown = false;
    expect(await logIn(await withClaims({}))).toBe('source_unavailable');
    now += 5000;
    expect(await logIn(await withClaims({}))).toBe('in as main-job');
  });

  test.each([
    ['is about another issuer', { issuer: `${issuer}/`, jwks_uri: `${issuer}/keys` }],
    ['names no issuer', { jwks_uri: `${issuer}/keys` }],
    ['names keys without https', { issuer, jwks_uri: `http://ci.example.com/keys` }],
    ['names no keys', { issuer }],
    ['is a list', []],
  ])('are not taken by a document that %s', async (_, document) => {
    const told: string[] = [];
    const get = (url: string): Promise<DocumentReading> =>
      url.endsWith('/keys')
        ? documents.get(url, undefined)
        : Promise.resolve({ ok: true, text: JSON.stringify(document) });
    const keys = createIssuerKeys(
      { ...documents, get },
      () => now,
      (_issuer, detail) => told.push(detail),
    );
    source = createWorkloadSource({ keys, ownIssuer: 'https://registry.own', guard: noTokenGuard });
    expect(await logIn(await withClaims({}))).toBe('source_unavailable');
    expect(told).toEqual([expect.stringMatching(/^https:\S+openid-configuration (?:is about|names no https)/)]);
  });

  test.each([[[]], [{}], [[1, null]], ['keys']])('are none where the set of keys is %j', async (keys) => {
    published = keys as readonly object[];
    expect(await logIn(await withClaims({}))).toBe('source_unavailable');
  });

  test('are used for the algorithms of ID tokens only, whatever else they could do', async () => {
    const rare = await makeSigningKey('rare', 'RS512');
    published = [{ ...rare.jwk, alg: undefined }];
    expect(await logIn(await signToken(rare, good))).toBe('id_token_invalid');
  });

  test('may be of kinds that nobody can use, beside one that is good', async () => {
    published = [{ kty: 'RSA', kid: 'x', n: '!' }, { kty: 'oct', kid: 'one', k: 'AAAA' }, { kty: 'EC' }, key.jwk, {}];
    expect(await logIn(await withClaims({}))).toBe('in as main-job');
  });

  test('of one issuer that is down are nothing to another one', async () => {
    expect(await logIn(await withClaims({ iss: 'https://other.example.com' }), 'elsewhere')).toBe('source_unavailable');
    expect(await logIn(await withClaims({}))).toBe('in as main-job');
  });

  test('are no longer used when the issuer takes them back', async () => {
    expect(await logIn(await withClaims({}))).toBe('in as main-job');
    published = [second.jwk];
    now += 600_000;
    expect(await logIn(await withClaims({ iat: now / 1000, exp: now / 1000 + 60 }))).toBe('key_unknown');
  });
});

test('of checked tokens a thousand are remembered, for a minute', async () => {
  published = [second.jwk];
  let checks = 0;
  const keys = createIssuerKeys(documents, () => now);
  const counting = { ...keys, keysOf: (trust: Parameters<typeof keys.keysOf>[0]) => (checks++, keys.keysOf(trust)) };
  source = createWorkloadSource({ keys: counting, ownIssuer: 'https://registry.own', guard: noTokenGuard });
  const tokens = await Promise.all(Array.from({ length: 1001 }, (_, index) => signToken(second, { ...good, index })));
  for (const token of tokens) expect(await logIn(token)).toBe('in as main-job');
  expect(checks).toBe(1001);
  await logIn(tokens[1000] ?? '');
  expect(checks).toBe(1001);
  await logIn(tokens[0] ?? '');
  expect(checks).toBe(1002);
  now += 60_000;
  await logIn(tokens[1000] ?? '');
  expect(checks).toBe(1003);
});
