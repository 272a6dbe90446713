import { readFileSync, readdirSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { lintPolicy } from '../../../src/policy/analysis/lint.ts';
import { readPolicy } from '../../support/policies.ts';

const head = `
users: { dana: { groups: [devs] }, olaf: {} }
groups: { devs: , empty: }
rules:
`;
const now = Date.parse('2026-06-03T12:00:00Z');

function lint(...rules: readonly string[]): readonly string[] {
  const text = head + rules.map((rule, index) => `  - { name: r${index}, ${rule} }\n`).join('');
  const { problems, notes } = lintPolicy(readPolicy(text), now);
  return [
    ...problems.map(({ code, message }) => `${code} ${/^rule "(\w+)"/.exec(message)?.[1] ?? message}`),
    ...notes
      // The rules here do not stand for a whole policy.
      .filter(({ code }) => code !== 'unused-group' && code !== 'idle-deny')
      .map(({ code, message }) => `note ${code} ${/^rule "(\w+)"/.exec(message)?.[1] ?? message}`),
  ];
}

const allow = 'subjects: [group:devs], repositories: ["a/b/**"], actions: [pull, push]';

describe('a lint', () => {
  const cases: readonly (readonly [promise: string, rules: readonly string[], found: readonly string[]])[] = [
    ['finds nothing in rules that each do something', [allow], []],
    [
      'finds an allowance that an unconditional denial takes back whole',
      [allow, 'effect: deny, subjects: [everyone], repositories: ["a/**"], actions: [pull, push]'],
      ['shadowed r0'],
    ],
    [
      'finds it where two denials take it back together',
      [
        allow,
        'effect: deny, subjects: [everyone], repositories: ["**"], actions: [pull]',
        'effect: deny, subjects: [authenticated], repositories: ["a/*/**"], actions: [push]',
      ],
      ['shadowed r0'],
    ],
    [
      'lets stand what is taken back in part, for some, for some tags or at some times only',
      [
        allow,
        'effect: deny, subjects: [everyone], repositories: ["a/**"], actions: [push]',
        'effect: deny, subjects: [everyone], repositories: ["a/b/c/**"], actions: [pull, push]',
        'effect: deny, subjects: [everyone], except: [user:dana], repositories: ["a/**"], actions: [pull, push]',
        'effect: deny, subjects: [everyone], repositories: ["a/**"], tags: ["v*"], actions: [pull, push]',
        'effect: deny, subjects: [everyone], repositories: ["a/**"], actions: [pull, push], when: { days: [sat] }',
        'effect: deny, mode: shadow, subjects: [everyone], repositories: ["a/**"], actions: [pull, push]',
      ],
      ['note shadow-rule r6'],
    ],
    ['finds a rule said twice, and reports the later one', [allow, allow], ['duplicate r1']],
    [
      'finds a rule that a broader one of the same effect covers',
      [
        'subjects: [user:dana], repositories: ["a/b/*", "a/b/c/d"], tags: ["v1*"], actions: [push]',
        'subjects: [group:devs], repositories: ["a/b/**"], tags: ["v*"], actions: [pull, push]',
      ],
      ['shadowed r0'],
    ],
    [
      'does not take a narrower, conditional or excepting rule for one that covers',
      [
        allow,
        'subjects: [group:devs], repositories: ["a/b/**"], actions: [pull, push, delete], when: { days: [sat] }',
        'subjects: [authenticated], except: [user:dana], repositories: ["a/**"], actions: [pull, push, delete]',
        'subjects: [user:dana], repositories: ["a/**"], actions: [pull, push, delete]',
        'subjects: [group:devs], repositories: ["a/*/c/**"], actions: [pull, push, delete]',
      ],
      [],
    ],
    [
      'finds a rule whose exceptions leave nobody',
      ['subjects: [user:dana, group:devs], except: [group:devs], repositories: [x], actions: [pull]'],
      ['unreachable r0'],
    ],
    [
      'finds ${account} where nobody has a name',
      ['subjects: [anonymous], repositories: ["p/${account}"], actions: [pull]'],
      ['unreachable r0'],
    ],
    [
      'finds a name that no repository can have',
      ['subjects: [group:devs], repositories: ["a/_b/**"], actions: [pull]'],
      ['unreachable r0'],
    ],
    [
      'finds that tags never keep anybody from inspecting or administering',
      [
        'effect: deny, subjects: [group:devs], repositories: ["a/**"], tags: ["v*"], actions: [inspect, administer, catalog]',
        'subjects: [group:devs], repositories: ["a/**"], tags: ["v*"], actions: [pull, inspect]',
      ],
      ['unreachable r0', 'note tags-ignored r1'],
    ],
    [
      'finds administering that nobody can do: elsewhere than everywhere, and by machines',
      [
        'subjects: [group:devs], repositories: ["a/**"], actions: [administer]',
        'subjects: [group:devs], repositories: ["b/**"], actions: [pull, administer]',
        'subjects: [group:devs], repositories: ["**"], actions: [administer]',
      ],
      ['unreachable r0', 'note idle-administer r1'],
    ],
    [
      'finds inspecting by strangers and administering by everybody, and notes inspecting by all who log in',
      [
        'subjects: [everyone], repositories: ["a/**"], actions: [inspect]',
        'subjects: [authenticated], repositories: ["**"], actions: [administer]',
        'subjects: [authenticated], repositories: ["b/**"], actions: [inspect]',
      ],
      ['over-broad r0', 'over-broad r1', 'note over-broad r2'],
    ],
    [
      'finds deletion of everything by everybody who logs in',
      ['subjects: [authenticated], repositories: ["**"], actions: [pull, delete]'],
      ['over-broad r0'],
    ],
    [
      'finds writing without a login, and only notes it within named networks',
      [
        'subjects: [anonymous], repositories: ["a/**"], actions: [pull, push]',
        'subjects: [everyone], repositories: ["b/**"], actions: [push], when: { addresses: [10.0.0.0/8] }',
      ],
      ['over-broad r0', 'note over-broad r1'],
    ],
    [
      'notes everything open to strangers, but not a public corner',
      [
        'subjects: [everyone], repositories: ["**"], actions: [pull]',
        'subjects: [anonymous], repositories: ["public/**"], actions: [catalog]',
      ],
      ['note over-broad r0', 'note over-broad r1'],
    ],
    ['accepts a public corner', ['subjects: [everyone], repositories: ["public/**"], actions: [pull]'], []],
    [
      'notes deletion of everything by a group',
      ['subjects: [group:devs], repositories: ["**"], actions: [delete]'],
      ['note over-broad r0'],
    ],
    [
      'notes rules for groups that nobody is in',
      ['subjects: [group:empty], repositories: [x], actions: [pull]'],
      ['note no-members r0'],
    ],
    [
      'notes a rule whose time is over',
      ['subjects: [user:dana], repositories: [x], actions: [pull], when: { before: 2026-01-01 }'],
      ['note expired r0'],
    ],
    [
      'lists shadow rules',
      ['mode: shadow, subjects: [user:dana], repositories: [x], actions: [pull]'],
      ['note shadow-rule r0'],
    ],
  ];
  test.each(cases)('%s', (_promise, rules, found) => {
    expect(lint(...rules)).toEqual(found);
  });

  const budget = 'subjects: [group:devs], count: pull, per: account';
  const limits: readonly (readonly [promise: string, limits: readonly string[], found: readonly string[]])[] = [
    [
      'finds nothing in limits that each can be the one that answers',
      [`${budget}, rate: 1000/6h`, `${budget}, rate: 10/1s`],
      [],
    ],
    [
      'finds a limit said twice, and reports the later one',
      [`${budget}, rate: 60/1m`, `${budget}, rate: 60/60s`],
      ['duplicate l1'],
    ],
    [
      'finds a limit that a tighter one for more people outdoes',
      [`${budget}, rate: 1000/6h, burst: 50`, 'subjects: [authenticated], count: pull, per: account, rate: 10/1h'],
      ['shadowed l0'],
    ],
    [
      'keeps a limit that is tighter in its rate or in its burst',
      [`${budget}, rate: 100/1m, burst: 10`, `${budget}, rate: 20/1h`, `${budget}, rate: 60/1m, burst: 15`],
      [],
    ],
    [
      'keeps a limit beside tighter ones that count something else or for others, or in shadow mode',
      [
        `${budget}, rate: 1000/6h`,
        'subjects: [everyone], count: push, per: account, rate: 1/1h',
        'subjects: [everyone], count: pull, per: address, rate: 1/1h',
        'subjects: [user:dana], count: pull, per: account, rate: 1/1h',
        'subjects: [authenticated], except: [user:dana], count: pull, per: account, rate: 1/1h',
        'mode: shadow, subjects: [group:devs], count: pull, per: account, rate: 1/1h',
      ],
      ['note shadow-limit l5'],
    ],
    [
      'finds a shadow limit that an enforced one outdoes',
      [`${budget}, rate: 10/1h`, `mode: shadow, ${budget}, rate: 20/1h`],
      ['shadowed l1', 'note shadow-limit l1'],
    ],
    [
      'finds a limit whose exceptions leave nobody',
      ['subjects: [user:dana, group:devs], except: [group:devs], count: pull, per: account, rate: 1/1h'],
      ['unreachable l0'],
    ],
    [
      'notes limits for groups that nobody is in',
      ['subjects: [group:empty], count: pull, per: account, rate: 1/1h'],
      ['note no-members l0'],
    ],
  ];
  test.each(limits)('%s', (_promise, entries, found) => {
    const text = `${head.replace('rules:', 'limits:')}${entries.map((entry, index) => `  - { name: l${index}, ${entry} }\n`).join('')}`;
    const { problems, notes } = lintPolicy(readPolicy(text), now);
    const named = (message: string): string => /^limit "(\w+)"/.exec(message)?.[1] ?? message;
    expect([
      ...problems.map(({ code, message }) => `${code} ${named(message)}`),
      ...notes
        // The rules here do not stand for a whole policy.
        .filter(({ code }) => code !== 'unused-group' && code !== 'idle-deny')
        .map(({ code, message }) => `note ${code} ${named(message)}`),
    ]).toEqual(found);
  });

  test('says which limit is in the way of another, and where it stands', () => {
    const [a, b] = [`${budget}, rate: 60/1m`, `${budget}, rate: 30/1m`];
    const text = `${head.replace('rules:', 'limits:')}  - { name: a, ${a} }\n  - { name: b, ${b} }\n`;
    expect(lintPolicy(readPolicy(text), now).problems).toEqual([
      {
        file: '0.yaml',
        line: 5,
        column: 5,
        code: 'shadowed',
        message: 'limit "a" never answers: limit "b" (0.yaml:6) counts all of it and is at least as tight',
        fix: 'remove one of the two',
      },
    ]);
  });

  test('stands where the rule stands and names the other one with its place', () => {
    const [problem] = lintPolicy(
      readPolicy(`${head}  - { name: a, ${allow} }\n  - { name: b, ${allow} }\n`),
      now,
    ).problems;
    expect(problem).toEqual({
      file: '0.yaml',
      line: 6,
      column: 5,
      code: 'duplicate',
      message: 'rule "b" says the same as rule "a" (0.yaml:5)',
      fix: 'remove one of the two',
    });
  });

  test('has no complaint about the policies that come with the product', () => {
    const directory = new URL('../../../policies/', import.meta.url);
    const texts = readdirSync(directory)
      .filter((name) => name.endsWith('.yaml'))
      .map((name) => readFileSync(new URL(name, directory), 'utf8'));
    expect(lintPolicy(readPolicy(...texts), now).problems).toEqual([]);
  });
});
