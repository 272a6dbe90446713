/** Tokens and issuers that mean no good, or do things as nobody else does: over https, with the readers of the product. */
import { readFile, writeFile } from 'node:fs/promises';
import type { ServerResponse } from 'node:http';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { leastWork } from '../support/cpu-time.ts';
import { exportJWK } from 'jose';
import { createIssuerDocuments } from '../../src/adapters/issuers/documents.ts';
import { checkIdToken } from '../../src/identity/id-token.ts';
import { createIssuerKeys } from '../../src/identity/issuer-keys.ts';
import type { IdentitySource } from '../../src/identity/source.ts';
import { createWorkloadSource } from '../../src/identity/sources/workload.ts';
import type { Policy } from '../../src/policy/model.ts';
import { type Issuer, type SigningKey, makeSigningKey, signBytes, signToken, startIssuer } from '../support/issuer.ts';
import { readPolicy } from '../support/policies.ts';
import { noTokenGuard } from '../support/ports.ts';
import { makeTempDir, removeTempDir } from '../support/temp-dir.ts';

const start = Date.parse('2026-06-01T12:00:00Z');
const seconds = start / 1000;
const audience = 'registry.example.com';

let key: SigningKey;
let stranger: SigningKey;
let issuer: Issuer;
let other: Issuer;
let dir: string;
let told: string[];
let source: IdentitySource;

beforeAll(async () => {
  [key, stranger] = await Promise.all([makeSigningKey('one'), makeSigningKey('one')]);
  [issuer, other] = await Promise.all([startIssuer([key]), startIssuer([stranger])]);
  dir = await makeTempDir('hostile-issuers');
});
afterAll(async () => {
  await Promise.all([issuer.close(), other.close()]);
  await removeTempDir(dir);
});
beforeEach(() => {
  told = [];
  issuer.keys = [key];
  [issuer, other].forEach((each) => each.requests.splice(0));
  const keys = createIssuerKeys(
    createIssuerDocuments(500),
    () => start,
    (_, detail) => told.push(detail),
  );
  source = createWorkloadSource({ keys, ownIssuer: 'https://registry.own', guard: noTokenGuard });
});
afterEach(() => {
  issuer.instead = undefined;
  other.instead = undefined;
});

const workload = (more = '', url = issuer.url): string =>
  `{ issuer: '${url}', audience: ${audience}, ca: '${issuer.ca}', claims: { ref: main }${more} }`;
const policyOf = (...lines: readonly string[]): Policy => readPolicy(`workloads:\n  ${lines.join('\n  ')}\n`);

const good = (): Record<string, unknown> => ({
  iss: issuer.url,
  aud: audience,
  ref: 'main',
  iat: seconds,
  exp: seconds + 300,
});

async function logIn(password: string, policy = policyOf(`job: ${workload()}`), account = 'job'): Promise<string> {
  const found = await source.authenticate(policy, { account, password, address: undefined }, start);
  if (found === undefined) return 'not taken for an ID token';
  if (found.ok) return `in as ${'name' in found.login.principal ? found.login.principal.name : ''}`;
  return found.reason === 'id_token_refused' ? found.refused.reason : found.reason;
}

