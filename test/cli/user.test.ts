/** `user add|passwd|disable|enable|list`, as a person runs them. */
import { chmod, mkdir, readFile, readdir, stat, symlink, writeFile } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { createPasswords } from '../../src/identity/password.ts';
import { usePolicyFolder } from './policy-folder.ts';

const people = `# Who there is.
users:
  # the lead
  dana: { groups: [developers] } # since 2020
  theo:
    groups: [testers]   # and nothing else

# Where they belong.
groups: { developers: {}, testers: {} }
`;
const rules = `rules:
  - { name: share, subjects: ['group:developers'], repositories: ['x/**'], actions: [pull] }
tests:
  - { name: dana shares, as: 'user:dana', allow: [pull x/y] }
`;

const { at, portcullis, built, textOf, write, policy } = usePolicyFolder({
  'a-rules.yaml': rules,
  'people.yaml': people,
});

async function accepts(name: string, password: string): Promise<string> {
  const current = await policy();
  return createPasswords().verify(current, current.users.get(name)?.password, password);
}

test('user add writes a user who can log in, behind the others, and nothing else', async () => {
  const { code, stdout, stderr } = await built(
    ['user', 'add', 'zoe', '--groups', 'developers,testers', '--password-stdin'],
    'correct horse\n',
  );
  expect([code, stderr]).toEqual([0, '']);
  expect(stdout).toBe('user "zoe" added (policies/people.yaml)\n');
  const lines = (await textOf('people.yaml')).split('\n');
  const added = lines.splice(6, 3);
  expect(lines.join('\n')).toBe(people);
  expect(added).toEqual([
    '  zoe:',
    expect.stringMatching(/^ {4}password: '\$argon2id\$/),
    '    groups: [developers, testers]',
  ]);
  expect(await accepts('zoe', 'correct horse')).toBe('match');
  expect(await textOf('a-rules.yaml')).toBe(rules);
});

test('user passwd gives a password, and again another', async () => {
  for (const [password, how] of [
    ['first', built],
    ['second', portcullis],
  ] as const) {
    expect(await how(['user', 'passwd', 'theo', '--password-stdin'], password)).toMatchObject({ code: 0 });
    expect(await accepts('theo', password)).toBe('match');
  }
  expect(await accepts('theo', 'first')).toBe('mismatch');
  const lines = (await textOf('people.yaml')).split('\n');
  lines.splice(5, 2);
  expect(lines.join('\n')).toBe(people);
});

test('user disable and enable say what they did, once', async () => {
  expect((await built(['user', 'disable', 'theo'])).stdout).toBe('user "theo" disabled (policies/people.yaml)\n');
  expect((await policy()).users.get('theo')?.disabled).toBe(true);
  expect((await portcullis(['user', 'disable', 'theo'])).stdout).toBe('user "theo" is disabled already\n');
  expect((await built(['user', 'enable', 'theo'])).stdout).toBe('user "theo" enabled (policies/people.yaml)\n');
  expect((await policy()).users.get('theo')?.disabled).toBe(false);
  expect((await portcullis(['user', 'enable', 'theo'])).code).toBe(0);
});

test('user list shows who there is and where', async () => {
  await portcullis(['user', 'passwd', 'theo', '--password-stdin'], 'x');
  const { stdout, code } = await built(['user', 'list', '--json']);
  expect(code).toBe(0);
  expect(JSON.parse(stdout)).toEqual({
    users: [
      { name: 'dana', groups: ['developers'], disabled: false, password: false, file: 'policies/people.yaml', line: 4 },
      { name: 'theo', groups: ['testers'], disabled: false, password: true, file: 'policies/people.yaml', line: 5 },
    ],
  });
  const { stdout: table } = await portcullis(['user', 'list']);
  expect(table).toMatch(
    /^NAME +GROUPS +STATE +PASSWORD +WHERE\ndana +developers +enabled +none +policies\/people.yaml:4\n/,
  );
  expect(table).not.toContain('$argon2id$');
});

describe('nothing is written when', () => {
  const cases: readonly (readonly [
    what: string,
    args: readonly string[],
    outcome: { readonly code: number; readonly says: RegExp; readonly input?: string },
  ])[] = [
    [
      'a group is not declared',
      ['add', 'zoe', '--groups', 'develpers'],
      { code: 1, says: /did you mean "developers"/ },
    ],
    ['the name is taken', ['add', 'dana'], { code: 1, says: /policies\/people.yaml:4; .*user passwd dana/ }],
    ['the name cannot be', ['add', 'a/b'], { code: 2, says: /"a\/b" cannot be an account name/ }],
    ['the name is one that YAML files cannot hold', ['add', 'constructor'], { code: 1, says: /nothing was written/ }],
    ['the password is empty', ['add', 'zoe'], { code: 2, says: /password is empty/, input: '\n' }],
    ['the password is endless', ['add', 'zoe'], { code: 2, says: /longer than 1024/, input: 'x'.repeat(1025) }],
    [
      'a new user gets what is taken for a secret',
      ['add', 'zoe'],
      { code: 2, says: /begins with pct_/, input: 'pct_x' },
    ],
    [
      'a new password is taken for a secret',
      ['passwd', 'theo'],
      { code: 2, says: /begins with pct_/, input: 'pct_x\n' },
    ],
    ['nobody has the name', ['passwd', 'dna'], { code: 1, says: /did you mean "dana"/ }],
    ['a path does not exist', ['add', 'zoe', '--policies', 'nowhere'], { code: 78, says: /nowhere: does not exist/ }],
  ];
  test.each(cases)('%s', async (_what, args, { code, says, input = 'correct horse' }) => {
    const result = await portcullis(['user', ...args, '--password-stdin'], input);
    expect(result.stderr).toMatch(says);
    expect(result.code).toBe(code);
    expect(result.stdout).toBe('');
    expect(await textOf('people.yaml')).toBe(people);
    expect(await readdir(at('policies'))).toEqual(['a-rules.yaml', 'people.yaml']);
  });

  test('hash is asked for one of what is taken for a secret', async () => {
    const { code, stdout, stderr } = await built(['hash', '--password-stdin'], 'pct_x');
    expect([code, stdout, stderr]).toEqual([2, '', expect.stringContaining('begins with pct_')]);
  });

  test('there is no terminal to ask for a password at', async () => {
    const { code, stderr } = await built(['user', 'passwd', 'dana']);
    expect([code, stderr]).toEqual([2, expect.stringContaining('--password-stdin')]);
  });

  test('a test of the policy would fail', async () => {
    await write('a-rules.yaml', rules.replace('allow: [pull x/y]', 'allow: [push x/y]'));
    const { code, stderr } = await portcullis(['user', 'disable', 'theo']);
    expect(stderr).toMatch(/a-rules.yaml:4:.*test "dana shares" fails[^]*nothing was written/);
    expect(code).toBe(1);
    expect(await textOf('people.yaml')).toBe(people);
  });

  test('some other file is broken', async () => {
    await write('a-rules.yaml', 'rules: [\n');
    const { code, stderr } = await portcullis(['user', 'disable', 'theo']);
    expect([code, stderr]).toEqual([78, expect.stringContaining('a-rules.yaml:2')]);
    expect(await textOf('people.yaml')).toBe(people);
  });
});

describe('the file', () => {
  test('keeps its mode and its byte order mark, and leaves nothing beside it', async () => {
    await write('people.yaml', `\ufeff${people}`);
    await chmod(at('policies', 'people.yaml'), 0o604);
    expect(await portcullis(['user', 'disable', 'theo'])).toMatchObject({ code: 0, stderr: '' });
    expect((await stat(at('policies', 'people.yaml'))).mode & 0o777).toBe(0o604);
    expect((await textOf('people.yaml')).replace(/^ {4}validFrom: .*\n/m, '')).toBe(
      `\ufeff${people.replace('  theo:\n', '  theo:\n    disabled: true\n')}`,
    );
    expect(await readdir(at('policies'))).toEqual(['a-rules.yaml', 'people.yaml']);
  });

  test('is changed behind a symbolic link, which stays', async () => {
    const real = at('real.yaml');
    await writeFile(real, 'users: { zoe: {} }\n');
    await symlink(real, at('policies', 'z-linked.yaml'));
    expect(await portcullis(['user', 'disable', 'zoe'])).toMatchObject({ code: 0, stderr: '' });
    expect(await readFile(real, 'utf8')).toMatch(/^users: \{ zoe: \{ disabled: true, validFrom: '[^']*Z' \} \}\n$/);
    expect(await readdir(at())).toContain('real.yaml');
  });

  test('is made as users.yaml in the first directory when no file has users', async () => {
    await write('people.yaml', 'groups: { developers: {} }\n');
    await write('a-rules.yaml', 'rules: []\n');
    const add = ['user', 'add', 'zoe', '--groups', 'developers', '--password-stdin', '--policies', 'policies'];
    expect(await portcullis(add, 'x')).toMatchObject({ code: 0, stderr: '' });
    expect(await textOf('users.yaml')).toMatch(/^users:\n {2}zoe:\n {4}password: '.*'\n {4}groups: \[developers\]\n$/);
    expect(await portcullis(['user', 'add', 'yes', '--password-stdin'], 'x')).toMatchObject({ code: 0, stderr: '' });
    expect([...(await policy()).users.keys()]).toEqual(['zoe', 'yes']);
  });

  test('is made in an empty directory, where the first user begins the policy', async () => {
    await mkdir(at('empty'));
    const add = ['user', 'add', 'zoe', '--password-stdin', '--policies', 'empty'];
    expect(await portcullis(add, 'x')).toMatchObject({ code: 0, stderr: '' });
    expect(await readdir(at('empty'))).toEqual(['users.yaml']);
  });
});
