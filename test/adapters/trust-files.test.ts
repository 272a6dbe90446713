/** Files that workloads name: missing ones are problems of the policy, and what they say is followed. */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { loadPolicy } from '../../src/adapters/files/policy-loading.ts';
import { createIssuerDocuments } from '../../src/adapters/issuers/documents.ts';
import { createIssuerKeys } from '../../src/identity/issuer-keys.ts';
import { createWorkloadSource } from '../../src/identity/sources/workload.ts';
import { noTokenGuard } from '../support/ports.ts';
import { makeCertificate } from '../support/certificate.ts';
import { makeSigningKey, signToken } from '../support/issuer.ts';
import { makeTempDir, removeTempDir } from '../support/temp-dir.ts';

let dir: string;
beforeEach(async () => {
  dir = await makeTempDir('trust');
  await mkdir(join(dir, 'policies'));
  await mkdir(join(dir, 'keys'));
});
afterEach(() => removeTempDir(dir));

const issuer = 'https://kubernetes.default.svc';

/** The problems of a workload with this in it. */
async function load(more: string) {
  const text = `workloads:\n  pods:\n    issuer: ${issuer}\n    audience: registry\n    ${more}\n`;
  await writeFile(join(dir, 'policies/w.yaml'), text);
  return loadPolicy([join(dir, 'policies')], 0);
}
async function problemOf(more: string): Promise<string> {
  const loading = await load(more);
  return loading.ok ? '' : loading.problems.map(({ line, message }) => `${line}: ${message}`).join('\n');
}

test('a file that is not there, or is something else, is a problem of the policy that names it', async () => {
  expect(await problemOf('jwks: ../keys/a.json')).toMatch(
    /^2: `jwks` of workload "pods": .*keys\/a\.json does not exist$/,
  );
  await writeFile(join(dir, 'keys/a.json'), '{"keys":[]}');
  expect(await problemOf('jwks: ../keys/a.json')).toContain('is not a set of public keys');
  await writeFile(join(dir, 'keys/a.json'), JSON.stringify({ keys: [(await makeSigningKey('a')).jwk] }));
  expect(await problemOf('jwks: ../keys/a.json')).toBe('');
  expect(await problemOf(`jwks: ${join(dir, 'keys/a.json')}`)).toBe('');
  expect(await problemOf('ca: ../keys/a.json')).toContain('is not certificates in PEM');
  await makeCertificate(join(dir, 'keys/ca.pem'), join(dir, 'keys/key.pem'));
  expect(await problemOf('ca: ../keys/ca.pem')).toBe('');
  expect(await readFile(join(dir, 'keys/key.pem'), 'utf8')).toContain('PRIVATE');
  expect(await problemOf('ca: ../keys/key.pem')).toContain('is not certificates in PEM');
});

test.each([
  ['lifetime: 6h', ''],
  ['lifetime: 7h', 'at most 6h'],
  ['lifetime: 361m', 'at most 6h'],
  ['lifetime: 0s', 'expected a duration'],
  ['lifetime: 1d', 'expected a duration'],
  ['claims: { repository_id: 123 }', 'in quotes'],
  ['claims: { ref_protected: true }', 'in quotes'],
  ['claims: { sub: "" }', ''],
  ['claims: { /a~2: x }', 'JSON Pointer'],
])('%s: %s', async (more, expected) => {
  const said = await problemOf(more);
  if (expected === '' && !more.includes('""')) expect(said).toBe('');
  else expect(said).toMatch(new RegExp(expected === '' ? '.' : expected));
});

test('keys of a file are followed: another file is in use within seconds, and a broken one changes nothing', async () => {
  const [first, second] = await Promise.all([makeSigningKey('a'), makeSigningKey('b', 'ES256')]);
  const file = join(dir, 'keys/a.json');
  await writeFile(file, JSON.stringify({ keys: [first.jwk] }));
  const loading = await load('jwks: ../keys/a.json');
  if (!loading.ok) throw new Error(loading.problems[0]?.message);
  let now = 0;
  const source = createWorkloadSource({
    keys: createIssuerKeys(createIssuerDocuments(), () => now),
    ownIssuer: 'x',
    guard: noTokenGuard,
  });
  let tokens = 0;
  const logIn = async (key: typeof first): Promise<string> => {
    const password = await signToken(key, { iss: issuer, aud: 'registry', iat: 0, exp: 3600, jti: tokens++ });
    const presented = { account: 'pods', password, address: undefined };
    const found = await source.authenticate(loading.loaded.compiled.policy, presented, now);
    return found === undefined || found.ok
      ? 'in'
      : found.reason === 'id_token_refused'
        ? found.refused.reason
        : found.reason;
  };
  expect(await logIn(first)).toBe('in');
  await writeFile(file, JSON.stringify({ keys: [second.jwk] }));
  expect(await logIn(second)).toBe('in');
  expect(await logIn(first)).toBe('key_unknown');
  await writeFile(file, 'half of a fi');
  now += 6000;
  expect(await logIn(second)).toBe('in');
});
