/** People of a htpasswd file: in no groups of their own, and in only as long as their line stands as it was. */
import bcrypt from 'bcrypt';
import { beforeEach, describe, expect, test } from 'vitest';
import { createMemoryFailedLogins } from '../../src/adapters/memory/failed-logins.ts';
import type { Identity } from '../../src/identity/identify.ts';
import { createLoginGuard } from '../../src/identity/login-guard.ts';
import { createPasswords } from '../../src/identity/password.ts';
import { createHtpasswdSource } from '../../src/identity/sources/htpasswd.ts';
import { VerifiedPasswords } from '../../src/identity/verified-passwords.ts';
import { readHtpasswd } from '../../src/policy/files/htpasswd.ts';
import type { PolicyByName } from '../../src/policy/by-name.ts';
import { createAccessTokens } from '../../src/token/access-token.ts';
import { type TestDirectory, testDirectory } from '../support/directory.ts';
import { directorySource, fileSources, identityOf } from '../support/identity.ts';
import { makeKey, ringOf } from '../support/keys.ts';
import { compile, quickHash } from '../support/policies.ts';
import { noSessions } from '../support/ports.ts';

const keys = ringOf(await makeKey());
const secret = await bcrypt.hash('secret', 4);
const fresh = await bcrypt.hash('secret', 4);
const other = await bcrypt.hash('other', 5);
const theirs = await quickHash('theirs');
const text = `
groups: { testers: }
users: { dana: { groups: [testers] }, max: { password: '${theirs}' }, eve: { disabled: true } }
robots: { builder: {} }
rules: [{ name: read, subjects: [authenticated], repositories: ['public/**'], actions: [pull] }]
`;
const now = Date.parse('2026-06-01T12:00:00Z');
const tokens = createAccessTokens({ keys, issuer: 'https://registry.test', service: 'registry.test', ttlSeconds: 900 });

let people: ReturnType<typeof readHtpasswd>['people'];
let policy: PolicyByName;
let directory: TestDirectory;
let hashes: number;

function write(lines: Readonly<Record<string, string>>): void {
  const entries = Object.entries(lines).map(([name, hash]) => `${name}:${hash}`);
  ({ people } = readHtpasswd('htpasswd', entries.join('\n')));
}

/** The password source, the file, and behind it a directory where there is one. */
function identityWith(hasDirectory: boolean): Identity {
  const guard = createLoginGuard(
    createMemoryFailedLogins(() => now),
    keys,
  );
  const stored = {
    passwords: createPasswords(() => (hashes += 1)),
    verified: new VerifiedPasswords(),
    guard,
  };
  const behind = directorySource({ directory, guard, sessions: noSessions, refreshMs: 1000, staleForMs: 1000 });
  const file = createHtpasswdSource({ ...stored, people: () => people, hasNext: hasDirectory });
  const sources = [...fileSources({ ...stored, hasNext: true }), file, ...(hasDirectory ? [behind] : [])];
  return identityOf({ sources, policies: { current: () => policy }, tokens, clock: () => now });
}

beforeEach(() => {
  hashes = 0;
  policy = compile(text);
  write({ dana: secret, zoe: secret, eve: secret, max: secret, builder: secret, slow: other });
  directory = testDirectory({ zoe: { password: 'theirs' }, ada: { password: 'secret' } });
});

async function basic(identity: Identity, account: string, password = 'secret'): Promise<string> {
  const found = await identity.identify({ kind: 'basic', account, password }, { address: '192.0.2.1' });
  if (found.kind === 'refused') return found.refusal.reason;
  const { principal, outside } = found.caller;
  return 'name' in principal ? `${principal.name} of ${principal.groups.join()} by ${outside?.source ?? 'policy'}` : '';
}

async function bearer(identity: Identity, token: string): Promise<string> {
  const found = await identity.identify({ kind: 'bearer', token }, { address: undefined });
  return found.kind === 'refused' ? found.refusal.reason : 'in';
}

describe('somebody of a htpasswd file', () => {
  test('is let in, in the groups that the policy declares for the name', async () => {
    const identity = identityWith(false);
    expect(await basic(identity, 'zoe')).toBe('zoe of  by htpasswd');
    expect(await basic(identity, 'dana')).toBe('dana of testers by htpasswd');
    expect(await basic(identity, 'slow', 'other')).toBe('slow of  by htpasswd');
    expect(await basic(identity, 'zoe', 'wrong')).toBe('password_wrong');
    expect(await basic(identity, 'zoe', '')).toBe('password_missing');
    expect(await basic(identity, 'ZOE')).toBe('account_unknown');
    expect(await basic(identity, 'nobody')).toBe('account_unknown');
  });

  test('costs the same work whoever is tried, and none when it was right a moment ago', async () => {
    const identity = identityWith(false);
    const costs: number[] = [];
    for (const [name, password] of [
      ['zoe', 'x'],
      ['slow', 'x'],
      ['nobody', 'x'],
      ['zoe', 'secret'],
      ['zoe', 'secret'],
    ]) {
      hashes = 0;
      await basic(identity, name ?? '', password);
      costs.push(hashes);
    }
    expect(costs).toEqual([2, 2, 2, 2, 0]);
  });

  test('cannot have the name of somebody whom the policy files know', async () => {
    const identity = identityWith(false);
    expect(await basic(identity, 'builder')).toBe('account_conflict');
    expect(await basic(identity, 'max')).toBe('password_wrong');
    expect(await basic(identity, 'max', 'theirs')).toBe('max of  by policy');
    expect(await basic(identity, 'eve')).toBe('account_disabled');
  });

  test('is asked for there only, and everybody else behind it', async () => {
    const identity = identityWith(true);
    expect(await basic(identity, 'zoe', 'theirs')).toBe('password_wrong');
    expect(await basic(identity, 'ZOE', 'theirs')).toBe('account_conflict');
    expect(await basic(identity, 'ada')).toBe('ada of  by ldap');
    expect(directory.asked).toEqual(['login ZOE', 'login ada']);
  });
});

describe('what was issued to somebody of a htpasswd file', () => {
  async function tokenOf(identity: Identity, account: string): Promise<string> {
    const found = await identity.identify({ kind: 'basic', account, password: 'secret' }, { address: undefined });
    if (found.kind === 'refused') throw new Error(found.refusal.reason);
    const { mark, outside } = found.caller;
    return tokens.sign(account, [], now / 1000, { credential: mark, outside });
  }

  test('ends with the line, with a new hash, with a robot of the name, and when it is disabled', async () => {
    const identity = identityWith(false);
    const token = await tokenOf(identity, 'zoe');
    expect(await bearer(identity, token)).toBe('in');
    write({ zoe: fresh });
    expect(await bearer(identity, token)).toBe('token_revoked');
    write({ dana: secret });
    expect(await bearer(identity, token)).toBe('account_gone');
    write({ zoe: secret });
    policy = compile('users: { zoe: { disabled: true } }');
    expect(await bearer(identity, token)).toBe('account_gone');
    policy = compile('robots: { zoe: {} }');
    expect(await bearer(identity, token)).toBe('account_gone');
    policy = compile('users: { zoe: {} }');
    expect(await bearer(identity, token)).toBe('in');
  });

  test('of a directory ends when the file gets the name', async () => {
    const identity = identityWith(true);
    const token = await tokenOf(identity, 'ada');
    expect(await bearer(identity, token)).toBe('in');
    write({ ada: secret });
    expect(await bearer(identity, token)).toBe('account_gone');
  });
});
