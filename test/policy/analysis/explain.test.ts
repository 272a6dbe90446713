import { describe, expect, test } from 'vitest';
import { type Inquiry, isMatching } from '../../../src/policy/analysis/consider.ts';
import { type Explanation, explain } from '../../../src/policy/analysis/explain.ts';
import type { Action } from '../../../src/policy/model.ts';
import { anonymous, compile, user } from '../../support/policies.ts';

const people = `
users:
  dana: { groups: [developers] }
  rita: { groups: [managers, developers] }
  gone: { disabled: true }
groups:
  developers:
  managers:
`;
const rules = `
rules:
  - { name: share, subjects: [group:developers], repositories: ["sandbox/**"], actions: [pull, push] }
  - { name: publish, subjects: [group:managers], repositories: ["release/**"], actions: [pull, push] }
  - { name: immutable, effect: deny, subjects: [everyone], repositories: ["release/**"], tags: ["v*"], actions: [overwrite] }
  - { name: nights, subjects: [group:developers], repositories: ["nightly/**"], actions: [push], when: { hours: "18:00-06:00", zone: Europe/Berlin } }
  - { name: office, subjects: [group:developers], repositories: ["office/**"], actions: [push], when: { addresses: [10.0.0.0/8] } }
  - { name: drop-box, subjects: [group:developers], repositories: ["drop/**"], actions: [push] }
  - { name: no-locked, effect: deny, subjects: [everyone], except: [group:managers], repositories: ["sandbox/locked/**"], actions: [push] }
  - { name: soon, effect: deny, mode: shadow, subjects: [everyone], repositories: ["sandbox/**"], actions: [push] }
  - { name: own, subjects: [authenticated], repositories: ["people/\${account}/**"], actions: [pull] }
`;
const compiled = compile(people, rules);
const noon = Date.parse('2026-06-03T10:10:00Z');

function ask(who: Inquiry['principal'], action: Action, target: string, more: Partial<Inquiry> = {}): Explanation {
  const [repository = '', tag] = target.split(':');
  return explain(compiled, { principal: who, action, repository, tag, now: noon, ...more });
}

function nearMisses(explanation: Explanation): readonly string[] {
  return explanation.nearMisses.map(({ rule, failures }) => `${rule.name}: ${failures.map(({ why }) => why).join()}`);
}

describe('an explanation', () => {
  test('names the rule that allows and where it stands', () => {
    const { allowed, rule, reason } = ask(user('dana'), 'push', 'sandbox/app:1.0');
    expect({ allowed, rule: rule?.name, reason }).toEqual({
      allowed: true,
      rule: 'share',
      reason: 'rule "share" (1.yaml:3) allows it',
    });
  });

  test('names the rule that forbids, and keeps the one that would have allowed as matching', () => {
    const { allowed, rule, considered, nearMisses: misses } = ask(user('dana'), 'push', 'sandbox/locked/app');
    expect([allowed, rule?.name, misses]).toEqual([false, 'no-locked', []]);
    expect(considered.filter(({ matched }) => matched).map((each) => each.rule.name)).toEqual([
      'no-locked',
      'share',
      'soon',
    ]);
  });

  test('says where each group comes from', () => {
    expect(ask(user('rita'), 'pull', 'sandbox/app').groups).toEqual([
      { name: 'managers', source: { file: '0.yaml', line: 4, column: 3 } },
      { name: 'developers', source: { file: '0.yaml', line: 4, column: 3 } },
    ]);
  });

  test('says that an account is disabled, and considers no rule for it', () => {
    const { allowed, reason, considered } = ask(user('gone'), 'pull', 'sandbox/app');
    expect([allowed, reason, considered]).toEqual([false, 'the account is disabled (0.yaml:5)', []]);
  });

  test('says that a read is implied by the right to push', () => {
    const { allowed, impliedByPush, reason } = ask(user('dana'), 'pull', 'drop/app');
    expect([allowed, impliedByPush, reason]).toEqual([
      true,
      true,
      'pull is implied by the right to push, which rule "drop-box" (1.yaml:8) gives',
    ]);
  });

  test('tells the halves of a push apart where they are decided differently', () => {
    const { allowed, halves, reason } = ask(user('rita'), 'push', 'release/app:v1');
    expect([allowed, halves?.map(({ right, decision }) => [right, decision.allowed])]).toEqual([
      true,
      [
        ['create', true],
        ['overwrite', false],
      ],
    ]);
    expect(reason).toBe(
      'creating it: allowed by rule "publish" (1.yaml:4); moving it to another image: ' +
        'forbidden by rule "immutable" (1.yaml:5); pushing the same image again: allowed',
    );
  });

  test('does not speak of halves where they are decided alike', () => {
    expect(ask(user('rita'), 'push', 'release/app:latest').halves).toBeUndefined();
  });

  test('lists shadow rules that would have turned the decision', () => {
    expect(ask(user('dana'), 'push', 'sandbox/app').shadow.map(({ name }) => name)).toEqual(['soon']);
    expect(ask(user('dana'), 'pull', 'sandbox/app').shadow).toEqual([]);
  });

  test('considers every rule: the deciding one first, then by how many parts failed', () => {
    const { considered } = ask(user('dana'), 'push', 'sandbox/app');
    expect(considered).toHaveLength(9);
    expect(considered[0]?.rule.name).toBe('share');
    const counts = considered.map(({ failures }) => failures.length);
    expect(counts).toEqual(counts.toSorted((a, b) => a - b));
  });
});

