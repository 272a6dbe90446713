/** `check`, `test`, `explain`, `who-can` and `diff`, as a person runs them. */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type RunResult, run } from '../support/programs.ts';
import { makeTempDir, removeTempDir } from '../support/temp-dir.ts';
import { callProgram } from './in-process.ts';

const program = fileURLToPath(new URL('../../dist/cli.js', import.meta.url));
let directory: string;

const people = `users:
  dana: { groups: [developers] }
  rita: { groups: [managers] }
robots:
  builder: {}
groups:
  developers:
  managers:
`;
const rules = `rules:
  - name: share
    subjects: [group:developers]
    repositories: ["sandbox/**"]
    actions: [pull, push]
  - name: publish
    subjects: [group:managers]
    repositories: ["release/**"]
    actions: [pull, push]
  - name: immutable
    effect: deny
    subjects: [everyone]
    repositories: ["release/**"]
    tags: ["v*"]
    actions: [overwrite]
  - name: freeze
    effect: deny
    subjects: [everyone]
    repositories: ["release/**"]
    actions: [push]
    when: { after: 2026-12-24, before: 2027-01-02 }
tests:
  - name: developers share
    as: user:dana
    allow: [push sandbox/app]
    deny: [pull release/app]
`;

beforeAll(async () => {
  directory = await makeTempDir('verbs');
  await mkdir(join(directory, 'policies'));
  await mkdir(join(directory, 'grown'));
  await write('policies/people.yaml', people);
  await write('policies/rules.yaml', rules);
});

afterAll(() => removeTempDir(directory));

function write(name: string, text: string): Promise<void> {
  return writeFile(join(directory, name), text);
}

function portcullis(...args: readonly string[]): Promise<RunResult> {
  return callProgram(args, { cwd: directory });
}

async function json(...args: readonly string[]): Promise<unknown> {
  const { stdout } = await portcullis(...args, '--json');
  return JSON.parse(stdout) as unknown;
}

const inJune = ['--at', '2026-06-03T12:00:00Z'];

describe('the built program', () => {
  test.each<[code: number, args: readonly string[]]>([
    [0, ['explain', 'user:dana', 'push', 'sandbox/app:1.0']],
    [1, ['explain', 'user:dana', 'pull', 'release/app', '--json', ...inJune]],
    [2, ['explain', 'user:dana']],
    [0, ['who-can', 'push', 'release/app:v1', ...inJune]],
    [1, ['who-can', 'push', 'release', ...inJune]],
    [0, ['access', 'user:rita']],
    [0, ['diff', 'policies', 'policies']],
    [0, ['test', 'policies']],
    [1, ['test', 'policies', '--strict', '--json']],
    [0, ['check', 'policies']],
    [1, ['check', 'nowhere']],
    [0, ['check', '--help']],
  ])('exits %i of %j, and says what the call in this process says', async (code, args) => {
    const built = await run(process.execPath, [program, ...args], { cwd: directory });
    expect(built).toMatchObject({ code, stdout: expect.any(String) });
    expect(built.stdout + built.stderr).not.toBe('');
    expect(await portcullis(...args)).toEqual(built);
  });
});

