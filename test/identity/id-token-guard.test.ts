/** Tokens that somebody makes up cost few signature checks, and keep neither people nor the CI beside them out. */
import { beforeAll, beforeEach, expect, test } from 'vitest';
import { createMemoryFailedLogins } from '../../src/adapters/memory/failed-logins.ts';
import { createIdTokenGuard } from '../../src/identity/id-token-guard.ts';
import { type IssuerKeys, createIssuerKeys } from '../../src/identity/issuer-keys.ts';
import type { IdentitySource } from '../../src/identity/source.ts';
import { createWorkloadSource } from '../../src/identity/sources/workload.ts';
import type { FailedLogins, IssuerDocuments } from '../../src/ports.ts';
import { type SigningKey, makeSigningKey, signToken } from '../support/issuer.ts';
import { readPolicy } from '../support/policies.ts';

const issuer = 'https://ci.example.com';
const start = Date.parse('2026-06-01T12:00:00Z');
const office = '192.0.2.1';
const workload = `{ issuer: '${issuer}', audience: registry, claims: { ref: main } }`;
const policy = readPolicy(`workloads:
  job: ${workload}
  twin: ${workload.replace('main', 'twin')}
  third: ${workload.replace('main', 'third')}
users: { dana: {} }
`);

let key: SigningKey;
let stranger: SigningKey;
beforeAll(async () => {
  [key, stranger] = await Promise.all([makeSigningKey('one'), makeSigningKey('one', 'ES256')]);
});

let now: number;
let published: readonly SigningKey[];
let isDown: boolean;
/** How often keys were asked for, as is done once for each check. */
let checks: number;
let shared: FailedLogins;
let source: IdentitySource;
const documents: IssuerDocuments = {
  get(url) {
    if (isDown) return Promise.resolve({ ok: false, detail: 'it is down' });
    const keys = published.map(({ jwk }) => jwk);
    const document = url.endsWith('/keys') ? { keys } : { issuer, jwks_uri: `${issuer}/keys` };
    return Promise.resolve({ ok: true, text: JSON.stringify(document) });
  },
  read: () => Promise.resolve({ ok: false, detail: 'no file' }),
};

/** As after a start of this process: what all gateways share stays. */
function begin(): void {
  const keys = createIssuerKeys(documents, () => now);
  const counting: IssuerKeys = { ...keys, keysOf: (trust) => (checks++, keys.keysOf(trust)) };
  const guard = createIdTokenGuard(
    createMemoryFailedLogins(() => now),
    shared,
  );
  source = createWorkloadSource({ keys: counting, ownIssuer: 'https://registry.own', guard });
}
beforeEach(() => {
  now = start;
  published = [key];
  isDown = false;
  checks = 0;
  shared = createMemoryFailedLogins(() => now);
  begin();
});

async function logIn(password: string, account = 'job', address = office, isExcused = false): Promise<string> {
  const found = await source.authenticate(policy, { account, password, address, isExcused }, now);
  if (found === undefined) return 'not taken for an ID token';
  if (found.ok) return 'in';
  if (found.reason === 'login_held') return `held by ${found.by} for ${found.waitMs / 1000} s`;
  return found.reason === 'id_token_refused' ? found.refused.reason : found.reason;
}

let serial = 0;
const tokenOf = (more: object = {}): Promise<string> =>
  signToken(key, {
    iss: issuer,
    aud: 'registry',
    ref: 'main',
    iat: now / 1000,
    exp: now / 1000 + 300,
    jti: serial++,
    ...more,
  });

/** Each another one, as quickly made as can be. */
async function forge(count: number, account = 'job', address: (n: number) => string = () => office): Promise<string[]> {
  const token = await tokenOf();
  const outcomes: string[] = [];
  for (let n = 0; n < count; n++) outcomes.push(await logIn(madeUpFrom(token), account, address(n)));
  return outcomes;
}

function madeUpFrom(token: string): string {
  const [header = '', payload = ''] = token.split('.');
  return `${header}.${payload}.${Buffer.alloc(256, `${serial++} `).toString('base64url')}`;
}

test('after thirty that somebody made up no more are checked from there until some time has passed', async () => {
  expect(new Set(await forge(30))).toEqual(new Set(['id_token_invalid']));
  expect(checks).toBe(30);
  expect(new Set(await forge(1000))).toEqual(new Set(['held by network for 1 s']));
  expect(checks).toBe(30);
  now += 1000;
  expect(await forge(2)).toEqual(['id_token_invalid', 'held by network for 2 s']);
  now += 2000;
  // One at a time, also of many at once.
  const token = await tokenOf();
  const atOnce = await Promise.all([1, 2, 3].map(() => logIn(madeUpFrom(token))));
  expect(atOnce.sort()).toEqual(['held by network for 1 s', 'held by network for 1 s', 'id_token_invalid']);
  expect(checks).toBe(32);
  expect(await logIn(await tokenOf(), 'job', '192.0.2.2')).toBe('in');
});