describe('a token', () => {
  test('that says where its own keys are is believed nothing of it, and nobody is asked there', async () => {
    const headers = [
      { jku: `${other.url}/keys` },
      { x5u: `${other.url}/keys` },
      { jwk: stranger.jwk },
      { x5c: ['MIIB'], jwk: await exportJWK(stranger.privateKey) },
    ];
    for (const more of headers) {
      expect(await logIn(await signToken(stranger, good(), { kid: 'one', ...more }))).toBe('id_token_invalid');
      expect(await logIn(await signToken(stranger, good(), { kid: 'x', ...more }))).toBe('key_unknown');
      expect(await logIn(await signToken(key, good(), { kid: 'one', ...more }))).toBe('in as job');
    }
    expect(other.requests).toEqual([]);
  });

  test('is checked by the keys of the issuer for which it is taken, though it says two', async () => {
    const rest = JSON.stringify(good()).slice(1);
    const header = JSON.stringify({ alg: 'RS256', kid: 'one' });
    const theirs = `{"iss":${JSON.stringify(other.url)},${rest}`;
    expect(await logIn(await signBytes(stranger, header, theirs))).toBe('id_token_invalid');
    expect(await logIn(await signBytes(key, header, theirs))).toBe('in as job');
    const ours = `${JSON.stringify(good()).slice(0, -1)},"iss":${JSON.stringify(other.url)}}`;
    for (const signer of [key, stranger])
      expect(await logIn(await signBytes(signer, header, ours))).toBe('issuer_wrong');
  });

  test('is good for nobody but the issuer that it names, whoever was asked for the key', async () => {
    const token = await signToken(key, { ...good(), iss: other.url });
    const set = { keys: [key.jwk], readAt: start };
    expect(await checkIdToken(token, issuer.url, set)).toMatchObject({ ok: false, reason: 'invalid' });
    expect(await checkIdToken(token, other.url, set)).toMatchObject({ ok: true });
  });

  test.each([
    ['two algorithms, the last one none', '{"alg":"RS256","kid":"one","alg":"none"}', 'id_token_invalid'],
    ['two algorithms, the first one none', '{"alg":"none","kid":"one","alg":"RS256"}', 'in as job'],
    ['no object', '[{"alg":"RS256"}]', 'not taken for an ID token'],
    ['an inherited algorithm', '{"__proto__":{"alg":"RS256"},"kid":"one"}', 'not taken for an ID token'],
    ['a critical nonsense', '{"alg":"RS256","kid":"one","crit":["x"],"x":1}', 'id_token_invalid'],
    ['nothing critical', '{"alg":"RS256","kid":"one","crit":[]}', 'id_token_invalid'],
    ['unencoded claims (RFC 7797)', '{"alg":"RS256","kid":"one","crit":["b64"],"b64":false}', 'id_token_invalid'],
    ['a key name that is no text', '{"alg":"RS256","kid":{"a":1}}', 'key_unknown'],
    ['a type of access tokens', '{"alg":"RS256","kid":"one","typ":"at+jwt"}', 'id_token_invalid'],
    ['a type of logout tokens', '{"alg":"RS256","kid":"one","typ":"logout+jwt"}', 'id_token_invalid'],
    ['a byte order mark', '\uFEFF{"alg":"RS256","kid":"one"}', 'not taken for an ID token'],
  ])('whose header has %s', async (_, header, outcome) => {
    expect(await logIn(await signBytes(key, header, JSON.stringify(good())))).toBe(outcome);
  });

  const spelled = (claim: string, text: string): string =>
    JSON.stringify({ ...good(), [claim]: 'HERE' }).replace('"HERE"', text);
  test.each([
    ['iat', '-1', 'id_token_invalid'],
    ['iat', '1e400', 'id_token_invalid'],
    ['iat', 'null', 'id_token_invalid'],
    ['iat', '[1]', 'id_token_invalid'],
    ['iat', `"${seconds}"`, 'id_token_invalid'],
    ['iat', `${seconds}.75`, 'in as job'],
    ['iat', '-0', 'in as job'],
    ['exp', '1e300', 'id_token_invalid'],
    ['exp', '9007199254740993', 'id_token_invalid'],
    ['exp', '8640000000000', 'in as job'],
    ['exp', `${seconds}.5`, 'in as job'],
    ['exp', `${seconds - 60}`, 'id_token_expired'],
    ['exp', 'true', 'id_token_invalid'],
    ['nbf', '1e400', 'id_token_invalid'],
    ['nbf', '"soon"', 'id_token_invalid'],
    ['aud', `{"0":"${audience}"}`, 'audience_wrong'],
    ['aud', `[["${audience}"]]`, 'audience_wrong'],
    ['aud', `"${audience} "`, 'audience_wrong'],
    ['aud', `[${'"x",'.repeat(1000)}"${audience}"]`, 'in as job'],
    ['aud', `[${'"x",'.repeat(1000)}"x"]`, 'audience_wrong'],
    ['ref', '"main\\u0000"', 'claim_wrong'],
    ['ref', '"ma\\u0131n"', 'claim_wrong'],
    ['ref', '"\\u006dain"', 'in as job'],
    ['ref', '"\\ud800"', 'claim_wrong'],
    ['ref', '{"toString":"main"}', 'claim_wrong'],
  ])('with %s: %.60s', async (claim, text, outcome) => {
    const header = JSON.stringify({ alg: 'RS256', kid: 'one' });
    expect(await logIn(await signBytes(key, header, spelled(claim, text)))).toBe(outcome);
  });

  test('with text of other alphabets is known by it letter for letter, in whatever form it was written', async () => {
    const written = 'r\u00e9f/\u{1f680}/\u65e5\u672c';
    const policy = policyOf(`job: ${workload().replace('ref: main', "ref: 'r\u00e9f/*/\u65e5*'")}`);
    expect(await logIn(await signToken(key, { ...good(), ref: written }), policy)).toBe('in as job');
    expect(await logIn(await signToken(key, { ...good(), ref: written.normalize('NFD') }), policy)).toBe('claim_wrong');
  });

  test('of 8 KiB is compared with the longest pattern in milliseconds', async () => {
    const policy = policyOf(`job: ${workload().replace('ref: main', `ref: '${'**a'.repeat(170)}b'`)}`);
    const token = await signToken(key, { ...good(), ref: 'a'.repeat(5500) });
    expect(await logIn(token, policy)).toBe('claim_wrong');
    // 20 on the machine on which it was written.
    expect(await leastWork(() => logIn(token, policy))).toBeLessThan(200);
  });
});

