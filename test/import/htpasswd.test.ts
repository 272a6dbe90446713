import { describe, expect, test } from 'vitest';
import { importHtpasswd } from '../../src/import/htpasswd.ts';
import { parsePolicy } from '../../src/policy/files/parse.ts';
import { createPasswords, hashPassword } from '../../src/identity/password.ts';
import { describeWithPrograms, run } from '../support/programs.ts';

const hash = '$2y$05$LO.vzwpWC5LZGqThvEfznu8qhb5SGqvBSWY1J3yZ4AxtMRZ3kN5jC';

const options = { groups: [], hash: (password: string) => hashPassword(password) };

function usersOf(text: string): readonly string[] {
  const reading = parsePolicy([{ file: 'users.yaml', text }]);
  if (!reading.ok) throw new Error(JSON.stringify(reading.problems));
  return [...reading.policy.users.keys()];
}

describe('an htpasswd file', () => {
  const cases: readonly (readonly [
    what: string,
    text: string,
    users: readonly string[],
    skipped: readonly RegExp[],
  ])[] = [
    ['with bcrypt entries is taken over whole', `bob:${hash}\neve:${hash}\n`, ['bob', 'eve'], []],
    ['may have comments, empty lines and no end', `# people\n\nbob:${hash}`, ['bob'], []],
    ['may come from Windows', `\ufeffbob:${hash}\r\neve:${hash}\r\n`, ['bob', 'eve'], []],
    ['may carry more behind a second colon', `bob:${hash}:Bob B.\n`, ['bob'], []],
    ['may be empty', '', [], []],
    ['counts the first of two entries', `bob:${hash}\nbob:$apr1$x$y\n`, ['bob'], [/^2: .*"bob" again; line 1 counts/]],
    ['loses MD5', `bob:$apr1$abcdefgh$0123456789012345678901\n`, [], [/^1: .*MD5.*portcullis user add bob/]],
    ['loses SHA-1', `bob:{SHA}fEqNCco3Yq9h5ZUglD3CZJT4lBs=\n`, [], [/SHA-1/]],
    ['loses SHA-256 and SHA-512 crypt', `a:$5$x$y\nb:$6$x$y\n`, [], [/^1: .*SHA-256/, /^2: .*SHA-512/]],
    [
      'loses crypt and empty passwords',
      `a:rqXexS6ZhobKA\nb:\nc:{PLAIN}\n`,
      [],
      [/^1: .*crypt/, /^2: .*empty/, /^3: .*empty/],
    ],
    [
      'loses what nobody could log in with',
      `a:pct_abc\nb:{PLAIN}pct_abc\nc:{CRYPT}x\nd:$7$x\n`,
      [],
      [/pct_/, /./, /./, /./],
    ],
    ['loses hashes that take too long to verify', `a:${hash.replace('$05$', '$31$')}\n`, [], [/cost 31/]],
    ['loses truncated hashes', `a:${hash.slice(0, -1)}\n`, [], [/portcullis/]],
    ['loses names that cannot be', `a/b:${hash}\n:${hash}\n é:${hash}\n`, [], [/^1: "a\/b"/, /^2: ""/, /^3: /]],
    ['loses names that YAML readers treat specially', `constructor:${hash}\n__proto__:${hash}\n`, [], [/^1: /, /^2: /]],
    ['loses lines of another kind', `bob\n`, [], [/NAME:HASH/]],
    [
      'quotes names that YAML takes for numbers or words',
      `1e3:${hash}\nnull:${hash}\nyes:${hash}\n`,
      ['1e3', 'null', 'yes'],
      [],
    ],
  ];
  test.each(cases)('%s', async (_what, text, users, skipped) => {
    const result = await importHtpasswd('htpasswd', text, options);
    expect([...usersOf(result.text)].sort()).toEqual([...users].sort());
    expect(result.skipped.map(({ line, message }) => `${line}: ${message}`)).toEqual(
      skipped.map((pattern) => expect.stringMatching(pattern) as string),
    );
  });

  test('is never quoted in what is said about it', async () => {
    const { skipped, text } = await importHtpasswd('htpasswd', 'bob:secret-plain-text\neve:$apr1$secret\n', options);
    expect(JSON.stringify(skipped) + text).not.toContain('secret');
  });

  test('with passwords as they are gives new hashes of them, and everybody the groups that were asked for', async () => {
    const file = 'bob:correct horse\nrqx:{PLAIN}rqXexS6ZhobKA\neve:' + hash + '\n';
    const { text, skipped } = await importHtpasswd('htpasswd', file, { ...options, groups: ['developers', 'yes'] });
    expect(skipped).toEqual([]);
    const groups = { file: 'groups.yaml', text: 'groups: { developers: {}, "yes": {} }' };
    const reading = parsePolicy([{ file: 'users.yaml', text }, groups]);
    if (!reading.ok) throw new Error(JSON.stringify(reading.problems));
    const { policy } = reading;
    const passwords = createPasswords();
    for (const [name, password] of [
      ['bob', 'correct horse'],
      ['rqx', 'rqXexS6ZhobKA'],
    ] as const) {
      const user = policy.users.get(name);
      expect([user?.password?.scheme, user?.groups]).toEqual(['argon2id', ['developers', 'yes']]);
      expect(await passwords.verify(policy, user?.password, password)).toBe('match');
    }
    expect(policy.users.get('eve')?.groups).toEqual(['developers', 'yes']);
  });
});

describeWithPrograms(['htpasswd'], 'what htpasswd -B writes', () => {
  test('lets the same people in with the same passwords', async () => {
    const first = await run('htpasswd', ['-nbB', '-C', '5', 'dana', 'correct horse']);
    const second = await run('htpasswd', ['-nbm', 'theo', 'battery']);
    const { text, skipped } = await importHtpasswd('htpasswd', first.stdout + second.stdout, options);
    const reading = parsePolicy([{ file: 'users.yaml', text }]);
    if (!reading.ok) throw new Error(text);
    const { policy } = reading;
    const passwords = createPasswords();
    expect([...policy.users.keys()]).toEqual(['dana']);
    expect(await passwords.verify(policy, policy.users.get('dana')?.password, 'correct horse')).toBe('match');
    expect(await passwords.verify(policy, policy.users.get('dana')?.password, 'correct horsf')).toBe('mismatch');
    expect(skipped).toHaveLength(1);
  });
});