test('counts for the /48 of IPv6 as well', async () => {
  const outcomes = await forge(100, 'job', (n) => `2001:db8:1:${n.toString(16)}::1`);
  expect(outcomes.filter((each) => each === 'id_token_invalid')).toHaveLength(60);
  expect(outcomes.at(-1)).toBe('held by site for 1 s');
  expect(await logIn(await tokenOf(), 'job', '2001:db8:2::1')).toBe('in');
});

test('a job that has logged in from there before goes on, whatever others send from its address, and in its name', async () => {
  expect(await logIn(await tokenOf())).toBe('in');
  await forge(500, 'job');
  await forge(500, 'twin');
  for (let day = 0; day < 29; day++) {
    now += 86_400_000;
    await forge(100, day % 2 === 0 ? 'job' : 'twin');
    expect(await logIn(await tokenOf())).toBe('in');
  }
  // Also by a gateway that has just started.
  begin();
  await forge(100);
  expect(await logIn(await tokenOf())).toBe('in');
  expect(await logIn(await tokenOf({ ref: 'twin' }), 'twin')).toMatch(/^held/);
  expect(await logIn(await tokenOf(), 'oidc')).toMatch(/^held/);
});

test('a job behind an address under attack is checked in turn with what is made up in its name', async () => {
  expect(await logIn(await tokenOf())).toBe('in');
  await forge(40);
  const [, ...outcomes] = await Promise.all([forge(200), tokenOf().then((token) => logIn(token)), forge(200)]);
  expect(outcomes[0]).toBe('in');
});

test('a token that was good a moment ago is taken wherever it comes from', async () => {
  const token = await tokenOf();
  expect(await logIn(token, 'job', '198.51.100.1')).toBe('in');
  await forge(40);
  expect(await logIn(token)).toBe('in');
  expect(await logIn(token, 'oidc')).toBe('in');
});

test('goes on with an upload, whatever others send', async () => {
  await forge(40);
  expect(await logIn(await tokenOf(), 'job', office, true)).toBe('in');
});

test('tokens of the issuer that are not as the policy says are told why, however many', async () => {
  for (let n = 0; n < 50; n++) {
    expect(await logIn(await tokenOf({ ref: 'other' }))).toBe('claim_wrong');
    expect(await logIn(await tokenOf({ exp: now / 1000 - 100 }))).toBe('id_token_expired');
    expect(await logIn(await tokenOf({ aud: 'other' }), 'oidc')).toBe('audience_wrong');
  }
});

test('nobody is held back while the issuer cannot be asked', async () => {
  isDown = true;
  expect(new Set(await forge(100))).toEqual(new Set(['source_unavailable']));
  isDown = false;
  now += 5000;
  expect(await logIn(await tokenOf())).toBe('in');
});

test('the same wrong token is one mistake, until there are other keys', async () => {
  const token = await signToken(stranger, {
    iss: issuer,
    aud: 'registry',
    ref: 'main',
    iat: now / 1000,
    exp: now / 1000 + 3600,
  });
  published = [key, { ...stranger, jwk: { ...stranger.jwk, x: key.jwk.n?.slice(0, 43) ?? '' } }];
  for (let n = 0; n < 100; n++) expect(await logIn(token)).toBe('id_token_invalid');
  published = [key, stranger];
  now += 600_000;
  expect(await logIn(token)).toBe('in');
});

test('one token is one mistake, of however many workloads it might be', async () => {
  expect(new Set(await forge(30, 'oidc'))).toEqual(new Set(['id_token_invalid']));
  expect(await forge(1, 'oidc')).toEqual(['held by network for 1 s']);
});

test('who is held back learns nothing, not even which workloads there are', async () => {
  await forge(40);
  for (const account of ['job', 'oidc', 'nobody', 'dana'])
    expect(await logIn(await tokenOf(), account)).toBe('held by network for 1 s');
  expect(await logIn(await tokenOf({ iss: 'https://other.example.com' }))).toBe('held by network for 1 s');
});

test('key names out of thin air are counted, too', async () => {
  const [, payload = '', signature = ''] = (await tokenOf()).split('.');
  const outcomes: string[] = [];
  for (let n = 0; n < 40; n++) {
    const header = Buffer.from(JSON.stringify({ alg: 'RS256', kid: `k${n}` })).toString('base64url');
    outcomes.push(await logIn(`${header}.${payload}.${signature}`));
  }
  expect(outcomes.filter((each) => each === 'key_unknown')).toHaveLength(30);
});

test('nothing of it counts against people, nor failed passwords against jobs', async () => {
  const dana = { account: 'dana', network: office, fingerprint: 'x'.repeat(22) };
  await forge(40, 'dana');
  await forge(40, 'job');
  const { failures, isKnownGood } = await shared.look(dana);
  expect(Object.values(failures).map(({ count }) => count)).toEqual([0, 0, 0, 0]);
  expect(isKnownGood).toBe(false);
  begin();
  for (let n = 0; n < 500; n++) await shared.fail({ ...dana, account: 'job', fingerprint: String(n).padEnd(22) });
  expect(await logIn(await tokenOf())).toBe('in');
  // Nor does a job vouch for a person of its name.
  expect((await shared.look({ ...dana, account: 'job' })).isKnownGood).toBe(false);
});
