/** Questions about people whom no policy file names: in which groups they would be, and by what they come into them. */
import { writeFile } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { usePolicyFolder } from './policy-folder.ts';

const rules = `users:
  dana: { groups: [testers] }
  max: { password: '$2b$10$${'.'.repeat(53)}' }
robots: { builder: {} }
groups:
  developers: { from: ['ldap:developers', 'oidc:dev-team'] }
  testers:
rules:
  - { name: share, subjects: ['group:developers'], repositories: ['sandbox/**'], actions: [pull, push] }
  - { name: read, subjects: [authenticated], repositories: ['public/**'], actions: [pull] }
  - { name: test, subjects: ['group:testers'], repositories: ['tests/**'], actions: [pull] }
`;
const { portcullis, at } = usePolicyFolder({ 'policy.yaml': rules });
const named = ['--policies', 'policies'];

async function json(...args: readonly string[]): Promise<Record<string, unknown>> {
  const { stdout } = await portcullis([...args, ...named, '--json']);
  return JSON.parse(stdout) as Record<string, unknown>;
}

describe('explain --groups', () => {
  test.each([
    ['user:zoe', 'developers', 'sandbox/app', 'allow', ['developers']],
    ['user:zoe', 'ldap:Developers', 'sandbox/app', 'allow', ['developers']],
    ['user:zoe', 'ldap:unheard-of', 'sandbox/app', 'deny', []],
    ['user:zoe', 'oidc:dev-team,testers', 'tests/app', 'allow', ['developers', 'testers']],
    ['user:dana', 'ldap:developers', 'tests/app', 'allow', ['testers', 'developers']],
  ])('%s in %s is asked about as if a file said so', async (subject, groups, repository, decision, expected) => {
    const answer = await json('explain', subject, 'pull', repository, '--groups', groups);
    expect(answer).toMatchObject({ decision, subject, groups: expected });
  });

  test.each([
    ['user:zoe', 'develpers', 'there is no group "develpers" — did you mean "developers"?'],
    ['user:max', 'developers', 'user "max" is in the policy files, which say the groups'],
    ['robot:builder', 'developers', '--groups is for somebody from outside'],
    ['user:builder', 'developers', 'robot "builder" is in the policy files'],
  ])('%s in %s is not understood', async (subject, groups, message) => {
    const { code, stderr } = await portcullis(['explain', subject, 'pull', 'a', '--groups', groups, ...named]);
    expect([code, stderr]).toEqual([2, expect.stringContaining(message)]);
  });

  test('is named to whoever asks about somebody unknown', async () => {
    const { code, stderr } = await portcullis(['explain', 'user:zoe', 'pull', 'sandbox/app', ...named]);
    expect([code, stderr]).toEqual([2, expect.stringContaining('--groups')]);
  });
});

test('who-can lists groups of login sources by the group that they lead to', async () => {
  const { code, stdout } = await portcullis(['who-can', 'push', 'sandbox/app', ...named]);
  expect(code).toBe(0);
  expect(stdout).toContain('whoever the login sources have in these groups:');
  expect(stdout).toContain('ldap:developers, oidc:dev-team through group:developers');
  expect(await json('who-can', 'push', 'sandbox/app')).toMatchObject({
    emptyGroups: [],
    outside: [{ subject: 'group:developers', rule: 'share', from: ['ldap:developers', 'oidc:dev-team'] }],
  });
  expect((await portcullis(['who-can', 'delete', 'sandbox/app', ...named])).code).toBe(1);
});

test('access of a group says who comes into it', async () => {
  const { stdout } = await portcullis(['access', 'group:developers', ...named]);
  expect(stdout).toContain('ldap:developers, oidc:dev-team');
  expect(await json('access', 'group:developers')).toMatchObject({ from: ['ldap:developers', 'oidc:dev-team'] });
});

describe('check, where it reads the configuration', () => {
  const configuration =
    'publicUrl: https://registry.example.com\nupstream: http://registry:5000\npolicies: ./policies\n';

  test('notes groups of sources that are not configured, and no group that people come into as empty', async () => {
    await writeFile(at('portcullis.yaml'), configuration);
    const { notes } = JSON.parse((await portcullis(['check', '--json'])).stdout) as { notes: { code: string }[] };
    const found = notes.filter(({ code }) => code === 'login-source' || code === 'no-members');
    expect(found).toMatchObject([
      { line: 6, message: expect.stringContaining('ldap:developers, and the configuration has no logins.ldap') },
      { line: 6, message: expect.stringContaining('oidc:dev-team') },
    ]);
    const { stdout } = await portcullis(['check', ...named, '--json']);
    expect(stdout).not.toContain('login-source');
  });

  test('notes a htpasswd file that is not here: it may be on the machine that serves', async () => {
    await writeFile(at('portcullis.yaml'), `${configuration}logins: { htpasswd: { file: ./elsewhere } }\n`);
    const { code, stderr } = await portcullis(['check']);
    expect([code, stderr]).toEqual([0, expect.stringMatching(/note: .*elsewhere does not exist/)]);
  });

  test('notes files of a directory that are not here, and never a password', async () => {
    const ldap = (bind: string) =>
      `logins: { ldap: { url: 'ldaps://ldap.example.com', ca: ./ca.pem, bind: { dn: cn=x, ${bind} }, users: { base: dc=x } } }\n`;
    await writeFile(at('portcullis.yaml'), configuration + ldap('passwordFile: ./bind.secret'));
    const { stderr } = await portcullis(['check']);
    expect(stderr).toMatch(/note: .*logins\.ldap\.ca: .*ca\.pem does not exist/);
    expect(stderr).toMatch(/note: .*logins\.ldap\.bind\.passwordFile: .*bind\.secret does not exist/);
    await writeFile(at('portcullis.yaml'), configuration + ldap('password: of-a-test'));
    expect((await portcullis(['check'])).stderr).not.toMatch(/of-a-test|bind/);
  });

  test('names lines of the htpasswd file that nobody can log in by', async () => {
    const hash = `$2y$10$${'.'.repeat(53)}`;
    await writeFile(at('htpasswd'), `zoe:${hash}\nmax:${hash}\nbuilder:${hash}\ndana:${hash}\nold:{SHA}x\n`);
    await writeFile(at('portcullis.yaml'), `${configuration}logins: { htpasswd: { file: ./htpasswd } }\n`);
    const { code, stdout } = await portcullis(['check', '--json']);
    expect(code).toBe(1);
    const shown = (await portcullis(['check'])).stderr;
    expect(shown).toContain('htpasswd:5: user "old"');
    expect(shown).not.toMatch(/\{SHA\}x|\$2y/);
    const { problems } = JSON.parse(stdout) as { problems: object[] };
    expect(problems).toMatchObject([
      { line: 2, code: 'account-conflict', message: expect.stringContaining('a user with a password') },
      { line: 3, code: 'account-conflict', message: expect.stringContaining('a robot') },
      { line: 5, code: 'foreign-hash' },
    ]);
  });
});
