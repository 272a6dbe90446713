import { readFileSync, readdirSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { lintPolicy } from '../../../src/policy/analysis/lint.ts';
import { readPolicy } from '../../support/policies.ts';

const now = Date.parse('2026-06-03T12:00:00Z');
const people = `
users: { rita: { groups: [managers] }, both: { groups: [builders, keepers] }, gus: { groups: [break-glass] } }
groups: { managers: , builders: , keepers: , break-glass: , people: }
`;
const rules = {
  build: 'name: build, subjects: [group:builders], repositories: ["integration/**"], actions: [push]',
  promote: 'name: promote, subjects: [group:managers], repositories: ["release/**"], actions: [pull, promote]',
  freeze:
    'name: freeze, effect: deny, subjects: [everyone], repositories: ["release/**"], actions: [push], when: { after: 2026-12-24 }',
};
const gate = 'name: approved, repositories: ["release/**"], from: ["integration/**"]';

/** `code: message` of what has to do with gates, problems first. */
function lint(ruleTexts: readonly string[], gates: readonly string[]): readonly string[] {
  const list = (texts: readonly string[]): string => texts.map((text) => `  - { ${text} }\n`).join('') || '  []\n';
  const { problems, notes } = lintPolicy(readPolicy(`${people}rules:\n${list(ruleTexts)}gates:\n${list(gates)}`), now);
  const others = new Set(['unused-group', 'no-members', 'idle-deny', 'shadow-rule']);
  return [
    ...problems.map(({ code, message }) => `PROBLEM ${code}: ${message}`),
    ...notes.filter(({ code }) => !others.has(code)).map(({ code, message }) => `${code}: ${message}`),
  ];
}

const good = [rules.build, rules.promote, rules.freeze];

describe('a gate', () => {
  const cases: readonly (readonly [
    promise: string,
    rules: readonly string[],
    gates: readonly string[],
    found: readonly string[],
  ])[] = [
    ['is fine where somebody fills what it looks in and somebody meets it', good, [gate], []],
    [
      'that looks where nobody may push is told',
      [rules.promote],
      [gate],
      ['unfilled-gate: gate "approved" lets nothing pass: nobody may push or promote to integration/**'],
    ],
    [
      'that looks under tags that nobody may push is told',
      [`${rules.build}, tags: ["build-*"]`, rules.promote],
      [`${gate}, fromTags: ["approved-*", ok]`],
      [
        'unfilled-gate: gate "approved" lets nothing pass: nobody may push or promote to integration/** under a tag approved-* or ok',
      ],
    ],
    [
      'is fine where tags meet in part, and where what it looks for is promoted there',
      [`${rules.build.replace('push', 'promote')}, tags: ["approved-1*"]`, rules.promote],
      [`${gate}, fromTags: ["approved-*"]`],
      [],
    ],
    [
      'that looks where a denial stops everybody is told',
      [
        ...good,
        'name: shut, effect: deny, subjects: [everyone], except: [group:people], repositories: ["integration/**"], actions: [push]',
      ],
      [gate],
      ['unfilled-gate: gate "approved" lets nothing pass: nobody may push or promote to integration/**'],
    ],
    [
      'is fine where only somebody in two groups fills it, and where it is closed for some time only',
      [
        ...good,
        'name: shut, effect: deny, subjects: [everyone], except: [group:keepers], repositories: ["integration/**"], actions: [push]',
        'name: summer, effect: deny, subjects: [everyone], repositories: ["integration/**"], actions: [push], when: { after: 2026-06-01 }',
      ],
      [gate],
      [],
    ],
    [
      'of which one source is empty for ever is told, by that source',
      good,
      ['name: approved, repositories: ["release/**"], from: ["integration/**", "vault/**"]'],
      ['unfilled-gate: gate "approved" looks in vain: nobody may push or promote to vault/**'],
    ],
    [
      'that stands where nobody may write is told',
      good,
      [gate, `${gate.replace('approved', 'locked').replace('release/**', 'vault/**')}, tags: [v*]`],
      ['idle-gate: gate "locked" stands where nobody may push or promote under a tag v*, so it changes nothing today'],
    ],
    [
      'about tags under which nobody may write is told',
      [rules.build, `${rules.promote}, tags: ["v*"]`],
      [`${gate}, tags: ["x*"]`],
      [
        'idle-gate: gate "approved" stands where nobody may push or promote under a tag x*, so it changes nothing today',
      ],
    ],
    [
      'whose exceptions are all who may write is told',
      good,
      [`${gate}, except: [group:managers]`],
      ['idle-gate: gate "approved" stops nobody: all who may push or promote there are in its `except`'],
    ],
    [
      'is fine where one of those who write is not an exception',
      [...good, 'name: people, subjects: [group:people], repositories: ["release/**"], actions: [push]'],
      [`${gate}, except: [group:managers]`],
      [],
    ],
    [
      'that leaves out everybody is a mistake',
      good,
      [`${gate}, except: [everyone]`],
      ['PROBLEM unreachable: gate "approved" stops nobody: its `except` names everybody'],
    ],
    [
      'that leaves out whoever is logged in and whoever is not is one, too',
      good,
      [`${gate}, except: [authenticated, anonymous]`],
      ['PROBLEM unreachable: gate "approved" stops nobody: its `except` names everybody'],
    ],
    [
      'that names what no repository can be called is a mistake',
      good,
      [gate.replace('integration/**', 'integration-/**')],
      ['PROBLEM unreachable: gate "approved" names "integration-/**", which no repository can be called'],
    ],
    [
      'in shadow mode is told',
      good,
      [`${gate}, mode: shadow`],
      ['shadow-gate: gate "approved" is in shadow mode: it refuses nothing, and only logs what it would'],
    ],
  ];
  test.each(cases)('%s', (_promise, ruleTexts, gates, found) => {
    expect(lint(ruleTexts, gates)).toEqual(found);
  });
});

describe('an area without a gate beside one with a gate', () => {
  const other = (repositories: string, actions: string): string =>
    `name: other, subjects: [group:people], repositories: [${repositories}], actions: [${actions}]`;
  const told = (what: string, where: string): string =>
    `ungated-area: rule "other" lets somebody ${what} to ${where}, where no gate stands as gate "approved" (0.yaml:10) does elsewhere`;

  test.each([
    ['promoted to', '"public/**"', 'promote', 'promote', 'public/**'],
    ['named alike', '"release-eu/**"', 'push', 'push', 'release-eu/**'],
    ['named as several', '"releases/**"', 'create', 'create', 'releases/**'],
    ['one of those of a rule', '"release/**", "release2/**"', 'pull, promote', 'promote', 'release2/**'],
  ])('is told where it is %s', (_what, repositories, actions, what, where) => {
    expect(lint([...good, other(repositories, actions)], [gate])).toEqual([told(what, where)]);
  });

  test.each([
    ['only read', other('"public/**", "release-eu/**"', 'pull')],
    ['pushed to for another purpose', other('"sandbox/**"', 'push')],
    ['somebody’s own', other('"people/${account}/**"', 'push, promote')],
    ['what images come from', other('"integration/**"', 'push, promote')],
    ['gated by a wider pattern or in part', other('"**"', 'push, promote')],
    ['not open yet', `${other('"public/**"', 'promote')}, mode: shadow`],
    ['closed', `${other('"release-eu/**"', 'push')}, effect: deny`],
  ])('is not told where it is %s', (_what, rule) => {
    expect(lint([...good, rule], [gate])).toEqual([]);
  });

  test('is not told where there is no gate at all', () => {
    expect(lint([...good, other('"public/**"', 'promote')], [])).toEqual([]);
  });
});

describe('a freeze', () => {
  const freeze = (more: string, actions: string): string =>
    `name: freeze, effect: deny, subjects: [everyone], repositories: ["release/**"], actions: [${actions}], when: { days: [sat, sun] }${more}`;
  const leaks = (what: string, gap: string): readonly string[] => [
    `leaky-freeze: rule "freeze" holds back ${what} for some time, but promotions ${gap} go on (rule "promote")`,
  ];
  const cases: readonly (readonly [
    promise: string,
    freezes: readonly string[],
    found: readonly string[],
    promote?: string,
  ])[] = [
    ['of pushing stops promotions, too', [freeze('', 'push, delete')], []],
    ['of promoting does', [freeze('', 'promote')], []],
    ['of both halves of pushing does', [freeze('', 'create, overwrite')], []],
    ['of overwriting only is told', [freeze('', 'overwrite, delete')], leaks('overwrite', 'to new tags')],
    ['of creating only is told', [freeze('', 'create')], leaks('create', 'over tags that exist')],
    ['of creating only that denies promoting is not', [freeze('', 'create, promote')], []],
    [
      'of which another rule freezes the other half is not',
      [freeze('', 'create'), freeze('', 'overwrite').replace('freeze', 'other')],
      [],
    ],
    [
      'whose other half stops at another time is told',
      [freeze('', 'create'), freeze('', 'overwrite').replace('freeze', 'other').replace('sat', 'fri')],
      [
        ...leaks('create', 'over tags that exist'),
        'leaky-freeze: rule "other" holds back overwrite for some time, but promotions to new tags go on (rule "promote")',
      ],
    ],
    ['of certain tags is told', [freeze(', tags: ["v*"]', 'push')], leaks('push', 'under other tags than v*')],
    [
      'of certain tags is not where no others may be promoted',
      [freeze(', tags: ["v*"]', 'push')],
      [],
      `${rules.promote}, tags: ["v1*"]`,
    ],
    ['that leaves out whoever promotes is not', [freeze(', except: [group:managers]', 'overwrite')], []],
    ['without an end or a beginning is no freeze', [freeze('', 'overwrite').replace(/, when.*\}/, '')], []],
    ['in shadow mode is not told', [freeze(', mode: shadow', 'overwrite')], []],
    ['of deletions only is not', [freeze('', 'delete')], []],
    ['is not where nobody may promote', [freeze('', 'overwrite')], [], rules.promote.replace('promote]', 'push]')],
    [
      'is not where promotions go elsewhere',
      [freeze('', 'overwrite')],
      [],
      rules.promote.replace('release/**', 'integration/**'),
    ],
  ];
  for (const [promise, freezes, found, promote = rules.promote] of cases) {
    test(promise, () => expect(lint([rules.build, promote, ...freezes], [])).toEqual(found));
  }
});

