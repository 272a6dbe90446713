import { beforeAll, describe, expect, test } from 'vitest';
import { decodeJwt } from 'jose';
import type { Credentials } from '../../src/distribution/credentials.ts';
import { formatScopes } from '../../src/distribution/scope.ts';
import { type CompiledPolicy, compilePolicy } from '../../src/policy/evaluate.ts';
import { createAccessTokens } from '../../src/token/access-token.ts';
import { type TokenOutcome, type TokenService, createTokenService } from '../../src/token/service.ts';
import { identityOf } from '../support/identity.ts';
import { makeKey, ringOf } from '../support/keys.ts';
import { compile, quickHash } from '../support/policies.ts';
import { noLimits, noSessions } from '../support/ports.ts';

const now = Date.parse('2026-06-01T12:00:00.900Z');
const nowSeconds = Math.floor(now / 1000);
const service = 'registry.example.com';

let tokens: TokenService;
let current: CompiledPolicy;
let signed: ReturnType<typeof createAccessTokens>;
beforeAll(async () => {
  current = compile(`
groups: { devs: }
users:
  dana: { password: '${await quickHash('secret')}', groups: [devs] }
  gone: { password: '${await quickHash('secret')}', disabled: true }
  "registry.user@example.com": { password: '${await quickHash('secret')}' }
rules:
  - { name: share, subjects: ['group:devs'], repositories: ['sandbox/**'], actions: [pull, push] }
  - { name: read, subjects: [authenticated], repositories: ['release/**'], actions: [pull] }
  - { name: open, subjects: [everyone], repositories: ['open/**'], actions: [pull] }
  - { name: fill, subjects: ['user:dana'], repositories: ['inbox/*'], actions: [push] }
  - { name: clean, subjects: ['user:dana'], repositories: ['trash/*'], actions: [pull, push, delete] }
  - { name: inside, subjects: ['user:dana'], repositories: ['inner/*'], actions: [pull], when: { addresses: [10.0.0.0/8] } }
  - { name: list, subjects: ['group:devs'], repositories: ['**'], actions: [catalog] }
`);
  signed = createAccessTokens({
    keys: ringOf(await makeKey()),
    issuer: `https://${service}`,
    service,
    ttlSeconds: 300,
  });
  const setup = { tokens: signed, clock: () => now, service, refreshTtlSeconds: 3600 };
  const identity = identityOf({ ...setup, policies: { current: () => current } });
  tokens = createTokenService({ ...setup, identity, sessions: noSessions, limits: noLimits });
});

const dana: Credentials = { kind: 'basic', account: 'dana', password: 'secret' };
const nobody: Credentials = { kind: 'none' };

function issue(
  credentials: Credentials,
  scopes: readonly string[],
  more: { service?: string; address?: string } = {},
): Promise<TokenOutcome> {
  return tokens.issue({
    credentials,
    scopes,
    service: undefined,
    offline: false,
    address: '192.0.2.1',
    userAgent: undefined,
    ...more,
  });
}

/** What was granted, as scopes; or why nothing was. */
async function grantOf(
  credentials: Credentials,
  scopes: readonly string[],
  more: { service?: string; address?: string } = {},
): Promise<string> {
  const outcome = await issue(credentials, scopes, more);
  if (!outcome.ok) return outcome.refusal.reason;
  const { access } = decodeJwt<{ access: typeof outcome.access }>(outcome.token);
  expect(access).toEqual(outcome.access);
  return formatScopes(access);
}

