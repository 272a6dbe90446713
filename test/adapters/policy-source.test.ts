import { mkdir, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type PolicyLoading, loadPolicy } from '../../src/adapters/files/policy-loading.ts';
import { type PolicyFiles, followPolicyFiles } from '../../src/adapters/files/policy-source.ts';
import { nameInFiles } from '../../src/policy/outside.ts';
import { askedByName } from '../../src/policy/by-name.ts';
import { anonymous } from '../support/policies.ts';
import { makeTempDir, removeTempDir } from '../support/temp-dir.ts';

const hour = 3_600_000;
let place: string;
let followed: PolicyFiles[];
beforeEach(async () => {
  place = await makeTempDir('policy-source');
  followed = [];
});
afterEach(async () => {
  for (const files of followed) files.close();
  await removeTempDir(place);
});

const policyFor = (repository: string): string =>
  `rules: [{ name: r, subjects: [everyone], repositories: [${repository}], actions: [pull] }]\n`;

interface Followed {
  readonly files: PolicyFiles;
  /** The next change that was noticed, whenever it comes; nothing else is waited for. */
  readonly nextReload: () => Promise<PolicyLoading>;
  readonly reloads: readonly PolicyLoading[];
  /** The repositories that the policy in force lets anybody pull. */
  readonly open: () => readonly string[];
}

async function follow(path: string, pollMs: number): Promise<Followed> {
  const loading = await loadPolicy([path], 0);
  if (!loading.ok) throw new Error(loading.problems.map(({ message }) => message).join('\n'));
  const reloads: PolicyLoading[] = [];
  const waiting: ((result: PolicyLoading) => void)[] = [];
  let taken = 0;
  const onReload = (result: PolicyLoading): void => {
    reloads.push(result);
    const next = waiting.shift();
    if (next !== undefined) next(result);
  };
  const files = followPolicyFiles(loading.loaded, { paths: [path], clock: () => 0, onReload, pollMs });
  followed.push(files);
  // Longer than setting up the watches takes.
  await files.reload();
  return {
    files,
    reloads,
    nextReload() {
      const already = reloads[taken++];
      return already === undefined ? new Promise((resolve) => waiting.push(resolve)) : Promise.resolve(already);
    },
    open: () =>
      ['a', 'b', 'c', 'd'].filter(
        (repository) => files.current().decide({ now: 0, principal: anonymous, action: 'pull', repository }).allowed,
      ),
  };
}

/** A directory as kubelet lays it out: files are links through `..data`, which is swapped in one step. */
async function mountConfigMap(directory: string, revision: number, text: string): Promise<void> {
  const data = join(directory, `..revision_${revision}`);
  await mkdir(data, { recursive: true });
  await writeFile(join(data, 'policy.yaml'), text);
  await symlink(`..revision_${revision}`, join(directory, '..data_tmp'));
  await rename(join(directory, '..data_tmp'), join(directory, '..data'));
  if (revision === 1) await symlink('..data/policy.yaml', join(directory, 'policy.yaml'));
  else await rm(join(directory, `..revision_${revision - 1}`), { recursive: true });
}

describe('a change of the policy files', () => {
  test.each([
    ['the watch alone', hour],
    ['polling as well', 50],
  ])('is noticed at every one of three Kubernetes swaps in a row, by %s', async (_how, pollMs) => {
    await mountConfigMap(place, 1, policyFor('a'));
    const { nextReload, open } = await follow(place, pollMs);
    for (const [index, repository] of ['b', 'c', 'd'].entries()) {
      await mountConfigMap(place, index + 2, policyFor(repository));
      expect(await nextReload()).toMatchObject({ ok: true });
      expect(open()).toEqual([repository]);
    }
  });

  test('of a single file is noticed each time it is replaced by renaming', async () => {
    const file = join(place, 'policy.yaml');
    await writeFile(file, policyFor('a'));
    const { nextReload, open } = await follow(file, hour);
    for (const repository of ['b', 'c', 'd']) {
      await writeFile(`${file}.tmp`, policyFor(repository));
      await rename(`${file}.tmp`, file);
      await nextReload();
      expect(open()).toEqual([repository]);
    }
  });

  test('may be a file more or a file less', async () => {
    await writeFile(join(place, 'a.yaml'), policyFor('a'));
    const { nextReload, open } = await follow(place, hour);
    await writeFile(join(place, 'b.yaml'), policyFor('b').replace('name: r', 'name: other'));
    await nextReload();
    expect(open()).toEqual(['a', 'b']);
    await rm(join(place, 'a.yaml'));
    await nextReload();
    expect(open()).toEqual(['b']);
  });

  test('is noticed where the directory itself was moved away and came back', async () => {
    const directory = join(place, 'policies');
    await mkdir(directory);
    await writeFile(join(directory, 'a.yaml'), policyFor('a'));
    const { nextReload, open, files } = await follow(directory, 50);
    await rename(directory, join(place, 'old'));
    expect(await nextReload()).toMatchObject({ ok: false });
    expect(open()).toEqual(['a']);
    await mkdir(directory);
    await writeFile(join(directory, 'a.yaml'), policyFor('b'));
    while (open()[0] !== 'b') await nextReload();
    expect(files.problems()).toEqual([]);
  });
});

