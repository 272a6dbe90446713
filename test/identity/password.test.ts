import bcrypt from 'bcrypt';
import { beforeAll, describe, expect, test } from 'vitest';
import { type CompiledPolicy, compilePolicy } from '../../src/policy/evaluate.ts';
import type { Policy } from '../../src/policy/model.ts';
import { authenticate } from '../../src/identity/source.ts';
import { createPasswords, hashPassword } from '../../src/identity/password.ts';
import { VerifiedPasswords } from '../../src/identity/verified-passwords.ts';
import { parsePasswordHash } from '../../src/policy/password-hash.ts';
import { fileSources } from '../support/identity.ts';
import { compile, quickHash, readPolicy } from '../support/policies.ts';

const now = Date.parse('2026-06-01T12:00:00Z');
const longPassword = 'p'.repeat(72);

let users: string;
let policy: CompiledPolicy;
beforeAll(async () => {
  users = `
groups: { devs: }
users:
  dana: { password: '${await quickHash('dana-secret')}', groups: [devs] }
  gone: { password: '${await quickHash('gone-secret')}', disabled: true }
  nopass: { groups: [devs] }
  # Written by: htpasswd -nbB
  apache: { password: '${(await bcrypt.hash('apache-secret', 4)).replace('$2b$', '$2y$')}' }
  legacy: { password: '${await bcrypt.hash(longPassword, 4)}' }
robots: { builder: { tokens: [{ id: abcd, sha256: ${'ab'.repeat(32)} }] } }
`;
  policy = compile(users);
});

/** The outcome of one attempt without any memory, and every hash that it computed. */
async function attempt(
  account: string,
  password: string,
  at: CompiledPolicy = policy,
): Promise<{ outcome: string; work: readonly string[] }> {
  const work: string[] = [];
  const passwords = createPasswords((scheme, cost) => work.push(`${scheme} ${cost}`));
  const parts = { passwords };
  const { result } = await authenticate(fileSources(parts), at.policy, { account, password, address: undefined }, now);
  return { outcome: result.ok ? `${result.login.principal.kind} ${account}` : result.reason, work };
}