describe('a token', () => {
  const cases: readonly (readonly [
    promise: string,
    credentials: Credentials,
    scopes: readonly string[],
    grant: string,
  ])[] = [
    [
      'carries what is asked for and allowed',
      dana,
      ['repository:sandbox/app:pull,push'],
      'repository:sandbox/app:pull,push',
    ],
    [
      'carries the part that is allowed',
      dana,
      ['repository:release/app:pull,push,delete'],
      'repository:release/app:pull',
    ],
    ['carries no action where none is allowed', dana, ['repository:secret/app:pull,push'], 'repository:secret/app:'],
    ['carries no more than was asked for', dana, ['repository:trash/app:pull'], 'repository:trash/app:pull'],
    [
      'carries every resource by itself',
      dana,
      ['repository:release/a:push', 'repository:sandbox/b:pull repository:none/c:pull'],
      'repository:release/a: repository:sandbox/b:pull repository:none/c:',
    ],
    ['spells out a star as what is allowed', dana, ['repository:trash/app:*'], 'repository:trash/app:pull,push,delete'],
    ['spells out a star as little as is allowed', dana, ['repository:release/app:*'], 'repository:release/app:pull'],
    ['spells out a star as nothing', dana, ['repository:secret/app:*'], 'repository:secret/app:'],
    ['lets who may push read meanwhile', dana, ['repository:inbox/app:pull,push'], 'repository:inbox/app:pull,push'],
    ['carries the catalog for whom may list', dana, ['registry:catalog:*'], 'registry:catalog:*'],
    ['does not carry the catalog for whom may not', nobody, ['registry:catalog:*'], 'registry:catalog:'],
    ['does not carry the catalog when only reading is asked for', dana, ['registry:catalog:pull'], 'registry:catalog:'],
    ['of anonymous carries what everyone may', nobody, ['repository:open/app:pull,push'], 'repository:open/app:pull'],
    [
      'of anonymous may carry nothing at all: docker then says that a login may help',
      nobody,
      ['repository:secret/app:pull'],
      'repository:secret/app:',
    ],
    ['of a login carries nothing', dana, [], ''],
    ['of a login with an empty scope carries nothing', dana, [''], ''],
    ['ignores scopes that nobody knows', dana, ['repository:../x:pull', 'plugin:a:pull'], ''],
    ['is refused to who logs in as nobody', nobody, [], 'credentials_missing'],
    ['is refused to who logs in as nobody with an empty scope', nobody, ['', ' '], 'credentials_missing'],
    [
      'is refused for a wrong password, never anonymous instead',
      { ...dana, password: 'wrong' },
      ['repository:open/app:pull'],
      'password_wrong',
    ],
    [
      'is refused for an unknown user, never anonymous instead',
      { ...dana, account: 'nobody' },
      ['repository:open/app:pull'],
      'account_unknown',
    ],
    ['is refused to a disabled user', { ...dana, account: 'gone' }, ['repository:open/app:pull'], 'account_disabled'],
    [
      'is refused for credentials that cannot be read',
      { kind: 'malformed' },
      ['repository:open/app:pull'],
      'credentials_malformed',
    ],
    [
      'is refused for another token: tokens do not breed',
      { kind: 'bearer', token: 'x' },
      ['repository:open/app:pull'],
      'credentials_malformed',
    ],
    [
      'is refused for too many resources',
      dana,
      Array.from({ length: 400 }, (_, index) => `repository:${'a'.repeat(60)}${index}:pull`),
      'scopes_too_many',
    ],
  ];
  test.each(cases)('%s', async (_promise, credentials, scopes, grant) => {
    expect(await grantOf(credentials, scopes)).toBe(grant);
  });

  test('never carries a star for a repository, which others take for everything', async () => {
    for (const credentials of [dana, nobody]) {
      for (const repository of ['sandbox/a', 'release/a', 'open/a', 'trash/a', 'secret/a']) {
        expect(await grantOf(credentials, [`repository:${repository}:*`])).not.toContain('*');
      }
    }
  });

  test('is asked for where the caller is', async () => {
    expect(await grantOf(dana, ['repository:inner/app:pull'], { address: '10.9.9.9' })).toBe(
      'repository:inner/app:pull',
    );
    expect(await grantOf(dana, ['repository:inner/app:pull'])).toBe('repository:inner/app:');
  });

  test.each([
    ['its own name', service, 'repository:open/app:pull'],
    ['an empty name', '', 'repository:open/app:pull'],
    ['another name', 'other.example.com', 'service_unknown'],
    ['its name in capitals', service.toUpperCase(), 'service_unknown'],
  ])('for a service by %s: %s', async (_what, name, grant) => {
    expect(await grantOf(nobody, ['repository:open/app:pull'], { service: name })).toBe(grant);
  });

  test('is about the account and holds for the configured time, counted in whole seconds', async () => {
    const outcome = await issue(dana, ['repository:sandbox/app:pull']);
    if (!outcome.ok) throw new Error(outcome.refusal.reason);
    expect(outcome).toMatchObject({
      expiresInSeconds: 300,
      principal: { kind: 'user', name: 'dana' },
      method: 'password',
    });
    expect(decodeJwt(outcome.token)).toMatchObject({
      sub: 'dana',
      aud: service,
      iat: nowSeconds,
      exp: nowSeconds + 300,
    });
    expect(await signed.verify(outcome.token, nowSeconds)).toMatchObject({ ok: true, claims: { account: 'dana' } });
  });

  test('may belong to a user whose name is an address', async () => {
    const account = 'registry.user@example.com';
    const outcome = await issue({ kind: 'basic', account, password: 'secret' }, ['repository:release/app:pull']);
    if (!outcome.ok) throw new Error(outcome.refusal.reason);
    expect(await signed.verify(outcome.token, nowSeconds)).toMatchObject({ ok: true, claims: { account } });
  });

  test('of anonymous is about nobody', async () => {
    const outcome = await issue(nobody, ['repository:open/app:pull']);
    if (!outcome.ok) throw new Error(outcome.refusal.reason);
    expect(outcome).toMatchObject({ principal: { kind: 'anonymous' }, method: undefined });
    expect(decodeJwt(outcome.token).sub).toBe('');
  });

  test('shows a group that was taken away at the very next request', async () => {
    const before = current;
    expect(await grantOf(dana, ['repository:sandbox/app:push'])).toBe('repository:sandbox/app:push');
    const without = {
      ...before.policy,
      users: new Map([...before.policy.users].map(([name, entry]) => [name, { ...entry, groups: [] }])),
    };
    current = compilePolicy(without);
    expect(await grantOf(dana, ['repository:sandbox/app:push'])).toBe('repository:sandbox/app:');
    current = before;
  });
});
