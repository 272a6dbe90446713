/** `login-test` as a person runs it: at a real directory, at a htpasswd file, and at the policy files. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import bcrypt from 'bcrypt';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { quickHash } from '../support/policies.ts';
import type { RunResult } from '../support/programs.ts';
import { type Slapd, describeWithSlapd, groups, password, people, service, startSlapd } from '../support/slapd.ts';
import { makeTempDir, removeTempDir } from '../support/temp-dir.ts';
import { callProgram } from './in-process.ts';

let dir: string;
let hash: string;
const policy = (): string => `
groups:
  writers: { from: ["ldap:developers"] }
  testers: {}
users: { max: { password: '${hash}', groups: [testers] }, shut: { password: '${hash}', disabled: true }, rita: { disabled: true } }
robots: { builder: {}, ute: {} }
rules:
  - { name: share, subjects: ['group:writers'], repositories: ['sandbox/**'], actions: [pull, push] }
  - { name: read, subjects: ['group:testers'], repositories: ['public/**'], actions: [pull] }
`;
beforeAll(async () => {
  dir = await makeTempDir('login-test');
  hash = await quickHash('maxes own');
  await writeFile(join(dir, 'p.yaml'), policy());
});
afterAll(() => removeTempDir(dir));

const always = { PORTCULLIS_PUBLIC_URL: 'https://registry.example.com', PORTCULLIS_UPSTREAM: 'http://registry:5000' };

async function loginTest(
  args: readonly string[],
  input: string,
  env: Readonly<Record<string, string>> = {},
): Promise<RunResult> {
  const all = { HOME: dir, NODE_ENV: 'production', PORTCULLIS_POLICIES: join(dir, 'p.yaml'), ...always, ...env };
  const done = await callProgram(['login-test', ...args, '--password-stdin'], { cwd: dir, input, env: all });
  if (input !== '') expect(done.stdout + done.stderr).not.toContain(input);
  return done;
}

describe('login-test at the policy files', () => {
  test('says what a user with a password may do', async () => {
    const { code, stdout } = await loginTest(['max'], 'maxes own');
    expect(code).toBe(0);
    expect(stdout).toMatch(/^policy files: the password is right \(.*p\.yaml:5\)\n {2}groups here: testers\n/);
    expect(stdout).toContain('user "max" may\n  pull in public/**');
  });

  test.each([
    ['max', 'another', 'password_wrong'],
    ['shut', 'maxes own', 'account_disabled'],
    ['nobody', 'maxes own', 'unknown'],
    ['no body', 'maxes own', 'unknown'],
    ['builder', 'maxes own', 'account_conflict'],
  ])('%s: %s', async (name, given, result) => {
    const { code, stdout } = await loginTest([name, '--json'], given);
    expect([code, JSON.parse(stdout)]).toEqual([
      1,
      expect.objectContaining({ ok: false, result, account: null, grants: [] }),
    ]);
  });

  test('is 2 for no password, and 78 for a broken configuration or policy', async () => {
    expect(await loginTest(['max'], '')).toMatchObject({ code: 2 });
    expect(await loginTest([], 'x')).toMatchObject({ code: 2 });
    expect(await loginTest(['max'], 'maxes own', { PORTCULLIS_LOGINS_LDAP_URL: 'ldap://a' })).toMatchObject({
      code: 78,
    });
    expect(await loginTest(['max'], 'maxes own', { PORTCULLIS_POLICIES: '/nonexistent' })).toMatchObject({ code: 78 });
  });

  test('of people who log in with their browser only the browser can tell', async () => {
    const env = {
      PORTCULLIS_LOGINS_OIDC_ISSUER: 'https://login.example.com',
      PORTCULLIS_LOGINS_OIDC_CLIENT_ID: 'portcullis',
    };
    const { code, stdout } = await loginTest(['olga'], 'anything', env);
    expect([code, stdout]).toEqual([
      1,
      'oidc: only the browser can tell (people of https://login.example.com have no password here: log in at /ui/login, which says who it takes you for)\n',
    ]);
    expect(await loginTest(['max'], 'maxes own', env)).toMatchObject({ code: 0 });
  });

  test('its help has an example', async () => {
    expect((await callProgram(['login-test', '--help'], { cwd: dir, env: {} })).stdout).toContain(
      "printf %s 'correct horse' | portcullis login-test dana --password-stdin",
    );
  });

  test('people of a htpasswd file log in by their line, whatever hashes the policy files have', async () => {
    const file = join(dir, 'htpasswd');
    await writeFile(file, `helen:${await bcrypt.hash('hers', 4)}\nrita:${await bcrypt.hash('hers', 5)}\n`);
    const env = { PORTCULLIS_LOGINS_HTPASSWD_FILE: file };
    const { code, stdout } = await loginTest(['helen'], 'hers', env);
    expect([code, stdout]).toEqual([0, expect.stringContaining(`htpasswd: the password is right (${file}:1)`)]);
    expect(await loginTest(['rita'], 'hers', env)).toMatchObject({
      code: 1,
      stdout: expect.stringContaining('disabled here') as string,
    });
  });

  test('people of a htpasswd file are found by line', async () => {
    const file = join(dir, 'htpasswd');
    await writeFile(file, '# people\nhelen:$2y$04$BSf/O8uKxn6mWAvvbx5eZO3BRq05X5GVXn0u.T9tVgWqnhLsT3VEy\n');
    const { code, stdout } = await loginTest(['helen', '--json'], 'not hers', {
      PORTCULLIS_LOGINS_HTPASSWD_FILE: file,
    });
    expect([code, JSON.parse(stdout)]).toEqual([
      1,
      expect.objectContaining({ source: 'htpasswd', result: 'password_wrong', detail: `${file}:2` }),
    ]);
  });
});

describeWithSlapd('login-test at a directory', () => {
  let slapd: Slapd;
  let env: Readonly<Record<string, string>>;
  beforeAll(async () => {
    slapd = await startSlapd();
    env = {
      PORTCULLIS_LOGINS_LDAP_URL: slapd.url,
      PORTCULLIS_LOGINS_LDAP_BIND_DN: service.dn,
      PORTCULLIS_LOGINS_LDAP_BIND_PASSWORD: service.password,
      PORTCULLIS_LOGINS_LDAP_USERS_BASE: people,
      PORTCULLIS_LOGINS_LDAP_GROUPS_BASE: groups,
      PORTCULLIS_LOGINS_LDAP_GROUPS_NESTED: 'walk',
    };
  });
  afterAll(() => slapd?.stop());

  test('says who answers, in which groups, and what they give', async () => {
    const { code, stdout } = await loginTest(['DANA'], password, env);
    expect(code).toBe(0);
    expect(stdout.split('\n').slice(0, 6)).toEqual([
      `ldap: the password is right (uid=dana,${people})`,
      '  groups there: developers, everybody, staff',
      '  groups here: writers',
      '',
      'user "dana" may',
      expect.stringMatching(/^ {2}pull, push in sandbox\/\*\* \(rule "share"/) as string,
    ]);
  });

  test('the same in JSON', async () => {
    const { code, stdout } = await loginTest(['dana', '--json'], password, env);
    expect([code, JSON.parse(stdout)]).toEqual([
      0,
      {
        ...{ ok: true, source: 'ldap', result: 'ok', detail: `uid=dana,${people}`, account: 'dana' },
        entry: `uid=dana,${people}`,
        outsideGroups: ['developers', 'everybody', 'staff'],
        groups: ['writers'],
        grants: [expect.objectContaining({ actions: ['pull', 'push'], repositories: ['sandbox/**'], rule: 'share' })],
      },
    ]);
  });

  test('whoever is in more groups than are taken is refused as the gateway does', async () => {
    const wide = join(dir, 'wide.yaml');
    const names = Array.from({ length: 51 }, (_, at) => `wide-${at}`);
    const from = names.map((name) => `ldap:${name}`);
    await writeFile(wide, `groups: { wide: { from: ${JSON.stringify(from)} } }\n`);
    await slapd.admin(async (client) => {
      for (const name of names)
        await client.add(`cn=${name},${groups}`, {
          objectClass: 'groupOfNames',
          cn: name,
          member: `uid=wide,${people}`,
        });
      await client.add(`uid=wide,${people}`, {
        objectClass: 'inetOrgPerson',
        sn: 'x',
        cn: 'x',
        uid: 'wide',
        userPassword: password,
      });
    });
    const { code, stdout } = await loginTest(['wide', '--json'], password, { ...env, PORTCULLIS_POLICIES: wide });
    expect([code, JSON.parse(stdout)]).toEqual([1, expect.objectContaining({ result: 'groups_too_many', grants: [] })]);
    await slapd.admin(async (client) => {
      for (const name of names) await client.del(`cn=${name},${groups}`);
      await client.del(`uid=wide,${people}`);
    });
  });

  test.each([
    ['dana', 'not hers', 'password_wrong', `uid=dana,${people}`],
    ['nobody', password, 'unknown', people],
    ['twin', password, 'ambiguous', 'several entries'],
    ['gone', password, 'disabled', 'locked'],
    ['rita', password, 'account_disabled', 'the policy files disable it'],
    ['ute', password, 'account_conflict', 'robot "ute"'],
  ])('%s with %s: %s', async (name, given, result, detail) => {
    const { code, stdout } = await loginTest([name, '--json'], given, env);
    expect([code, JSON.parse(stdout)]).toEqual([
      1,
      expect.objectContaining({ ok: false, result, detail: expect.stringContaining(detail) as string, grants: [] }),
    ]);
  });

  test('says what is wrong where the directory cannot be asked', async () => {
    const away = { ...env, PORTCULLIS_LOGINS_LDAP_URL: 'ldap://127.0.0.1:1' };
    const { code, stdout } = await loginTest(['dana'], password, away);
    expect([code, stdout]).toEqual([
      1,
      expect.stringMatching(/^ldap: nobody can be asked \(ldap:\/\/127\.0\.0\.1:1 .*ECONNREFUSED/),
    ]);
  });
});