describe('an issuer', () => {
  const discovery = (response: object) => (path: string) =>
    path.endsWith('openid-configuration') ? { status: 200, body: JSON.stringify(response) } : undefined;
  const keysAre = (body: string) => (path: string) => (path === '/keys' ? { status: 200, body } : undefined);
  const token = (): Promise<string> => signToken(key, good());

  test('may have keys on another host, of which it says so itself', async () => {
    other.instead = keysAre(JSON.stringify({ keys: [key.jwk] }));
    issuer.instead = discovery({ issuer: issuer.url, jwks_uri: `${other.url}/keys` });
    // One authority for both, as the system's would be.
    await writeFile(join(dir, 'both.pem'), `${await readFile(issuer.ca, 'utf8')}${await readFile(other.ca, 'utf8')}`);
    const policy = policyOf(`job: ${workload().replace(issuer.ca, join(dir, 'both.pem'))}`);
    expect(await logIn(await token(), policy)).toBe('in as job');
  });

  test.each<[what: string, instead: () => NonNullable<Issuer['instead']>, told: RegExp]>([
    ['is about somebody else', () => discovery({ issuer: other.url, jwks_uri: `${issuer.url}/keys` }), /is about/],
    ['has a slash more', () => discovery({ issuer: `${issuer.url}/`, jwks_uri: `${issuer.url}/keys` }), /is about/],
    ['names keys by http', () => discovery({ issuer: issuer.url, jwks_uri: 'http://127.0.0.1/keys' }), /no https/],
    ['names keys in a file', () => discovery({ issuer: issuer.url, jwks_uri: 'file:///etc/passwd' }), /no https/],
    ['names keys nowhere', () => discovery({ issuer: issuer.url, jwks_uri: 'https://' }), /no https/],
    ['is no JSON', () => () => ({ status: 200, body: '<html>' }), /is about nobody/],
    [
      'has keys that lead elsewhere',
      () => (path) => (path === '/keys' ? { status: 307, location: `${other.url}/keys` } : undefined),
      /redirects to/,
    ],
    ['has keys that are no list', () => keysAre('{"keys":{"0":{}}}'), /no set of keys/],
    ['has a private key only', () => keysAre(JSON.stringify({ keys: [{ ...key.jwk, d: 'AQ' }] })), /no public key/],
    ['has a secret only', () => keysAre('{"keys":[{"kty":"oct","kid":"one","k":"AAAA"}]}'), /no public key/],
    [
      'has a mebibyte of keys in a kibibyte',
      () => (path) =>
        path !== '/keys'
          ? undefined
          : (response: ServerResponse) =>
              response
                .writeHead(200, { 'content-encoding': 'gzip' })
                .end(gzipSync(`{"keys":[${' '.repeat(1 << 20)}]}`)),
      /no set of keys/,
    ],
    [
      'never ends',
      () => (path) =>
        path !== '/keys'
          ? undefined
          : (response: ServerResponse) => {
              const write = (): void => void (response.writable && response.write('x'.repeat(8192), write));
              write();
            },
      /larger than 64 KiB/,
    ],
    [
      'answers one byte at a time',
      () => () => (response: ServerResponse) => {
        const timer = setInterval(() => response.write(' '), 20);
        response.on('close', () => clearInterval(timer));
      },
      /does not answer in time/,
    ],
    [
      'ends in the middle',
      () => () => (response: ServerResponse) => {
        response.writeHead(200, { 'content-length': 1000 }).write('{');
        setImmediate(() => response.destroy());
      },
      /cannot be asked/,
    ],
  ])('that %s leaves its tokens open', async (_, instead, words) => {
    issuer.instead = instead();
    expect(await logIn(await token())).toBe('source_unavailable');
    expect(told).toEqual([expect.stringMatching(words)]);
    expect(other.requests).toEqual([]);
  });

  test('may have a name that ends in a slash', async () => {
    const name = `${issuer.url}/`;
    issuer.instead = discovery({ issuer: name, jwks_uri: `${issuer.url}/keys` });
    const policy = policyOf(`job: ${workload('', name)}`);
    expect(await logIn(await signToken(key, { ...good(), iss: name }), policy)).toBe('in as job');
    expect(issuer.requests[0]).toBe('/.well-known/openid-configuration');
    expect(await logIn(await token(), policy)).toBe('issuer_wrong');
  });

  test('with many keys is asked which one it was, not all of them tried', async () => {
    const many = await Promise.all(Array.from({ length: 300 }, (_, at) => makeSigningKey(`k${at}`, 'ES256')));
    issuer.keys = many;
    const last = many[299];
    if (last === undefined) throw new Error('no key');
    expect(await logIn(await signToken(last, good()))).toBe('in as job');
    expect(await logIn(await signToken(last, good(), {}))).toBe('id_token_invalid');
    issuer.keys = Array.from({ length: 1000 }, () => key);
    const before = issuer.requests.length;
    expect(await logIn(await signToken(key, good()))).toBe('source_unavailable');
    expect(issuer.requests.length - before).toBe(1);
    expect(told).toEqual([expect.stringContaining('larger than 64 KiB')]);
  });

  test('whose private key is published among others signs nothing any more, and the others do', async () => {
    const leaked = await makeSigningKey('leaked');
    const jwk = { ...(await exportJWK(leaked.privateKey)), kid: 'leaked', alg: 'RS256' };
    issuer.instead = keysAre(JSON.stringify({ keys: [jwk, key.jwk] }));
    expect(await logIn(await signToken(leaked, good()))).toBe('key_unknown');
    expect(await logIn(await token())).toBe('in as job');
  });

  test('by two authorities is two: where one cannot vouch, the other does, and nothing is mixed', async () => {
    const policy = policyOf(
      `job: ${workload()}`,
      `copy: ${workload().replace(issuer.ca, other.ca)}`,
      `filed: ${workload(`, jwks: '${join(dir, 'keys.json')}'`)}`,
    );
    await writeFile(join(dir, 'keys.json'), JSON.stringify({ keys: [stranger.jwk] }));
    expect(await logIn(await token(), policy, 'copy')).toBe('source_unavailable');
    expect(await logIn(await token(), policy)).toBe('in as job');
    expect(await logIn(await token(), policy, 'filed')).toBe('id_token_invalid');
    expect(await logIn(await signToken(stranger, good()), policy, 'filed')).toBe('in as filed');
    expect(await logIn(await signToken(stranger, good()), policy)).toBe('id_token_invalid');
    // Whether the second would take it as well, nobody knows.
    expect(await logIn(await token(), policy, 'oidc')).toBe('source_unavailable');
    expect(
      await logIn(
        await token(),
        policyOf(`job: ${workload()}`, `filed: ${workload(`, jwks: '${join(dir, 'keys.json')}'`)}`),
        'oidc',
      ),
    ).toBe('in as job');
  });
});