describe('portcullis explain', () => {
  test('says yes, the rule with its source line, and where the group comes from', async () => {
    const { code, stdout, stderr } = await portcullis('explain', 'user:dana', 'push', 'sandbox/app:1.0');
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout.split('\n').slice(0, 8)).toEqual([
      'allow: user "dana" may push sandbox/app:1.0',
      '',
      'policies/rules.yaml:2:5: rule "share" allows it',
      '    2 |   - name: share',
      '      |     ^',
      '',
      'groups:',
      '  developers (policies/people.yaml:2)',
    ]);
  });

  test('says no, why, and what came near', async () => {
    const { code, stdout } = await portcullis('explain', 'user:dana', 'pull', 'release/app');
    expect(code).toBe(1);
    expect(stdout).toContain('deny: user "dana" may not pull release/app: no rule allows it\n');
    expect(stdout).toContain(
      '  allow "publish" (policies/rules.yaml:6)\n      subjects: group:managers does not include user "dana"\n',
    );
  });

  test('tells creating, moving and repeating a tag apart', async () => {
    const { code, stdout } = await portcullis('explain', 'user:rita', 'push', 'release/app:v1', ...inJune);
    expect(code).toBe(0);
    expect(stdout).toContain(
      [
        'allow: user "rita" may push release/app:v1',
        '  creating it: allowed by rule "publish" (policies/rules.yaml:6)',
        '  moving it to another image: forbidden by rule "immutable" (policies/rules.yaml:10)',
        '  pushing the same image again: allowed',
      ].join('\n'),
    );
  });

  test('answers for another time', async () => {
    const { code, stdout } = await portcullis('explain', 'user:rita', 'push', 'release/app', '--at', '2026-12-25');
    expect(code).toBe(1);
    expect(stdout).toContain('rule "freeze" forbids it');
    expect(stdout).toContain('also matching:\n  allow "publish" (policies/rules.yaml:6)');
  });

  test('prints the agreed JSON', async () => {
    expect(await json('explain', 'user:dana', 'pull', 'release/app', ...inJune)).toEqual({
      decision: 'deny',
      rule: null,
      file: null,
      line: null,
      reason: 'no rule allows it',
      subject: 'user:dana',
      groups: ['developers'],
      considered: [
        { rule: 'publish', matched: false, failed: 'subject' },
        { rule: 'share', matched: false, failed: 'repository' },
        { rule: 'freeze', matched: false, failed: 'action' },
        { rule: 'immutable', matched: false, failed: 'tag' },
      ],
      limits: [],
    });
    expect(await json('explain', 'group:developers', 'push', 'sandbox/app')).toMatchObject({
      decision: 'allow',
      rule: 'share',
      file: 'policies/rules.yaml',
      line: 2,
      subject: 'group:developers',
    });
  });

  const misunderstood: readonly (readonly [what: string, args: readonly string[], said: string])[] = [
    ['a bare name', ['dana', 'pull', 'a'], 'did you mean "user:dana"?'],
    ['a name of another kind', ['user:builder', 'pull', 'a'], 'did you mean "robot:builder"?'],
    ['a mistyped name', ['user:dnaa', 'pull', 'a'], 'there is no user "dnaa" — did you mean "user:dana"?'],
    ['a mistyped action', ['user:dana', 'psuh', 'a'], 'did you mean "push"?'],
    ['everyone', ['everyone', 'pull', 'a'], 'everyone is many'],
    ['a pattern', ['user:dana', 'pull', 'sandbox/**'], 'is not the name of one repository'],
    ['a digest', ['user:dana', 'pull', 'a@sha256:00'], 'names a digest'],
    ['a name with the registry before it', ['user:dana', 'pull', 'localhost:5050/a:1'], 'leave out the address'],
    ['a tag that cannot be', ['user:dana', 'pull', 'a:b/c'], 'is not a tag'],
    ['an address that is none', ['user:dana', 'pull', 'a', '--address', '10.0.0'], 'is not an IP address'],
    ['a day that no calendar has', ['user:dana', 'pull', 'a', '--at', '2027-02-30'], 'is not a time'],
    ['too few words', ['user:dana'], 'missing required argument'],
  ];
  test.each(misunderstood)('exits 2 on %s and says what to write', async (_what, args, said) => {
    const { code, stdout, stderr } = await portcullis('explain', ...args);
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toContain(said);
  });
});