describe('the last good policy stays in force', () => {
  const bad: readonly (readonly [what: string, text: string, problem: object])[] = [
    ['does not parse', 'rules: [\n', { code: 'yaml-syntax' }],
    ['is empty: what a writer that was stopped leaves behind', '', { code: 'empty-file' }],
    ['has an unknown key', 'rulez: []\n', { code: 'unknown-key', line: 1, column: 1 }],
    ['refers to nobody', policyFor('b').replace('everyone', "'user:nobody'"), { code: 'unknown-name', line: 1 }],
    [
      'fails one of its own tests',
      `${policyFor('b')}tests: [{ name: t, as: anonymous, deny: [pull b] }]\n`,
      { code: 'test-failed', line: 2 },
    ],
    ['is no text', '\u0000', { code: 'bad-character' }],
  ];
  test.each(bad)('when the new one %s, and the place is told', async (_what, text, problem) => {
    const file = join(place, 'policy.yaml');
    await writeFile(file, policyFor('a'));
    const { nextReload, open, files } = await follow(place, hour);
    const before = files.current();
    await writeFile(file, text);
    expect(await nextReload()).toMatchObject({ ok: false, problems: [{ file, ...problem }] });
    expect(files.current()).toBe(before);
    expect(files.problems()).toMatchObject([problem]);
    await writeFile(file, policyFor('c'));
    expect(await nextReload()).toMatchObject({ ok: true });
    expect(open()).toEqual(['c']);
    expect(files.problems()).toEqual([]);
  });

  test('and is told good again when the old text comes back', async () => {
    const file = join(place, 'policy.yaml');
    await writeFile(file, policyFor('a'));
    const { nextReload, files, open } = await follow(place, hour);
    await writeFile(file, 'rules: [');
    await nextReload();
    await writeFile(file, policyFor('a'));
    expect(await nextReload()).toMatchObject({ ok: true });
    expect(files.problems()).toEqual([]);
    expect(open()).toEqual(['a']);
  });

  test('also when the same text was only written again: nothing is reported', async () => {
    const file = join(place, 'policy.yaml');
    await writeFile(file, policyFor('a'));
    const { files, reloads } = await follow(place, hour);
    const before = files.current();
    await writeFile(file, policyFor('a'));
    await files.reload();
    expect(reloads).toEqual([]);
    expect(files.current()).toBe(before);
  });

  test('and a bad one is reported once, however often it is looked at', async () => {
    const file = join(place, 'policy.yaml');
    await writeFile(file, policyFor('a'));
    const { files, reloads } = await follow(place, hour);
    await writeFile(file, 'rules: [');
    for (let look = 0; look < 4; look++) await files.reload();
    expect(reloads).toHaveLength(1);
  });
});