describe('the name oidc', () => {
  const token = (): Promise<string> => signToken(key, good());

  test('stands for exactly one workload, or for none', async () => {
    const [one, two, off] = [workload(), workload(), workload(', disabled: true')];
    expect(await logIn(await token(), policyOf(`a: ${one.replace('main', 'x')}`), 'oidc')).toBe('claim_wrong');
    expect(await logIn(await token(), policyOf(`a: ${workload('', other.url)}`), 'oidc')).toBe('workload_unknown');
    expect(await logIn(await token(), policyOf(`a: ${one}`), 'oidc')).toBe('in as a');
    expect(await logIn(await token(), policyOf(`a: ${one}`, `b: ${two}`), 'oidc')).toBe('workload_ambiguous');
    expect(await logIn(await token(), policyOf(`a: ${one}`, `b: ${off}`), 'oidc')).toBe('in as a');
    expect(await logIn(await token(), policyOf(`b: ${off}`), 'oidc')).toBe('account_disabled');
  });

  test('is that of a user who has it, by password only', async () => {
    const policy = readPolicy(`workloads:\n  a: ${workload()}\nusers: { oidc: {} }\n`);
    expect(await logIn(await token(), policy, 'oidc')).toBe('in as a');
    expect(await logIn('a password', policy, 'oidc')).toBe('not taken for an ID token');
  });

  test('is that of a workload that has it', async () => {
    const policy = policyOf(`a: ${workload()}`, `oidc: ${workload().replace('main', 'other')}`);
    expect(await logIn(await token(), policy, 'oidc')).toBe('claim_wrong');
    expect(await logIn(await signToken(key, { ...good(), ref: 'other' }), policy, 'oidc')).toBe('in as oidc');
  });
});