describe('portcullis who-can', () => {
  test('groups subjects by rule, with what their right hangs on', async () => {
    const { code, stdout } = await portcullis('who-can', 'push', 'release/app:v1', ...inJune);
    expect(code).toBe(0);
    expect(stdout).toBe(
      [
        '1 of 4 may push release/app:v1',
        '  rule "publish" (policies/rules.yaml:6)',
        '    group:managers, all 1  new tags only; except while it is after 2026-12-24T00:00:00Z and before 2027-01-02T00:00:00Z (rule "freeze" (policies/rules.yaml:16))',
        '',
      ].join('\n'),
    );
  });

  test('names everybody with --people', async () => {
    const { stdout } = await portcullis('who-can', 'pull', 'sandbox/app', '--people');
    expect(stdout).toContain('\n    user:dana\n');
  });

  test('answers for an area', async () => {
    const { code, stdout, stderr } = await portcullis('who-can', 'pull', '**');
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout).toBe(
      [
        'nobody may pull **',
        '',
        '1 of 4 may pull sandbox/**',
        '  rule "share" (policies/rules.yaml:2)',
        '    group:developers, all 1',
        '',
        '1 of 4 may pull release/**',
        '  rule "publish" (policies/rules.yaml:6)',
        '    group:managers, all 1',
        '',
      ].join('\n'),
    );
    expect((await portcullis('who-can', 'pull', 'sandbox/**/[a]')).code).toBe(2);
    expect((await portcullis('who-can', 'delete', '**')).code).toBe(1);
  });

  test('asked about an area as if it were a repository, says how to ask', async () => {
    const { stdout, stderr } = await portcullis('who-can', 'push', 'release', ...inJune);
    expect(stdout).toBe('nobody may push release\n');
    expect(stderr).toBe(
      'note: rules speak of release/**; release itself is not in there, ask about one below it: release/NAME\n',
    );
    expect(await portcullis('who-can', 'push', 'release/app', ...inJune)).toMatchObject({ code: 0, stderr: '' });
  });

  test('exits 1 when nobody may', async () => {
    const { code, stdout } = await portcullis('who-can', 'delete', 'release/app');
    expect([code, stdout]).toEqual([1, 'nobody may delete release/app\n']);
  });

  test('prints JSON', async () => {
    expect(await json('who-can', 'push', 'sandbox/app')).toEqual({
      action: 'push',
      repository: 'sandbox/app',
      tag: null,
      subjects: [
        {
          subject: 'user:dana',
          rule: 'share',
          file: 'policies/rules.yaml',
          line: 2,
          impliedByPush: false,
          only: null,
          condition: null,
        },
      ],
      otherwise: [],
      emptyGroups: [],
    });
  });
});

describe('portcullis access', () => {
  test('lists what somebody may do, what is kept from it, and the groups', async () => {
    const { code, stdout } = await portcullis('access', 'user:rita');
    expect(code).toBe(0);
    expect(stdout.split('\n')).toEqual([
      'user "rita" may',
      '  pull, push in release/** (rule "publish" (policies/rules.yaml:6))',
      expect.stringMatching(/^ {6}but not push in release\/\*\*, while it is after .* \(rule "freeze" /),
      '      but not overwrite in release/**, tags v* (rule "immutable" (policies/rules.yaml:10))',
      '  (push includes reading what is pushed)',
      '',
      'groups:',
      '  managers (policies/people.yaml:3)',
      '',
    ]);
    expect(await json('access', 'group:developers')).toMatchObject({
      subject: 'group:developers',
      grants: [{ actions: ['pull', 'push'], repositories: ['sandbox/**'], rule: 'share', except: [] }],
    });
  });

  test('exits 1 for nothing at all, 2 for nobody', async () => {
    expect(await portcullis('access', 'anonymous')).toMatchObject({ code: 1, stdout: 'anonymous may do nothing\n' });
    expect(await portcullis('access', 'user:dnaa')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('did you mean "user:dana"?'),
    });
  });
});