describe('loading', () => {
  test('runs the tests in the files and counts what they expect', async () => {
    await writeFile(
      join(place, 'a.yaml'),
      `${policyFor('a')}tests: [{ name: t, as: anonymous, allow: [pull a], deny: [pull b, push a] }]\n`,
    );
    expect(await loadPolicy([place], 0)).toMatchObject({ ok: true, loaded: { testsPassed: 3 } });
  });

  test('names a revision that changes with any text and any file name, and with nothing else', async () => {
    const revision = async (): Promise<string> => {
      const loading = await loadPolicy([place], 0);
      return loading.ok ? loading.loaded.revision : 'none';
    };
    await writeFile(join(place, 'a.yaml'), policyFor('a'));
    const first = await revision();
    expect(await revision()).toBe(first);
    await writeFile(join(place, 'a.yaml'), `${policyFor('a')}#\n`);
    const second = await revision();
    await rename(join(place, 'a.yaml'), join(place, 'b.yaml'));
    expect(new Set([first, second, await revision()]).size).toBe(3);
  });
});

describe('a refused edit takes away and gives nothing', () => {
  const text = (dana: string, test = 'allow: [push a], deny: [push b]'): string => `
groups: { devs: , leads: }
users: { dana: { groups: [${dana}] }, eve: { groups: [devs] } }
rules:
  - { name: a, subjects: [group:devs], repositories: [a], actions: [push] }
  - { name: b, subjects: [group:leads], repositories: [a, b], actions: [push] }
  - { name: c, effect: deny, subjects: [everyone], except: [group:leads], repositories: [b], actions: [push] }
  - { name: d, effect: deny, subjects: [group:devs], repositories: [b], actions: [push] }
tests: [{ name: t, as: user:eve, ${test} }]
`;
  const may = (files: PolicyFiles, name: string, repository: string): boolean =>
    askedByName(files.current()).decide({ now: 0, principal: { kind: 'user', name }, action: 'push', repository })
      .allowed;

  test.each([
    [
      'a leaver whom a test names',
      'devs',
      text('devs').replace('eve: { groups: [devs] }', 'zoe: { groups: [devs, leads] }'),
      [
        ['eve', 'a'],
        ['zoe', 'a'],
      ],
    ],
    [
      'a membership that a test needs',
      'devs',
      text('devs').replace('eve: { groups: [devs] }', 'eve: { groups: [leads] }'),
      [
        ['eve', 'a'],
        ['eve', 'b'],
      ],
    ],
    ['a membership that a denial was about', 'devs, leads', text('leads', 'deny: [push a]'), [['dana', 'b']]],
    [
      'nobody who is disabled',
      'devs',
      text('devs', 'deny: [push a]').replace('{ groups: [devs] }', '{ groups: [devs], disabled: true }'),
      [['dana', 'a']],
    ],
  ] as const)('%s', async (_what, before, after, refused) => {
    const file = join(place, 'policy.yaml');
    await writeFile(file, text(before));
    const { files, nextReload } = await follow(place, hour);
    await writeFile(file, after);
    const result = await nextReload();
    expect(result).toMatchObject({
      ok: false,
      problems: expect.arrayContaining([expect.objectContaining({ code: 'taken-away' })]) as unknown,
    });
    for (const [name, repository] of refused) expect(may(files, name, repository), `${name} ${repository}`).toBe(false);
    await writeFile(file, 'rules: [');
    await nextReload();
    for (const [name, repository] of refused) expect(may(files, name, repository), `still ${name}`).toBe(false);
    await writeFile(file, text(before));
    await nextReload();
    expect(may(files, 'eve', 'a')).toBe(true);
  });

  test('over three edits in a row: what one took stays taken until an edit is accepted, and is told each time', async () => {
    const file = join(place, 'policy.yaml');
    const accounts = { dana: 'groups: [devs]', eve: 'groups: [devs]', zoe: 'groups: [devs]' };
    const fails = ['as: user:dana, deny: [push a]', 'as: user:eve, deny: [push a]', 'as: user:zoe, deny: [push a]'];
    const policy = (users: Readonly<Record<string, string>>, of = 'as: anonymous, deny: [push a]'): string =>
      `groups: { devs: }\nusers: { ${Object.entries(users)
        .map(([name, entry]) => `${name}: { ${entry} }`)
        .join(', ')} }
rules: [{ name: a, subjects: [group:devs], repositories: [a], actions: [push] }]
tests: [{ name: t, ${of} }]\n`;
    await writeFile(file, policy(accounts));
    const { files } = await follow(place, hour);
    const edits = [
      [policy({ dana: accounts.dana, zoe: accounts.zoe }, fails[0]), 'eve (1 of 3 accounts)', [true, false, true]],
      [policy({ ...accounts, zoe: 'disabled: true' }, fails[0]), 'eve, zoe (2 of 3 accounts)', [true, false, false]],
      [policy({ ...accounts, mallory: 'groups: [devs]' }, fails[1]), 'eve, zoe (2 of 3', [true, false, false]],
      ['rules: [', 'eve, zoe (2 of 3', [true, false, false]],
    ] as const;
    for (const [text, whose, allowed] of edits) {
      await writeFile(file, text);
      await files.reload();
      expect(files.problems()[0]?.message).toContain(`what refused edits took from ${whose}`);
      expect(['dana', 'eve', 'zoe'].map((name) => may(files, name, 'a'))).toEqual(allowed);
      expect(may(files, 'mallory', 'a')).toBe(false);
    }
    await writeFile(file, policy(accounts));
    await files.reload();
    expect(files.problems()).toEqual([]);
    expect(['dana', 'eve', 'zoe'].map((name) => may(files, name, 'a'))).toEqual([true, true, true]);
    await writeFile(file, policy(accounts, fails[2]));
    await files.reload();
    expect(files.problems()).toMatchObject([{ code: 'test-failed' }]);
  });

  test('from people outside, also where no account is declared', async () => {
    const file = join(place, 'policy.yaml');
    const good = 'rules: [{ name: a, subjects: [authenticated], repositories: [a], actions: [push] }]\n';
    await writeFile(file, good);
    const { files } = await follow(place, hour);
    await writeFile(
      file,
      `${good}users: { zoe: { disabled: true } }\ntests: [{ name: t, as: anonymous, allow: [push a] }]\n`,
    );
    await files.reload();
    expect(files.problems()[0]).toMatchObject({
      code: 'taken-away',
      message: 'what refused edits took from zoe is gone until an edit is accepted',
    });
    expect(nameInFiles(files.current().policy, 'ldap', 'Zoe').disabled).toBe(true);
    await writeFile(file, 'rules: [');
    await files.reload();
    expect(nameInFiles(files.current().policy, 'ldap', 'Zoe').disabled).toBe(true);
    await writeFile(file, good);
    await files.reload();
    expect(nameInFiles(files.current().policy, 'ldap', 'zoe').disabled).toBe(false);
  });

  describe('from a file of which nobody can make a policy', () => {
    const people = (users: string): string => `groups: { devs: }\nusers:\n${users}`;
    const rules = 'rules:\n  - { name: a, subjects: [group:devs], repositories: [a], actions: [push] }\n';
    const dana = '  dana: { groups: [devs] }\n';
    const eve = '  eve: { groups: [devs] }\n';

    test.each([
      ['a rule has a wrong key', rules.replace('name:', 'title:')],
      ['a rule has a pattern that is none', rules.replace('[a]', '["a//b"]')],
      ['a limit has no rate', `${rules}limits: [{ name: l }]\n`],
      ['a test asks nothing that can be asked', `${rules}tests: [{ name: t, as: anonymous, allow: [fly] }]\n`],
      ['rules are no list', 'rules: { }\n'],
    ])('where accounts can be read and %s', async (_what, broken) => {
      const file = join(place, 'policy.yaml');
      await writeFile(file, `${people(dana + eve)}${rules}`);
      const { files } = await follow(place, hour);
      await writeFile(file, `${people(dana)}${broken}`);
      await files.reload();
      expect(files.problems()[0]).toMatchObject({ code: 'taken-away' });
      expect([may(files, 'dana', 'a'), may(files, 'eve', 'a')]).toEqual([true, false]);
    });

    const unclear: readonly (readonly [what: string, text: string, other?: string])[] = [
      ['the file does not parse', `${people(dana)}rules: [\n`],
      ['an account has a wrong key', `${people(`${dana}  zoe: { group: [devs] }\n`)}${rules}`],
      ['a password cannot be used', `${people(`${dana}  zoe: { password: plain }\n`)}${rules}`],
      ['an account is declared twice', `${people(dana)}robots: { dana: {} }\n${rules}`],
      ['a section of accounts is misspelt', `${people(dana + eve).replace('users:', 'user:')}${rules}`],
      ['a section of accounts is empty', `${people('')}${rules}`],
      [
        'a section of accounts slid into a rule',
        `groups: { devs: }\nrules:\n  - name: a\n    subjects: [group:devs]\n    repositories: [a]\n    actions: [push]\n    users: { dana: }\n`,
      ],
      ['the file is empty', ''],
      ['another file does not parse', `${people(dana)}${rules}`, 'rules: ['],
      ['another file is no text', `${people(dana)}${rules}`, '\u0000'],
    ];
    test.each(unclear.map(([what, text, other = 'rules: []\n']) => [what, text, other] as const))(
      'but not where %s: nobody knows whom it means, and that is said',
      async (_what, text, other) => {
        const file = join(place, 'policy.yaml');
        await writeFile(file, `${people(dana + eve)}${rules}`);
        const { files } = await follow(place, hour);
        await writeFile(join(place, 'other.yaml'), other);
        await writeFile(file, text);
        await files.reload();
        expect(files.problems().at(-1)?.message).toContain('no account loses anything by this edit');
        expect([may(files, 'dana', 'a'), may(files, 'eve', 'a')]).toEqual([true, true]);
      },
    );
  });

  test('unless more than half of all accounts, and more than ten, would lose something', async () => {
    const crowd = (names: readonly string[]): string =>
      `groups: { devs: }\nusers:\n${names.map((name) => `  ${name}: { groups: [devs] }\n`).join('')}rules: [{ name: r, subjects: [group:devs], repositories: [a], actions: [push] }]\ntests: [{ name: t, as: user:u0, allow: [push a] }]\n`;
    const names = Array.from({ length: 20 }, (_, n) => `u${n}`);
    const file = join(place, 'policy.yaml');
    await writeFile(file, crowd(names));
    const { files, nextReload } = await follow(place, hour);
    await writeFile(file, crowd(names.slice(15)));
    const { problems } = { problems: [], ...(await nextReload()) };
    expect(problems[0]).toMatchObject({ code: 'not-taken' });
    expect(may(files, 'u0', 'a')).toBe(true);
    await writeFile(file, crowd(names.slice(1)));
    await nextReload();
    expect(may(files, 'u0', 'a')).toBe(false);
    expect(may(files, 'u1', 'a')).toBe(true);
  });
});

