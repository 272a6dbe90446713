import { chmod, mkdir, mkdtemp, readFile, rm, stat, symlink, writeFile, chown } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse } from 'yaml';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { compile } from '../support/policies.ts';
import { type StateOptions, type TrialProblem, type TrialState, prepareState } from '../../src/trial/state.ts';

const hash = (password: string): Promise<string> => Promise.resolve(`$argon2id$v=19$m=8192,t=1,p=1$c2FsdA$${password}`);

const policies = ['groups: { admins: {}, developers: {} }\n'];

let place: string;
let stateDir: string;

beforeEach(async () => {
  place = await mkdtemp(join(tmpdir(), 'trial-state-'));
  stateDir = join(place, 'state');
});
afterEach(() => rm(place, { recursive: true, force: true }));

async function mode(path: string): Promise<string> {
  return ((await stat(path)).mode & 0o777).toString(8);
}

async function prepared(directory: string, options: StateOptions): Promise<TrialState> {
  const state = await prepareState(directory, options);
  if ('fix' in state) throw new Error(state.message);
  return state;
}

async function problem(): Promise<TrialProblem> {
  const state = await prepareState(stateDir, { hash, policies });
  if ('fix' in state) return state;
  throw new Error(`expected a problem, got ${JSON.stringify(state)}`);
}

describe('the first start', () => {
  test('makes a private directory, a private password file and a private policy that belong together', async () => {
    const state = await prepared(stateDir, { hash, policies });

    expect(state.policyFile).toBe(join(stateDir, 'policies/admin.yaml'));
    expect(await readFile(join(stateDir, 'initial-admin-password'), 'utf8')).toBe(`${state.adminPassword}\n`);
    expect(parse(await readFile(state.policyFile, 'utf8'))).toEqual({
      users: { admin: { password: await hash(state.adminPassword), groups: ['admins'] } },
    });
    expect(await mode(stateDir)).toBe('700');
    expect(await mode(join(stateDir, 'policies'))).toBe('700');
    expect(await mode(state.policyFile)).toBe('600');
    expect(await mode(join(stateDir, 'initial-admin-password'))).toBe('600');
  });

  test('lets the admin inspect and administer, also beside policies that know nothing of that', async () => {
    const own =
      'groups: { devs: {} }\nrules: [{ name: a, subjects: ["group:devs"], repositories: [a], actions: [pull] }]\n';
    const real = (): Promise<string> => Promise.resolve(`$2b$10$${'a'.repeat(53)}`);
    const { policyFile } = await prepared(stateDir, { hash: real, policies: [own] });
    const policy = compile(own, await readFile(policyFile, 'utf8'));
    const may = (action: 'inspect' | 'administer'): boolean =>
      policy.mayEverywhere({ kind: 'user', name: 'admin' }, action, { now: 0 }).allowed;
    expect([may('inspect'), may('administer')]).toEqual([true, true]);
    expect(
      policy.decide({ principal: { kind: 'user', name: 'admin' }, action: 'pull', repository: 'a', now: 0 }).allowed,
    ).toBe(false);
  });

  test('makes missing parent directories', async () => {
    stateDir = join(place, 'a/b/state');
    expect((await prepared(stateDir, { hash, policies })).policyFile).toBe(join(stateDir, 'policies/admin.yaml'));
  });

  test('invents a password of four readable groups that is different every time', async () => {
    const passwords = new Set<string>();
    for (let start = 0; start < 20; start += 1) {
      const { adminPassword } = await prepared(join(place, String(start)), { hash, policies });
      expect(adminPassword).toMatch(/^[a-z2-9]{5}(-[a-z2-9]{5}){3}$/);
      expect(adminPassword).not.toMatch(/[ilo01]/);
      passwords.add(adminPassword);
    }
    expect(passwords.size).toBe(20);
  });

  test('leaves nothing but the two files when hashing fails', async () => {
    await expect(prepared(stateDir, { hash: () => Promise.reject(new Error('no memory')), policies })).rejects.toThrow(
      'no memory',
    );
    expect((await prepared(stateDir, { hash, policies })).policyFile).toBe(join(stateDir, 'policies/admin.yaml'));
  });
});