describe('portcullis diff', () => {
  beforeAll(async () => {
    await write('edited.yaml', people + rules.replace('subjects: [group:developers]', 'subjects: [authenticated]'));
    await write('one-file.yaml', rules + people);
  });

  test('exits 0 where the same is said in another order and other files', async () => {
    const { code, stdout } = await portcullis('diff', 'policies', 'one-file.yaml');
    expect([code, stdout]).toEqual([0, 'no change in who may do what\n']);
  });

  test('exits 1 and says what changes, each way', async () => {
    const there = await portcullis('diff', 'policies', 'edited.yaml');
    expect([there.code, there.stdout]).toEqual([
      1,
      '+ authenticated may now pull, push sandbox/** (rule share, edited.yaml:10)\n',
    ]);
    const back = await portcullis('diff', 'edited.yaml', 'policies');
    expect([back.code, back.stdout]).toEqual([
      1,
      '- authenticated (but not group:developers) may no longer pull, push sandbox/** (was rule share, edited.yaml:10)\n',
    ]);
  });

  test('prints JSON', async () => {
    expect(await json('diff', 'policies', 'edited.yaml')).toEqual({
      changed: true,
      complete: true,
      accounts: [],
      changes: [
        {
          kind: 'granted',
          subjects: ['authenticated'],
          actions: ['pull', 'push'],
          repositories: ['sandbox/**'],
          exceptSubjects: [],
          exceptRepositories: [],
          tags: null,
          rule: 'share',
          file: 'edited.yaml',
          line: 10,
          text: 'authenticated may now pull, push sandbox/**',
        },
      ],
      limits: [],
    });
  });

  test('tells changed limits, with their place', async () => {
    const limit = '  - { name: pulls, subjects: [authenticated], count: pull, per: account, rate: 100/6h }\n';
    await write('limited.yaml', `${rules}${people}limits:\n${limit}`);
    const there = await portcullis('diff', 'policies', 'limited.yaml');
    expect([there.code, there.stdout]).toEqual([
      1,
      '+ limit "pulls" is new: authenticated, 100 pulls per 6 hours for each account (limited.yaml:36)\n',
    ]);
    expect((await portcullis('diff', 'limited.yaml', 'policies')).stdout).toMatch(
      /^- .* is gone: .* \(was limited\.yaml:36\)\n$/,
    );
    expect(await json('diff', 'policies', 'limited.yaml')).toMatchObject({
      changed: true,
      changes: [],
      limits: [
        {
          kind: 'added',
          limit: 'pulls',
          file: 'limited.yaml',
          line: 36,
          text: expect.stringContaining('is new') as string,
        },
      ],
    });
  });
});

describe('portcullis freezes', () => {
  test('lists what is frozen, from when, until when and by which rule', async () => {
    expect(await portcullis('freezes', '--policies', 'policies', '--at', '2026-12-25')).toMatchObject({
      code: 0,
      stdout:
        'frozen now:\n  push, promote in release/** until 2027-01-02T00:00Z (rule "freeze" (policies/rules.yaml:16))\n',
    });
    expect((await portcullis('freezes', '--policies', 'policies', '--at', '2026-06-01')).stdout).toBe(
      'nothing is frozen now\n\nto come:\n  push, promote in release/** from 2026-12-24T00:00Z until 2027-01-02T00:00Z (rule "freeze" (policies/rules.yaml:16))\n',
    );
    expect((await portcullis('freezes', '--policies', 'policies', '--at', '2027-01-02')).stdout).toBe(
      'nothing is frozen, and no rule will freeze anything\n',
    );
    expect(await portcullis('freezes', '--at', 'soon')).toMatchObject({ code: 2 });
  });

  test('names exceptions, tags, hours and whom it is about', async () => {
    const when = "{ hours: '20:00-06:00', zone: Europe/Berlin, addresses: [10.0.0.0/8] }";
    await write(
      'nights.yaml',
      `${people}rules: [{ name: nights, effect: deny, mode: shadow, subjects: [authenticated], except: [user:rita], repositories: ['a/**'], tags: ['v*'], actions: [overwrite], when: ${when} }]\n`,
    );
    expect((await portcullis('freezes', '--policies', 'nights.yaml', '--at', '2026-06-01T22:00:00Z')).stdout).toBe(
      'frozen now:\n  overwrite in a/** until 2026-06-02T04:00Z (rule "nights" (nights.yaml:9))\n' +
        '      tags v* only; for authenticated; not for user:rita; from 10.0.0.0/8; again and again, while it is between 20:00 and 06:00 Europe/Berlin; in shadow mode: it forbids nothing\n',
    );
  });

  test('prints JSON', async () => {
    expect(await json('freezes', '--policies', 'policies', '--at', '2026-12-25')).toEqual({
      at: '2026-12-25T00:00:00Z',
      freezes: [
        {
          rule: 'freeze',
          mode: 'enforce',
          file: 'policies/rules.yaml',
          line: 16,
          now: true,
          from: '2026-12-24T00:00:00Z',
          until: '2027-01-02T00:00:00Z',
          repositories: ['release/**'],
          tags: null,
          actions: ['push', 'promote'],
          subjects: ['everyone'],
          except: [],
          condition: 'it is after 2026-12-24T00:00:00Z and before 2027-01-02T00:00:00Z',
        },
      ],
    });
  });

  test('explain says when it is over', async () => {
    const args = ['explain', 'user:rita', 'push', 'release/app', '--at', '2026-12-25', '--policies', 'policies'];
    expect((await portcullis(...args)).stdout).toContain('rule "freeze" forbids it until 2027-01-02T00:00Z');
    expect(await json(...args)).toMatchObject({ decision: 'deny', frozenUntil: '2027-01-02T00:00:00Z' });
  });
});

