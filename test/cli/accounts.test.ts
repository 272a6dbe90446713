/** `user` and `robot` `groups` and `remove`, as a person runs them: what is written, what is not, and what is said. */
import { describe, expect, test } from 'vitest';
import { usePolicyFolder } from './policy-folder.ts';

const sha = 'a'.repeat(64);

const people = `# The team.
users:
  # Since 2024.
  dana: { groups: [developers] } # she
  rita:
    groups:
      - developers # for now
      - managers
  lena: {}
robots:
  builder:
    groups: [managers]
    tokens:
      - { id: one1, sha256: '${sha}' }
groups: { developers: {}, managers: {} }
`;
const rules = `rules:
  # What all share.
  - name: share
    subjects: [group:developers, user:dana]
    repositories: ["sandbox/**"]
    actions: [pull, push]
  - name: of-dana
    subjects: [user:dana]
    repositories: ["dana/**"]
    actions: [push]
  - name: frozen
    effect: deny
    subjects: [everyone]
    repositories: ["release/**"]
    actions: [push]
    except: [user:dana] # for now
gates:
  - name: approved
    repositories: ["release/**"]
    from: ["integration/**"]
    except: [user:dana] # in need
  - { name: signed, repositories: ["release/**"], from: ["signed/**"], except: [user:dana, group:managers] }
limits:
  - { name: pushes, subjects: [user:dana, group:managers], count: push, per: account, rate: 60/1m }
tests:
  - name: dana shares
    as: user:dana
    allow: [push sandbox/app]
  - name: rita shares # as all do
    as: { user: rita, address: 10.1.2.3 }
    allow: [push sandbox/app]
    deny: [push dana/app, push release/app]
  - { name: developers share, as: group:developers, allow: [push sandbox/app] }
`;

const folder = usePolicyFolder({ 'people.yaml': people, 'rules.yaml': rules });
const { textOf } = folder;
const portcullis = (...args: readonly string[]): ReturnType<typeof folder.portcullis> => folder.portcullis(args);
const built = (...args: readonly string[]): ReturnType<typeof folder.built> => folder.built(args);

async function expectNothingWritten(): Promise<void> {
  expect(await textOf('people.yaml')).toBe(people);
  expect(await textOf('rules.yaml')).toBe(rules);
}

describe('remove', () => {
  test('takes out a user nobody names, and nothing else', async () => {
    expect(await built('user', 'remove', 'lena')).toEqual({
      code: 0,
      stdout: 'user "lena" removed (policies/people.yaml)\n',
      stderr: '',
    });
    expect(await textOf('people.yaml')).toBe(people.replace('  lena: {}\n', ''));
    expect(await textOf('rules.yaml')).toBe(rules);
  });

  test('takes a robot out with its secrets', async () => {
    const { code, stdout } = await built('robot', 'remove', 'builder');
    expect([code, stdout]).toEqual([0, 'robot "builder" removed with its secrets (policies/people.yaml)\n']);
    expect(await textOf('people.yaml')).toBe(people.replace(/robots:[^]*(?=groups: \{ dev)/, 'robots: {}\n'));
  });

  test('of somebody whom rules and tests name says where, and what to do', async () => {
    const { code, stderr } = await portcullis('user', 'remove', 'dana');
    expect(code).toBe(1);
    expect(stderr.split('\n').slice(0, -2)).toEqual([
      'policies/rules.yaml:3: rule "share" names user:dana',
      'policies/rules.yaml:7: rule "of-dana" names user:dana',
      'policies/rules.yaml:11: rule "frozen" names user:dana',
      'policies/rules.yaml:24: limit "pushes" names user:dana',
      'policies/rules.yaml:18: gate "approved" names user:dana',
      'policies/rules.yaml:22: gate "signed" names user:dana',
      'policies/rules.yaml:26: test "dana shares" names user:dana',
    ]);
    expect(stderr).toContain('portcullis user disable dana');
    expect(stderr).toContain('portcullis user remove dana --everywhere');
    await expectNothingWritten();
  });

  test('--everywhere takes the name out of them too: what is about nobody else goes, comments and order stay', async () => {
    const { code, stdout, stderr } = await portcullis('user', 'remove', 'dana', '--everywhere');
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout).toContain('rule "of-dana" is removed with it');
    expect(stdout).toContain('test "dana shares" is removed with it');
    expect(stdout).toContain('rule "share" no longer names user:dana');
    expect(stdout).toContain('gate "approved" no longer names user:dana');
    expect(await textOf('people.yaml')).toBe(people.replace('  dana: { groups: [developers] } # she\n', ''));
    expect(await textOf('rules.yaml')).toBe(
      rules
        .replace('[group:developers, user:dana]', '[group:developers]')
        .replace(/ {2}- name: of-dana\n(?: {4}.*\n)+/, '')
        .replace('    except: [user:dana] # for now\n', '')
        .replace('    except: [user:dana] # in need\n', '')
        .replaceAll('[user:dana, group:managers]', '[group:managers]')
        .replace(/ {2}- name: dana shares\n(?: {4}.*\n)+/, ''),
    );
    expect((await portcullis('test', 'policies')).code).toBe(0);
  });
});