describe('a near miss', () => {
  const cases: readonly (readonly [promise: string, explanation: () => Explanation, first: string])[] = [
    [
      'by the hour tells the time in the zone of the rule',
      () => ask(user('dana'), 'push', 'nightly/app'),
      'nights: when.hours: 18:00-06:00 Europe/Berlin, it is 12:10 there',
    ],
    [
      'by an address that is not known says so',
      () => ask(user('dana'), 'push', 'office/app'),
      'office: when.addresses: 10.0.0.0/8, and no address is known',
    ],
    [
      'by the address names both',
      () => ask(user('dana'), 'push', 'office/app', { address: '192.0.2.1' }),
      'office: when.addresses: 10.0.0.0/8 does not contain 192.0.2.1',
    ],
    [
      'by the action lists what the rule is about',
      () => ask(user('dana'), 'delete', 'sandbox/app'),
      'share: actions: pull, push do not include delete',
    ],
    [
      'by the subject names who asks',
      () => ask(user('dana'), 'pull', 'release/app'),
      'publish: subjects: group:managers does not include user "dana"',
    ],
    [
      'by a mistyped repository comes before one that is elsewhere',
      () => ask(user('dana'), 'push', 'sandbx/app'),
      'share: repositories: sandbox/** does not match sandbx/app',
    ],
    [
      'by a tag names both, for a push that is allowed',
      () => ask(user('rita'), 'overwrite', 'release/app:latest'),
      'immutable: tags: v* does not match latest',
    ],
    [
      'by an exception says who is exempt',
      () => ask(user('rita'), 'push', 'sandbox/locked/app'),
      'no-locked: except: group:managers exempts user "rita"',
    ],
    [
      'by somebody else’s name says what ${account} stands for',
      () => ask(user('dana'), 'pull', 'people/rita/app'),
      'own: repositories: people/${account}/** does not match people/rita/app (here ${account} is dana)',
    ],
  ];
  test.each(cases)('%s', (_promise, explanation, first) => {
    expect(nearMisses(explanation())[0]).toBe(first);
  });

  test('is a rule that failed by exactly one part, and not one that could change nothing', () => {
    const misses = ask(user('dana'), 'pull', 'release/app').nearMisses;
    expect(misses.every(({ failures, rule }) => failures.length === 1 && rule.effect === 'allow')).toBe(true);
  });

  test('of an anonymous caller says that ${account} is nobody', () => {
    const own = ask(anonymous, 'pull', 'people/dana/app').considered.find(({ rule }) => rule.name === 'own');
    expect(own?.failures.map(({ why }) => why)).toContain(
      'repositories: people/${account}/** does not match people/dana/app (here ${account} is nobody)',
    );
  });
});

test('a rule is said to match exactly when it counts in the decision', () => {
  const subjects = compiled.subjectsOf(user('dana')) ?? [];
  for (const action of ['pull', 'create', 'overwrite', 'delete'] as const) {
    for (const target of ['sandbox/a', 'sandbox/locked/a', 'release/a', 'drop/a', 'people/dana/a', 'people/x/a']) {
      const inquiry = { principal: user('dana'), action, repository: target, now: noon };
      const matching = compiled.policy.rules.filter(
        (rule) => rule.mode === 'enforce' && isMatching(rule, inquiry, subjects),
      );
      const allowed =
        matching.some(({ effect }) => effect === 'allow') && !matching.some(({ effect }) => effect === 'deny');
      expect([action, target, compiled.decide(inquiry).allowed]).toEqual([action, target, allowed]);
    }
  }
});

test('the rule that lets signatures be read counts as matching, though its tags do not', () => {
  const tagged = compile(`
users: { dana: {} }
rules:
  - { name: releases, subjects: ['user:dana'], repositories: [app], tags: ['v*'], actions: [pull] }
`);
  const tag = `sha256-${'0123456789abcdef'.repeat(4)}.sig`;
  const inquiry = { principal: user('dana'), repository: 'app', tag, now: noon };
  const explained = explain(tagged, { ...inquiry, action: 'pull' });
  expect(explained.considered).toMatchObject([{ matched: true, failures: [] }]);
  expect(explain(tagged, { ...inquiry, action: 'push' }).allowed).toBe(false);
});