describe('a login', () => {
  const cases: readonly (readonly [account: string, password: string, outcome: string, why: string])[] = [
    ['dana', 'dana-secret', 'user dana', 'the right password'],
    ['dana', 'Dana-secret', 'password_wrong', 'the wrong case'],
    ['dana', 'dana-secret ', 'password_wrong', 'a space too many'],
    ['dana', '', 'password_missing', 'an empty password'],
    ['dana', 'dana-secret\0tail', 'password_wrong', 'more after a NUL'],
    ['Dana', 'dana-secret', 'account_unknown', 'the name in capitals'],
    ['nobody', 'dana-secret', 'account_unknown', 'a name that does not exist'],
    ['', 'dana-secret', 'account_unknown', 'no name'],
    ['dana\n', 'dana-secret', 'account_unknown', 'a line feed after the name'],
    ['__proto__', 'x', 'account_unknown', 'a name that JavaScript knows'],
    ['constructor', 'x', 'account_unknown', 'another name that JavaScript knows'],
    ['a@b@c', 'x', 'account_unknown', 'several signs'],
    ['x'.repeat(10_000), 'x', 'account_unknown', 'an endless name'],
    ['gone', 'gone-secret', 'account_disabled', 'a disabled user with the right password'],
    ['gone', 'guess', 'password_wrong', 'a disabled user with a guess: nothing is told'],
    ['nopass', '', 'password_missing', 'a user without a password, and none given'],
    ['nopass', 'undefined', 'account_unknown', 'a user without a password'],
    ['builder', 'x', 'account_unknown', 'a robot with a password'],
    ['apache', 'apache-secret', 'user apache', 'a hash of htpasswd ($2y$)'],
    ['apache', 'apache-secret2', 'password_wrong', 'a wrong password against bcrypt'],
  ];
  test.each(cases)('%j with %j: %s (%s)', async (account, password, outcome) => {
    expect((await attempt(account, password)).outcome).toBe(outcome);
  });

  test('does the same work for every account, whether it exists, is disabled, has a password, or could exist at all', async () => {
    const expected = (await attempt('nobody', 'guess')).work;
    expect(expected).toHaveLength(2);
    for (const [account, password] of cases.filter(([, given]) => given !== '')) {
      expect([account, (await attempt(account, password)).work]).toEqual([account, expected]);
    }
    for (const password of ['guess', longPassword, 'x'.repeat(1024)]) {
      expect((await attempt('legacy', password)).work).toEqual(expected);
    }
  });

  test('does the same work also where users’ hashes cost differently', async () => {
    const mixed = compile(`
users:
  old: { password: '${await quickHash('a', { memoryCost: 8192 })}' }
  new: { password: '${await quickHash('b', { memoryCost: 9216, timeCost: 2 })}' }
  slow: { password: '${await bcrypt.hash('c', 5)}' }
  quick: { password: '${await bcrypt.hash('d', 4)}' }
`);
    const expected = (await attempt('nobody', 'guess', mixed)).work;
    expect(expected.toSorted()).toEqual([
      'argon2id m=8192,t=1,p=1',
      'argon2id m=9216,t=2,p=1',
      'bcrypt 04',
      'bcrypt 05',
    ]);
    for (const [account, password] of [
      ['old', 'a'],
      ['new', 'b'],
      ['slow', 'c'],
      ['quick', 'd'],
    ] as const) {
      expect(await attempt(account, password, mixed)).toEqual({ outcome: `user ${account}`, work: expected });
      expect(await attempt(account, 'wrong', mixed)).toEqual({ outcome: 'password_wrong', work: expected });
    }
  });

  test('does the work of a new hash where nobody has a password', async () => {
    const work: readonly string[] = (await attempt('nobody', 'guess', compile('rules: []'))).work;
    const standard = parsePasswordHash(await hashPassword('x'));
    expect(standard).toMatchObject({ scheme: 'argon2id' });
    const { memoryKib, passes, lanes } =
      'cost' in standard && typeof standard.cost === 'object' ? standard.cost : { memoryKib: 0, passes: 0, lanes: 0 };
    expect(work).toEqual([`argon2id m=${memoryKib},t=${passes},p=${lanes}`]);
  });

  test('with a password of more than 1024 bytes is refused without any hashing, whoever asks', async () => {
    for (const account of ['dana', 'nobody', 'legacy']) {
      expect(await attempt(account, 'x'.repeat(1025))).toEqual({ outcome: 'password_too_long', work: [] });
      // Bytes, not characters.
      expect(await attempt(account, 'ä'.repeat(513))).toEqual({ outcome: 'password_too_long', work: [] });
    }
    expect((await attempt('dana', 'x'.repeat(1024))).outcome).toBe('password_wrong');
  });
});

describe('bcrypt, which reads 72 bytes and stops at a NUL', () => {
  test('takes a password of exactly 72 bytes', async () => {
    expect((await attempt('legacy', longPassword)).outcome).toBe('user legacy');
  });

  test.each([
    ['one byte more', `${longPassword}x`],
    ['a long tail', `${longPassword}${'x'.repeat(500)}`],
    ['a NUL and a tail', `${longPassword}\0`],
    ['one byte less', longPassword.slice(1)],
    ['72 characters that are more bytes', `${'p'.repeat(71)}ä`],
  ])('refuses its beginning with %s', async (_what, password) => {
    expect((await attempt('legacy', password)).outcome).toBe('password_wrong');
  });

  test('refuses a NUL and a tail after a short password', async () => {
    expect((await attempt('apache', 'apache-secret\0')).outcome).toBe('password_wrong');
    expect((await attempt('apache', 'apache-secret\0x')).outcome).toBe('password_wrong');
  });

  test('refuses what is too long also when the password is empty', async () => {
    const empty = compile(`users: { e: { password: '${await bcrypt.hash('', 4)}' } }`);
    expect((await attempt('e', 'x'.repeat(73), empty)).outcome).toBe('password_wrong');
    expect((await attempt('e', '\0', empty)).outcome).toBe('password_wrong');
  });
});