describe('portcullis test', () => {
  test('counts expectations and names rules that no test exercises', async () => {
    const { code, stdout } = await portcullis('test', 'policies');
    expect(code).toBe(0);
    expect(stdout).toContain('2 passed, 0 failed\n');
    expect(stdout).toContain('rules that no test exercises:\n  allow "publish" (policies/rules.yaml:6)\n');
    expect((await portcullis('test', 'policies', '--strict')).code).toBe(1);
  });

  test('exits 1 and shows the line that fails and the rule behind it', async () => {
    await write('failing.yaml', `${people}${rules}  - { name: closed, as: user:dana, deny: [push sandbox/app] }\n`);
    const { code, stdout } = await portcullis('test', 'failing.yaml');
    expect(code).toBe(1);
    expect(stdout).toContain(
      'test "closed" fails: push sandbox/app should be denied, but is allowed by rule "share" (failing.yaml:10)',
    );
    expect(stdout).toMatch(/\n {3}35 \| .*deny: \[push sandbox\/app\] }\n {6}\| +\^\n/);
    expect(await json('test', 'failing.yaml')).toMatchObject({
      passed: 2,
      failed: 1,
      failures: [{ test: 'closed', file: 'failing.yaml', line: 35, code: 'test-failed' }],
      unexercised: [{ rule: 'publish', file: 'failing.yaml', line: 14 }, { rule: 'immutable' }, { rule: 'freeze' }],
    });
  });
});

