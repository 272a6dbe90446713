import { expect, test } from 'vitest';
import { makeMarkedId } from '../../src/identity/marked-id.ts';
import { isEnded } from '../../src/identity/standing.ts';
import { standingOf } from '../../src/identity/source.ts';
import { fileSources } from '../support/identity.ts';
import { readPolicy } from '../support/policies.ts';

const sessions = { isRevoked: () => false, endedBefore: () => 0 };
const claimsFor = (credential: string) => ({
  account: 'ci',
  access: [],
  tokenId: makeMarkedId(credential),
  sessionId: undefined,
  issuedAt: 1,
  expiresAt: 2,
});
const hash = '$argon2id$v=19$m=8192,t=1,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA';
const workload = "workloads: { ci: { issuer: 'https://ci.example.com', audience: registry, claims: { sub: a } } }";

const trust = markOf(workload);
const twoClaims = markOf(workload.replace('sub: a', 'sub: a, ref: b'));

function markOf(policy: string): string {
  return standingOf(fileSources(), readPolicy(policy), { account: 'ci', secretId: undefined }, 0)?.mark ?? '';
}

test.each([
  ['a workload that took the name of a person does not take over live tokens', workload, hash, true],
  ['a workload keeps its own', workload, trust, false],
  ['a workload whose claims changed does not', workload.replace('sub: a', 'sub: b'), trust, true],
  [
    'a workload whose claims are written in another order does',
    workload.replace('sub: a', 'ref: b, sub: a'),
    twoClaims,
    false,
  ],
  ['a person keeps those of the same password', `users: { ci: { password: '${hash}' } }`, hash, false],
  ['a person does not take over those of a workload', `users: { ci: { password: '${hash}' } }`, trust, true],
  ['a person without a password does not, either', 'users: { ci: {} }', trust, true],
])('%s', (_, policy, credential, expected) => {
  const standing = standingOf(fileSources(), readPolicy(policy), { account: 'ci', secretId: undefined }, 0);
  expect(standing && isEnded(standing, sessions, claimsFor(credential))).toBe(expected);
});

test('a token that counted is judged by the password of now, as often as that changes', () => {
  const claims = claimsFor(hash);
  const endedBy = (password: string): boolean | undefined => {
    const policy = readPolicy(`users: { ci: { password: '${password}' } }`);
    const standing = standingOf(fileSources(), policy, { account: 'ci', secretId: undefined }, 0);
    return standing && isEnded(standing, sessions, claims);
  };
  const other = hash.replace(/A$/, 'E');
  expect([hash, hash, other, hash, other].map(endedBy)).toEqual([false, false, true, false, true]);
});