describe('groups', () => {
  test('add puts somebody into groups, and says so when it is so already', async () => {
    const { code, stdout } = await built('user', 'groups', 'add', 'dana', 'developers,managers');
    expect([code, stdout]).toEqual([0, 'user "dana" is now in managers too (policies/people.yaml)\n']);
    expect(await textOf('people.yaml')).toBe(people.replace('[developers] } # she', '[developers, managers] } # she'));
    expect(await portcullis('user', 'groups', 'add', 'dana', 'managers')).toMatchObject({ code: 0 });
    expect((await portcullis('robot', 'groups', 'add', 'builder', 'developers')).code).toBe(0);
    expect(await textOf('people.yaml')).toContain('    groups: [managers, developers]\n    tokens:\n');
  });

  test('remove takes somebody out of groups', async () => {
    const { code, stdout } = await built('user', 'groups', 'remove', 'rita', 'managers');
    expect([code, stdout]).toEqual([0, 'user "rita" is no longer in managers (policies/people.yaml)\n']);
    expect(await textOf('people.yaml')).toBe(people.replace('      - managers\n', ''));
    expect((await portcullis('robot', 'groups', 'remove', 'builder', 'managers')).code).toBe(0);
    expect(await textOf('people.yaml')).toContain('  builder:\n    groups: []\n');
  });

  test('remove says which test stands in the way, and --drop-tests takes out what it expects', async () => {
    const refused = await portcullis('user', 'groups', 'remove', 'rita', 'developers', 'managers');
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain('policies/rules.yaml:31:13: test "rita shares" fails');
    expect(refused.stderr).toContain('portcullis user groups remove rita developers,managers --drop-tests');
    await expectNothingWritten();
    const { code, stdout } = await portcullis(
      'user',
      'groups',
      'remove',
      'rita',
      'developers,managers',
      '--drop-tests',
    );
    expect([code, stdout]).toEqual([
      0,
      'user "rita" is no longer in developers, managers (policies/people.yaml)\n' +
        '  policies/rules.yaml:29: test "rita shares" expects less\n',
    ]);
    expect(await textOf('rules.yaml')).toBe(
      rules.replace('address: 10.1.2.3 }\n    allow: [push sandbox/app]\n', 'address: 10.1.2.3 }\n'),
    );
    expect((await portcullis('test', 'policies')).code).toBe(0);
  });
});

describe('nothing is written when', () => {
  test.each<[string, readonly string[], string]>([
    ['there is no such user', ['user', 'remove', 'dnaa'], 'there is no user "dnaa" — did you mean "dana"?'],
    ['the user is a robot', ['user', 'remove', 'builder'], 'there is no user "builder"; it is a robot'],
    ['the robot is a user', ['robot', 'groups', 'add', 'dana', 'managers'], 'no robot "dana"; it is a user'],
    ['there is no such group', ['user', 'groups', 'add', 'dana', 'manager'], '— did you mean "managers"?'],
    ['the group to leave does not exist', ['user', 'groups', 'remove', 'dana', 'manager'], 'no group "manager"'],
  ])('%s', async (_what, args, message) => {
    const { code, stderr } = await portcullis(...args);
    expect(code).toBe(1);
    expect(stderr).toContain(message);
    await expectNothingWritten();
  });
});