describe('gates', () => {
  const gates = `gates:
  - name: approved
    repositories: ["release/**"]
    from: ["integration/**"]
    fromTags: ["approved-*"]
    except: [user:dana]
`;
  const place = 'gated.yaml:36';
  beforeAll(() => write('gated.yaml', `${rules}${people}${gates}`));
  const policies = ['--policies', 'gated.yaml'];

  test('are named by explain, with the condition and their place', async () => {
    const args = ['explain', 'user:rita', 'push', 'release/app', '--at', '2026-06-01', ...policies];
    const { code, stdout } = await portcullis(...args);
    expect(code).toBe(0);
    expect(stdout).toContain(
      'allow: user "rita" may push release/app\n  if the image is in integration/app (under a tag approved-*)\n',
    );
    expect(stdout).toContain(
      `gates:\n  gate "approved" (${place}): the image must be in integration/app (under a tag approved-*); not for user:dana\n`,
    );
    expect(await json(...args)).toMatchObject({
      decision: 'allow',
      gates: [
        {
          gate: 'approved',
          mode: 'enforce',
          file: 'gated.yaml',
          line: 36,
          stands: true,
          exempted: null,
          tags: null,
          from: ['integration/app'],
          fromTags: ['approved-*'],
          match: 'image',
          attachments: 'allow',
          except: ['user:dana'],
        },
      ],
    });
  });

  test('are named by who-can, for one repository and for an area', async () => {
    const one = await portcullis('who-can', 'push', 'release/app', '--at', '2026-06-01', ...policies);
    expect(one.stdout).toMatch(
      /group:managers, all 1 .*; if the image is in integration\/app \(under a tag approved-\*\)\n/,
    );
    const area = await portcullis('who-can', 'push', 'release/**', '--at', '2026-06-01', ...policies);
    expect(area.stdout).toContain('if the image is in integration/** (under a tag approved-*)');
    expect(area.stdout).toContain(`\ngates:\n  gate "approved" (${place}): `);
    expect(await json('who-can', 'push', 'release/app', '--at', '2026-06-01', ...policies)).toMatchObject({
      subjects: [{ subject: 'user:rita', gates: [{ gate: 'approved', stands: true }] }],
    });
  });

  test('are named by access, below what they are about', async () => {
    const { stdout } = await portcullis('access', 'user:rita', ...policies);
    expect(stdout).toContain(
      `      only into release/** what is in integration/** (under a tag approved-*) (gate "approved" (${place}))\n`,
    );
    expect(await json('access', 'user:rita', ...policies)).toMatchObject({
      grants: [{ gates: [{ gate: 'approved', mode: 'enforce', file: 'gated.yaml', line: 36 }] }],
    });
  });

  test('that no test exercises are named by test, which proposes one', async () => {
    const { stdout } = await portcullis('test', 'gated.yaml');
    expect(stdout).toContain(`gates that no test exercises with \`image: unknown\`:\n  "approved" (${place})\n`);
    expect(await json('test', 'gated.yaml')).toMatchObject({ unexercisedGates: [{ gate: 'approved', line: 36 }] });
    expect((await portcullis('test', 'gated.yaml', '--write', '--dry-run')).stdout).toMatch(
      /image: unknown\n {4}deny: \[push release\/app\]/,
    );
  });

  test('that are new, gone or changed are told by diff, with their place', async () => {
    const there = await portcullis('diff', 'policies', 'gated.yaml');
    expect([there.code, there.stdout]).toEqual([
      1,
      `+ gate "approved" is new: into release/** only what is in integration/** (under a tag approved-*), but not for user:dana (${place})\n`,
    ]);
    expect((await portcullis('diff', 'gated.yaml', 'policies')).stdout).toContain(` (was ${place})\n`);
    await write('loose.yaml', `${rules}${people}${gates.replace('    fromTags: ["approved-*"]\n', '')}`);
    expect(await json('diff', 'gated.yaml', 'loose.yaml')).toMatchObject({
      changed: true,
      changes: [],
      gates: [{ kind: 'loosened', gate: 'approved', file: 'loose.yaml', line: 36, text: expect.any(String) as string }],
    });
  });

  test('make a question about promote like any other', async () => {
    const { code, stdout } = await portcullis('who-can', 'promote', 'release/app', ...policies);
    expect([code, stdout.split('\n')[0]]).toEqual([1, 'nobody may promote release/app']);
    expect((await portcullis('explain', '--help')).stdout).toMatch(/catalog, promote,\s+inspect or administer/);
    expect((await portcullis('explain', 'user:rita', 'promot', 'a', ...policies)).stderr).toContain(
      'did you mean "promote"',
    );
  });
});

describe('portcullis test --write', () => {
  test('proposes what holds today for rules that no test exercises, and writes it behind what is there', async () => {
    await write('grown/people.yaml', people);
    await write('grown/rules.yaml', `${rules}  # The end.\n`);
    const dry = await portcullis('test', 'grown', '--write', '--dry-run');
    expect(dry.code).toBe(0);
    expect(await portcullis('test', 'grown', '--strict')).toMatchObject({ code: 1 });
    const { code, stdout } = await portcullis('test', 'grown', '--write');
    expect([code, stdout]).toEqual([
      0,
      '3 expectations written to grown/rules.yaml: read them, and correct what is not meant\n',
    ]);
    const text = await readFile(join(directory, 'grown/rules.yaml'), 'utf8');
    // A minute may have passed in between.
    const timeless = (yaml: string): string => yaml.replaceAll(/T\d\d:\d\d/g, 'T');
    expect(timeless(text)).toBe(timeless(`${rules}  # The end.\n${dry.stdout.replace('tests:\n', '')}`));
    expect(text).toContain("as: { group: 'managers', at: '");
    expect(await portcullis('test', 'grown', '--strict')).toMatchObject({ code: 0 });
    expect(await portcullis('test', 'grown', '--write')).toMatchObject({ code: 0, stderr: 'nothing to propose\n' });
  });

  test('writes nothing while tests fail', async () => {
    await write('grown/rules.yaml', rules.replace('deny: [pull release/app]', 'deny: [pull sandbox/app]'));
    const { code, stderr } = await portcullis('test', 'grown', '--write');
    expect([code, stderr]).toEqual([1, expect.stringContaining('tests fail already')]);
  });
});