describe('a later start', () => {
  test('finds the same password and leaves both files alone', async () => {
    const first = await prepared(stateDir, { hash, policies });
    const policy = await readFile(first.policyFile, 'utf8');
    const again = await prepared(stateDir, { hash, policies });
    expect(again).toEqual(first);
    expect(await readFile(first.policyFile, 'utf8')).toBe(policy);
  });

  test('keeps users that an admin added to the generated policy', async () => {
    const { policyFile, adminPassword } = await prepared(stateDir, { hash, policies });
    const policy = `${await readFile(policyFile, 'utf8')}  dana: { password: $argon2id$x, groups: [developers] }\n`;
    await writeFile(policyFile, policy);
    expect((await prepared(stateDir, { hash, policies })).adminPassword).toBe(adminPassword);
    expect(await readFile(policyFile, 'utf8')).toBe(policy);
  });

  const broken: readonly (readonly [title: string, spoil: () => Promise<void>])[] = [
    ['the password file is missing', () => rm(join(stateDir, 'initial-admin-password'))],
    ['the password file is empty', () => writeFile(join(stateDir, 'initial-admin-password'), '')],
    ['the password file was cut short', () => writeFile(join(stateDir, 'initial-admin-password'), 'abcde-fgh')],
    ['the policy is missing', () => rm(join(stateDir, 'policies/admin.yaml'))],
    ['the policy is not YAML', () => writeFile(join(stateDir, 'policies/admin.yaml'), 'users: { admin: [')],
    ['the policy has no admin', () => writeFile(join(stateDir, 'policies/admin.yaml'), 'users: {}\n')],
  ];
  test.each(broken)('makes both anew when %s', async (_title, spoil) => {
    const first = await prepared(stateDir, { hash, policies });
    await spoil();
    const again = await prepared(stateDir, { hash, policies });
    expect(again.adminPassword).not.toBe(first.adminPassword);
    expect(await readFile(again.policyFile, 'utf8')).toContain(again.adminPassword);
    expect(await readFile(join(stateDir, 'initial-admin-password'), 'utf8')).toBe(`${again.adminPassword}\n`);
  });

  test('keeps a policy that does not parse under another name, for it may hold work of the admin', async () => {
    const { policyFile } = await prepared(stateDir, { hash, policies });
    await writeFile(policyFile, 'users: { dana: [');
    await prepared(stateDir, { hash, policies });
    expect(await readFile(`${policyFile}.unreadable`, 'utf8')).toBe('users: { dana: [');
  });

  test('closes a directory and files that were opened to others', async () => {
    const { policyFile, adminPassword } = await prepared(stateDir, { hash, policies });
    await chmod(stateDir, 0o755);
    await chmod(policyFile, 0o644);
    await chmod(join(stateDir, 'initial-admin-password'), 0o640);
    expect((await prepared(stateDir, { hash, policies })).adminPassword).toBe(adminPassword);
    expect(await mode(stateDir)).toBe('700');
    expect(await mode(policyFile)).toBe('600');
    expect(await mode(join(stateDir, 'initial-admin-password'))).toBe('600');
  });
});

describe("policies of one's own", () => {
  const own = ['rules: []\n', '# groups: { admins: {} }\n', 'users: { admins: [\n'];
  const groups = async (): Promise<unknown> =>
    (parse(await readFile(join(stateDir, 'policies/admin.yaml'), 'utf8')) as { users: { admin: { groups: unknown } } })
      .users.admin.groups;

  test('without a group "admins" leave the admin account without one', async () => {
    expect((await prepared(stateDir, { hash, policies: own })).adminGroups).toEqual([]);
    expect(await groups()).toEqual([]);
  });

  test('may lose and gain the group later: password, comments and other accounts stay', async () => {
    const first = await prepared(stateDir, { hash, policies });
    const dana = '  dana: { password: $argon2id$x, groups: [developers] } # the boss\n';
    await writeFile(first.policyFile, (await readFile(first.policyFile, 'utf8')) + dana);
    const without = await prepared(stateDir, { hash, policies: own });
    expect([without.adminPassword, await groups()]).toEqual([first.adminPassword, []]);
    expect(await readFile(first.policyFile, 'utf8')).toMatch(/^# Made by try mode[\s\S]*dana: .*# the boss/);
    const again = await prepared(stateDir, { hash, policies });
    expect([again.adminPassword, again.adminGroups, await groups()]).toEqual([
      first.adminPassword,
      ['admins'],
      ['admins'],
    ]);
  });
});

describe('a place that is not safe is refused with the way out', () => {
  test('a file in place of the directory', async () => {
    await writeFile(stateDir, '');
    const { message, fix } = await problem();
    expect(message).toContain('not a directory');
    expect(fix).toContain('PORTCULLIS_STATE_DIR');
  });

  test('a symbolic link in place of the directory, even to a directory of our own', async () => {
    await mkdir(join(place, 'elsewhere'));
    await symlink(join(place, 'elsewhere'), stateDir);
    expect((await problem()).message).toContain('symbolic link');
  });

  test('a symbolic link in place of the policies directory', async () => {
    await mkdir(stateDir, { mode: 0o700 });
    await symlink(place, join(stateDir, 'policies'));
    expect((await problem()).message).toContain('symbolic link');
  });

  test('a symbolic link in place of the password file', async () => {
    await prepared(stateDir, { hash, policies });
    await rm(join(stateDir, 'initial-admin-password'));
    await symlink('/etc/hostname', join(stateDir, 'initial-admin-password'));
    expect((await problem()).message).toContain('not a regular file');
  });

  test('a directory of another user', async (ctx) => {
    if (process.getuid?.() !== 0) {
      if (process.env['PORTCULLIS_TEST_REQUIRE'] === 'all')
        throw new Error('this test gives a directory away: run as root');
      ctx.skip('only root can give a directory to another user');
    }
    await mkdir(stateDir, { mode: 0o700 });
    await chown(stateDir, 12345, 12345);
    const { message, fix } = await problem();
    expect(message).toContain('belongs to another user');
    expect(fix).toContain('chown');
  });
});