describe('a password that was right a moment ago', () => {
  const parts = (): {
    passwords: ReturnType<typeof createPasswords>;
    verified: VerifiedPasswords;
    hashes: () => number;
  } => {
    let hashes = 0;
    return { passwords: createPasswords(() => hashes++), verified: new VerifiedPasswords(), hashes: () => hashes };
  };
  const login = (
    given: ReturnType<typeof parts>,
    account: string,
    password: string,
    at = now,
    in_: CompiledPolicy = policy,
  ): Promise<boolean> =>
    authenticate(fileSources(given), in_.policy, { account, password, address: undefined }, at).then(
      ({ result }) => result.ok,
    );

  test('is not hashed again for a minute, then once more', async () => {
    const given = parts();
    expect(await login(given, 'dana', 'dana-secret')).toBe(true);
    const once = given.hashes();
    for (const later of [0, 1000, 59_999]) expect(await login(given, 'dana', 'dana-secret', now + later)).toBe(true);
    expect(given.hashes()).toBe(once);
    expect(await login(given, 'dana', 'dana-secret', now + 60_000)).toBe(true);
    expect(given.hashes()).toBe(2 * once);
  });

  test('is hashed again when the clock went back', async () => {
    const given = parts();
    await login(given, 'dana', 'dana-secret');
    const once = given.hashes();
    await login(given, 'dana', 'dana-secret', now - 3_600_000);
    expect(given.hashes()).toBe(2 * once);
  });

  test('says nothing about another password or another name', async () => {
    const given = parts();
    await login(given, 'dana', 'dana-secret');
    expect(await login(given, 'dana', 'dana-secre')).toBe(false);
    expect(await login(given, 'apache', 'dana-secret')).toBe(false);
    expect(await login(given, 'dan', 'adana-secret')).toBe(false);
  });

  test('is never remembered when it was wrong', async () => {
    const given = parts();
    for (let round = 1; round <= 3; round++) {
      expect(await login(given, 'dana', 'guess')).toBe(false);
      expect(given.hashes()).toBe(round * 2);
    }
  });

  test('ends at once when the policy has another hash, disables the user, or drops the password', async () => {
    const given = parts();
    const change = (to: string): CompiledPolicy =>
      compilePolicy(readPolicy(users.replace(/dana: \{ password: '[^']*'/, `dana: { ${to}`)));
    expect(await login(given, 'dana', 'dana-secret')).toBe(true);
    expect(await login(given, 'dana', 'dana-secret', now, change(`password: '${await quickHash('changed')}'`))).toBe(
      false,
    );
    expect(await login(given, 'dana', 'dana-secret', now, change('disabled: true'))).toBe(false);
    const policies: Policy = policy.policy;
    const dana = policies.users.get('dana');
    if (dana === undefined) throw new Error('there is no dana');
    const disabled = compilePolicy({
      ...policies,
      users: new Map([...policies.users, ['dana', { ...dana, disabled: true }]]),
    });
    expect(await login(given, 'dana', 'dana-secret', now, disabled)).toBe(false);
    expect(await login(given, 'dana', 'dana-secret')).toBe(true);
  });

  test('is known by account, password and hash together, each with its length (CVE-2026-33496)', () => {
    const verified = new VerifiedPasswords();
    verified.add('a', 'bc', 'hash', now);
    expect(verified.has('a', 'bc', 'hash', now)).toBe(true);
    expect(verified.has('ab', 'c', 'hash', now)).toBe(false);
    expect(verified.has('a', 'b', 'chash', now)).toBe(false);
    expect(verified.has('', 'abc', 'hash', now)).toBe(false);
    expect(verified.has('a', 'bc', 'hash2', now)).toBe(false);
    expect(verified.has('a', 'bc:4', 'hash', now)).toBe(false);
    expect(verified.has('a', 'bc4:hash', '', now)).toBe(false);
    expect(verified.has('a2:bc', '', 'hash', now)).toBe(false);
    expect(new VerifiedPasswords().has('a', 'bc', 'hash', now)).toBe(false);
  });

  test('is forgotten when ten thousand others came after it', () => {
    const verified = new VerifiedPasswords();
    for (let index = 0; index <= 10_000; index++) verified.add(`user-${index}`, 'p', 'h', now);
    expect(verified.has('user-0', 'p', 'h', now)).toBe(false);
    expect(verified.has('user-1', 'p', 'h', now)).toBe(true);
    expect(verified.has('user-10000', 'p', 'h', now)).toBe(true);
  });
});

test('a new hash is one that policies accept, and never the same twice', async () => {
  const [one, two] = await Promise.all([hashPassword('secret'), hashPassword('secret')]);
  expect(one).not.toBe(two);
  const secret = compile(`users: { dana: { password: '${one}' } }`);
  expect((await attempt('dana', 'secret', secret)).outcome).toBe('user dana');
});