describe('portcullis check', () => {
  test('names the revision of the files, the same from wherever they are read', async () => {
    const { stdout } = await portcullis('check', 'policies');
    const { revision } = (await json('check', join(directory, 'policies'))) as { revision: string };
    expect(revision).toMatch(/^[0-9a-f]{12}$/);
    expect(stdout).toContain(`\nrevision ${revision}, `);
  });

  test('says that all is well', async () => {
    const { code, stdout, stderr } = await portcullis('check', 'policies');
    expect([code, stdout.split('\n')[0], stderr]).toEqual([0, 'ok: 4 rules, 2 test expectations passed', '']);
  });

  test('exits 1 on lints, with place, source line and what to do', async () => {
    await write(
      'open.yaml',
      'rules:\n  - name: open\n    subjects: [anonymous]\n    repositories: ["**"]\n    actions: [push]\n',
    );
    const { code, stderr } = await portcullis('check', 'open.yaml');
    expect(code).toBe(1);
    expect(stderr).toBe(
      [
        'open.yaml:2:5: rule "open" lets anonymous push without logging in',
        '    2 |   - name: open',
        '      |     ^',
        '    fix: name groups or `authenticated` instead',
        'portcullis: 1 problem',
        '',
      ].join('\n'),
    );
  });

  test('lists shadow rules as notes, which fail only with --strict', async () => {
    await write(
      'shadow.yaml',
      `${people}${rules.replace('  - name: freeze\n', '  - name: freeze\n    mode: shadow\n')}`,
    );
    const { code, stderr } = await portcullis('check', 'shadow.yaml');
    expect(code).toBe(0);
    expect(stderr).toMatch(/^note: shadow\.yaml:24:5: rule "freeze" is in shadow mode/);
    expect((await portcullis('check', 'shadow.yaml', '--strict')).code).toBe(1);
    expect(await json('check', 'shadow.yaml')).toMatchObject({
      ok: true,
      problems: [],
      tests: { passed: 2, failed: 0 },
      notes: [{ code: 'shadow-rule', line: 24 }],
    });
  });
});

describe('a policy that cannot be read', () => {
  const verbs: readonly (readonly [verb: string, args: readonly string[]])[] = [
    ['explain', ['user:dana', 'pull', 'a', '--policies', 'broken.yaml']],
    ['who-can', ['pull', 'a', '--policies', 'broken.yaml']],
    ['diff', ['policies', 'broken.yaml']],
    ['test', ['broken.yaml']],
    ['test', ['--policies', 'broken.yaml']],
    ['test', ['nowhere']],
  ];
  test.each(verbs)('makes %s %j exit 78, in text and as JSON', async (verb, args) => {
    await write('broken.yaml', 'rules:\n  - { name: a, subjcts: [everyone], repositories: [a], actions: [pull] }\n');
    const text = await portcullis(verb, ...args);
    expect([text.code, text.stdout]).toEqual([78, '']);
    expect(text.stderr).toMatch(/broken\.yaml:2:16: .*did you mean "subjects"|nowhere: does not exist/);
    const machine = await portcullis(verb, ...args, '--json');
    expect(machine.code).toBe(78);
    expect(JSON.parse(machine.stdout)).toMatchObject({ ok: false, problems: expect.any(Array) as unknown[] });
  });
});

describe('--policies', () => {
  test('may be given more than once, and takes the place of the configured policies', async () => {
    const args = ['explain', 'user:dana', 'push', 'sandbox/app'];
    const both = ['--policies', 'policies/people.yaml', '--policies', 'policies/rules.yaml'];
    expect((await portcullis(...args, ...both)).code).toBe(0);
    expect((await portcullis(...args, '--policies', 'policies/people.yaml')).code).toBe(1);
  });
});

describe('--help', () => {
  test.each(['explain', 'who-can', 'access', 'diff', 'test', 'check'])('of %s shows an example', async (verb) => {
    const { code, stdout } = await portcullis(verb, '--help');
    expect(code).toBe(0);
    expect(stdout).toContain(`\nExample:\n`);
    expect(stdout).toContain(`portcullis ${verb} `);
  });
});