describe('rules about promoting', () => {
  test('are overruled by a denial of all pushing', () => {
    const shut = 'name: shut, effect: deny, subjects: [everyone], repositories: ["release/**"], actions: [push]';
    const promote = rules.promote.replace('pull, ', '');
    expect(lint([promote, shut], [])[0]).toMatch(/^PROBLEM shadowed: rule "promote" never allows anything/);
    expect(lint([promote, shut.replace('push', 'overwrite')], [])).toEqual([]);
  });

  test('are met by a denial of pushing, which is not idle then', () => {
    const { notes } = lintPolicy(readPolicy(`${people}rules: [{ ${rules.promote} }, { ${rules.freeze} }]`), now);
    expect(notes.map(({ code }) => code)).not.toContain('idle-deny');
  });

  test('open too much to strangers', () => {
    expect(lint([rules.promote.replace('group:managers', 'everyone')], [])).toEqual([
      'PROBLEM over-broad: rule "promote" lets everyone promote without logging in',
    ]);
  });
});

test('a group that only a gate names is not unused, and one that it names twice is told', () => {
  const text = `${people}rules: [{ ${rules.build} }]\ngates: [{ ${gate}, except: [group:break-glass, group:break-glass] }]`;
  const messages = lintPolicy(readPolicy(text), now).notes.map(({ message }) => message);
  expect(messages.filter((message) => message.includes('gives nothing')).join()).not.toContain('break-glass');
  expect(messages).toContain('gate "approved" lists group:break-glass twice');
});

test('the policies that come with the product have gates, and nothing to note of them', () => {
  const directory = new URL('../../../policies/', import.meta.url);
  const texts = readdirSync(directory)
    .filter((name) => name.endsWith('.yaml'))
    .map((name) => readFileSync(new URL(name, directory), 'utf8'));
  const policy = readPolicy(...texts);
  const { problems, notes } = lintPolicy(policy, now);
  expect(policy.gates.length).toBe(2);
  expect([problems, notes.map(({ code }) => code)]).toEqual([[], ['no-members']]);
});