describe('a file that was cut off', () => {
  const rule = (name: string, repository: string): string => `  - name: ${name}
    subjects: [everyone]
    repositories: [${repository}]
    actions: [pull]
`;
  const whole = `rules:\n${rule('a', 'a')}${rule('b', 'b')}${rule('c', 'b')}    effect: deny\n`;
  const cut = whole.slice(0, whole.indexOf('    effect'));

  test('and says something weaker is refused, as often as it is read, and told what to do', async () => {
    const file = join(place, 'policy.yaml');
    await writeFile(file, whole);
    const { files, open, reloads } = await follow(place, hour);
    expect(open()).toEqual(['a']);
    await writeFile(file, cut);
    for (let look = 0; look < 3; look++) await files.reload();
    expect(files.problems()).toMatchObject([{ file, code: 'cut-off', line: 14 }]);
    expect(reloads).toHaveLength(1);
    expect(open()).toEqual(['a']);
    await writeFile(file, `${cut}# end\n`);
    await files.reload();
    expect(files.problems()).toEqual([]);
    expect(open()).toEqual(['a', 'b']);
  });

  test('is not one whose last rule somebody removed', async () => {
    const file = join(place, 'policy.yaml');
    await writeFile(file, whole);
    const { files, open } = await follow(place, hour);
    await writeFile(file, whole.slice(0, whole.indexOf('  - name: c')));
    await files.reload();
    expect(files.problems()).toEqual([]);
    expect(open()).toEqual(['a', 'b']);
    await writeFile(file, whole.slice(0, whole.indexOf('  - name: b')));
    await files.reload();
    expect(files.problems()).toEqual([]);
    expect(open()).toEqual(['a']);
  });

  test('is not known as one at the start: nothing is known then', async () => {
    await writeFile(join(place, 'policy.yaml'), cut);
    expect(await loadPolicy([place], 0)).toMatchObject({ ok: true });
  });
});
