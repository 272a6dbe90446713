import { expect, test } from 'vitest';
import { lintPolicy } from '../../../src/policy/analysis/lint.ts';
import { explain } from '../../../src/policy/analysis/explain.ts';
import { compileByName } from '../../../src/policy/by-name.ts';
import { readPolicy } from '../../support/policies.ts';

const rule = (text: string): string => `rules: [{ name: r, ${text} }]`;
const push = 'subjects: [group:devs], repositories: ["a/**"], actions: [push]';
const sha = 'a'.repeat(64);

function notesOf(...texts: readonly string[]): readonly string[] {
  return lintPolicy(readPolicy(...texts), 0).notes.map(({ code, message }) => `${code} ${message}`);
}

const cases: readonly (readonly [what: string, texts: readonly string[], code: string, words: string])[] = [
  [
    'a group that no rule or limit names',
    ['groups: { devs: }\nusers: { dana: { groups: [devs] } }', 'rules: []'],
    'unused-group',
    '"devs"',
  ],
  [
    'a group that an account lists twice',
    [`${rule(push)}\ngroups: { devs: }\nusers: { dana: { groups: [devs, devs] } }`],
    'listed-twice',
    'user "dana" lists group:devs twice',
  ],
  [
    'a group that a rule lists twice',
    [
      `${rule(push.replace('group:devs', 'group:devs, group:devs'))}\ngroups: { devs: }\nusers: { dana: { groups: [devs] } }`,
    ],
    'listed-twice',
    'rule "r" lists group:devs twice',
  ],
  [
    'a denial of what no rule allows',
    [rule('effect: deny, subjects: [everyone], repositories: ["b/**"], actions: [push]')],
    'idle-deny',
    'rule "r"',
  ],
  [
    'a secret that reaches everywhere and never expires',
    [`robots: { ci: { tokens: [{ id: k3v9, sha256: ${sha} }] } }`],
    'endless-secret',
    'secret "k3v9" of robot "ci"',
  ],
  [
    'a group that may delete everywhere',
    [
      `${rule(push.replace('a/**', '**').replace('push', 'delete'))}\ngroups: { devs: }\nusers: { dana: { groups: [devs] } }`,
    ],
    'over-broad',
    'lets group:devs delete in every repository',
  ],
  [
    'an account whose own corner no repository can be called',
    [
      `${rule(push.replace('a/**', 'people/${account}/**'))}\ngroups: { devs: }\nusers: { Dana: { groups: [devs] }, "bob@example": { groups: [devs] }, eve: { groups: [devs] } }`,
    ],
    'account-name',
    'gives nothing to Dana, bob@example:',
  ],
  [
    'a robot whose own tags no tag can be called',
    [`${rule(`${push}, tags: ["\${account}-*"]`)}\ngroups: { devs: }\nrobots: { "ci+1": { groups: [devs] } }`],
    'account-name',
    'gives nothing to ci+1:',
  ],
];
test.each(cases)('a note tells of %s', (_what, texts, code, words) => {
  const found = notesOf(...texts).filter((note) => note.startsWith(`${code} `));
  expect(found).toHaveLength(1);
  expect(found[0]).toContain(words);
});

test('nothing is said of groups, secrets and denials that do something', () => {
  const rules = `rules:
  - { name: a, ${push} }
  - { name: b, effect: deny, subjects: [everyone], repositories: ["a/x/**"], actions: [overwrite] }
  - { name: c, effect: deny, subjects: [everyone], repositories: ["a/x/**"], actions: [pull] }
  - { name: d, subjects: [group:devs], repositories: ["p/\${account}"], actions: [pull] }
groups: { devs: }
users: { dana: { groups: [devs] } }
robots: { ci: { groups: [devs], tokens: [{ id: k3v9, sha256: ${sha}, expires: 2030-01-01 }] } }`;
  expect(notesOf(rules)).toEqual([]);
});

test('a group that may delete everywhere but what a denial keeps is as its writer meant it', () => {
  const rules = `rules:
  - { name: a, ${push.replace('a/**', '**').replace('push', 'push, delete')} }
  - { name: b, effect: deny, subjects: [everyone], repositories: ["release/**"], tags: ["v*"], actions: [delete] }
groups: { devs: }
users: { dana: { groups: [devs] } }`;
  expect(notesOf(rules)).toEqual([]);
  expect(notesOf(rules.replace('effect: deny,', 'effect: deny, mode: shadow,')).join()).toContain('over-broad');
});

test('an explanation says that no repository can hold the account name', () => {
  const policy = readPolicy(
    `${rule(push.replace('a/**', 'people/${account}/**'))}\ngroups: { devs: }\nusers: { Dana: { groups: [devs] } }`,
  );
  const said = explain(compileByName(policy), {
    principal: { kind: 'user', name: 'Dana' },
    action: 'push',
    repository: 'people/dana/x',
    now: 0,
  });
  expect(JSON.stringify(said)).toContain('which no repository name can hold');
});