describe('deleting without naming a tag', () => {
  const explainDelete = (rules: string, repository = 'app'): Explanation =>
    explain(compile('users: { dana: {} }', `rules: [${rules}]`), {
      principal: user('dana'),
      action: 'delete',
      repository,
      now: noon,
    });
  const may = "{ name: may, subjects: ['user:dana'], repositories: [app], actions: [delete] }";
  const drafts = "{ name: drafts, subjects: ['user:dana'], repositories: [app], tags: ['draft-*'], actions: [delete] }";
  const keep =
    "{ name: keep, effect: deny, subjects: [everyone], repositories: [app], tags: ['v*'], actions: [overwrite] }";

  test.each([
    [
      'layers of tags that are kept',
      `${may}, ${keep}`,
      'a layer: forbidden by rule "keep" (1.yaml:1), which is about tags: they are made of layers; ' +
        'a manifest that no tag leads to: allowed by rule "may" (1.yaml:1); ' +
        'any other manifest, by digest: as each tag that points at it, or at an index it is in',
    ],
    [
      'what a right to certain tags does not reach',
      drafts,
      'a layer: no rule allows it; a manifest that no tag leads to: no rule allows it; ' +
        'any other manifest, by digest: as each tag that points at it, or at an index it is in',
    ],
  ])('tells apart %s', (_what, rules, reason) => {
    expect(explainDelete(rules)).toMatchObject({ allowed: false, reason });
  });

  test('is said in one word where tags make no difference', () => {
    expect(explainDelete(may)).toMatchObject({ allowed: true, reason: 'rule "may" (1.yaml:1) allows it' });
    expect(explainDelete(keep).deletion).toBeUndefined();
  });

  test('names the tags of a rule as what kept it from reaching', () => {
    expect(nearMisses(explainDelete(drafts))).toEqual(['drafts: tags: draft-* count only where a tag is named']);
  });
});

describe('the secrets of a robot', () => {
  const digest = (digit: string): string => digit.repeat(64);
  const narrowed = compile(`
robots:
  free: {}
  builder:
    tokens:
      - { id: away, sha256: ${digest('a')}, repositories: ["tools/**"] }
      - { id: read, sha256: ${digest('b')}, actions: [pull] }
      - { id: past, sha256: ${digest('c')}, expires: 2026-06-01 }
      - { id: half, sha256: ${digest('d')}, actions: [overwrite], repositories: ["sandbox/half"] }
rules:
  - { name: share, subjects: [authenticated], repositories: ["sandbox/**"], actions: [pull, push] }
`);
  const askRobot = (name: string, action: Action, repository: string): Explanation =>
    explain(narrowed, { principal: { kind: 'robot', name }, action, repository, now: noon });
  const said = ({ secrets }: Explanation): readonly string[] =>
    secrets.map(({ token, allowed, only, why }) => [token.id, why ?? only ?? allowed].join(': '));

  test('are told one by one, and one that reaches is enough', () => {
    const found = askRobot('builder', 'pull', 'sandbox/app');
    expect(found).toMatchObject({ allowed: true, rule: { name: 'share' } });
    expect(said(found)).toEqual([
      'away: repositories: only tools/**',
      'read: true',
      'past: expires: 2026-06-01T00:00:00Z is past',
      'half: repositories: only sandbox/half',
    ]);
    expect(said(askRobot('builder', 'push', 'sandbox/half'))).toContain('half: overwrite');
  });

  test('that reach nowhere make a refusal, as at the gateway, whatever the rules say', () => {
    const found = askRobot('builder', 'push', 'sandbox/app');
    expect([found.allowed, found.rule, found.nearMisses]).toEqual([false, undefined, []]);
    expect(found.reason).toMatch(/^rule "share" \(.*\) allows it, but no secret of this robot reaches it$/);
  });

  test('are not missed where there are none, and not told where the rules refuse', () => {
    expect(askRobot('free', 'push', 'sandbox/app')).toMatchObject({ allowed: true, secrets: [] });
    expect(askRobot('builder', 'delete', 'sandbox/app')).toMatchObject({ allowed: false, secrets: [] });
  });
});

describe('a rule that is limited to tags', () => {
  const tagged = compile(`
rules:
  - { name: v-tags, subjects: [everyone], repositories: ["release/**"], actions: [pull, push], tags: ["v*", latest] }
  - { name: all-tags, subjects: [everyone], repositories: ["release/free"], actions: [pull] }
`);
  const tagsOf = (action: Action, repository: string, tag?: string) =>
    explain(tagged, { principal: anonymous, action, repository, tag, now: noon }).tags;

  test('is said to be, where no tag is named and no other rule allows the rest', () => {
    expect(tagsOf('pull', 'release/app')).toEqual(['v*', 'latest']);
    expect(tagsOf('push', 'release/free')).toEqual(['v*', 'latest']);
    expect(tagsOf('pull', 'release/free')).toBeUndefined();
    expect(tagsOf('pull', 'release/app', 'v1')).toBeUndefined();
  });
});
