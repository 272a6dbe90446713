import { describe, expect, test } from 'vitest';
import { accessOf } from '../../../src/policy/analysis/access.ts';
import type { Inquiry } from '../../../src/policy/analysis/consider.ts';
import { explain } from '../../../src/policy/analysis/explain.ts';
import { conditionsOf, gateLine, ifInWords, isInTheWay } from '../../../src/policy/analysis/gates-about.ts';
import { partiesOf } from '../../../src/policy/analysis/parties.ts';
import { principalsOf, whoCan, whoCanIn } from '../../../src/policy/analysis/who-can.ts';
import { actionsOf } from '../../../src/policy/describe.ts';
import { type Action, formatSubject } from '../../../src/policy/model.ts';
import { parseRepositoryPattern } from '../../../src/policy/pattern.ts';
import { compile, robot, user } from '../../support/policies.ts';

const now = Date.parse('2026-06-03T12:00:00Z');
const compiled = compile(`
users:
  rita: { groups: [managers] }
  gus: { groups: [managers, break-glass] }
  theo: { groups: [testers] }
robots: { releaser: { groups: [scripts] } }
groups: { managers: , testers: , scripts: , break-glass: }
rules:
  - { name: promote, subjects: [group:managers], repositories: ["release/**"], actions: [pull, promote] }
  - { name: script, subjects: [group:scripts], repositories: ["release/**"], actions: [push] }
  - { name: approve, subjects: [group:testers], repositories: ["integration/**"], tags: ["approved-*"], actions: [create, promote] }
  - { name: closed, effect: deny, subjects: [everyone], repositories: ["release/closed/**"], actions: [push] }
  - { name: fixed, effect: deny, subjects: [everyone], repositories: ["release/**"], tags: ["v*"], actions: [overwrite] }
  - { name: freeze, effect: deny, subjects: [everyone], repositories: ["release/**"], actions: [push], when: { after: 2026-12-24, before: 2027-01-02 } }
gates:
  - { name: release, repositories: ["release/**"], from: ["integration/**"], fromTags: ["approved-*"], except: [group:break-glass] }
  - { name: versions, mode: shadow, repositories: ["release/**"], tags: ["v*"], from: ["signed/**", "vault"] }
  - { name: approvals, repositories: ["integration/**"], tags: ["approved-*"], from: ["integration/**"], fromTags: ["build-*", "night"], match: digest }
`);

function ask(who: Inquiry['principal'], action: Action, target: string, more: Partial<Inquiry> = {}) {
  const [repository = '', tag] = target.split(':');
  return explain(compiled, { principal: who, action, repository, tag, now, ...more });
}

describe('an explanation of a write', () => {
  test('says where the image must be, and names every gate with its place', () => {
    const found = ask(user('rita'), 'promote', 'release/app:latest');
    expect(found.allowed).toBe(true);
    expect(found.gates.map(gateLine)).toEqual([
      'gate "release" (0.yaml:16): the image must be in integration/app (under a tag approved-*); not for group:break-glass',
    ]);
    expect(found.reason).toContain('if the image is in integration/app (under a tag approved-*)');
  });

  test('names shadow gates, which are not in the way', () => {
    const { gates } = ask(user('rita'), 'promote', 'release/app:v1');
    expect(gates.map(({ gate }) => gate.name)).toEqual(['release', 'versions']);
    expect(gates.filter(isInTheWay).map(ifInWords)).toEqual([
      'if the image is in integration/app (under a tag approved-*)',
    ]);
    expect(gateLine(gates[1] as never)).toBe(
      'gate "versions" (0.yaml:17): the image must be in signed/app or vault; in shadow mode: it refuses nothing',
    );
  });

  test('names a gate that lets somebody pass whatever it is, and by which exception', () => {
    const { gates, reason } = ask(user('gus'), 'promote', 'release/app:latest');
    expect(gates.map(gateLine)).toEqual([
      'gate "release" (0.yaml:16): the image must be in integration/app (under a tag approved-*); not here: its `except` names group:break-glass',
    ]);
    expect(gates.filter(isInTheWay)).toEqual([]);
    expect(reason).not.toContain('if the image');
  });

  test('names gates for certain tags where no tag is asked about, as such', () => {
    const { gates } = ask(user('theo'), 'promote', 'integration/app');
    expect(gates.map(gateLine)).toEqual([
      'gate "approvals" (0.yaml:18): the image must be in integration/app (under a tag build-* or night, with the same digest); for tags approved-* only',
    ]);
    expect(gates.some(isInTheWay)).toBe(false);
    expect(ask(user('theo'), 'create', 'integration/app:approved-1').gates.some(isInTheWay)).toBe(true);
    expect(ask(user('theo'), 'create', 'integration/app:other').gates).toEqual([]);
  });

  test('has none where nothing is written', () => {
    for (const action of ['pull', 'delete', 'catalog'] as const) {
      expect(ask(user('rita'), action, 'release/app').gates).toEqual([]);
    }
  });

  test('of a promotion says that its source may not be read', () => {
    expect(ask(user('rita'), 'promote', 'release/app').unreadable).toEqual(['integration/app']);
    expect(ask(user('gus'), 'promote', 'release/app').unreadable).toEqual([]);
    expect(ask(robot('releaser'), 'push', 'release/app').unreadable).toEqual([]);
  });

  test('by a robot knows whether its secrets reach promoting', () => {
    const explained = (actions: string) =>
      explain(
        compile(`
robots: { r: { tokens: [{ id: abcd, sha256: ${'a'.repeat(64)}, actions: [${actions}] }] } }
rules: [{ name: may, subjects: [robot:r], repositories: ["release/**"], actions: [push, promote] }]`),
        { principal: robot('r'), action: 'promote', repository: 'release/app', now },
      );
    expect(explained('pull, promote').allowed).toBe(true);
    expect(explained('push')).toMatchObject({ allowed: false, secrets: [{ why: 'actions: only push' }] });
  });

  test('tells a promotion to a new tag from one that moves a tag', () => {
    const { halves, rule } = ask(user('rita'), 'promote', 'release/app:v1');
    expect(halves?.map(({ right, decision }) => [right, decision.allowed, decision.rule?.name])).toEqual([
      ['create', true, 'promote'],
      ['overwrite', false, 'fixed'],
    ]);
    expect(rule?.name).toBe('promote');
    expect(ask(user('rita'), 'promote', 'release/app:latest').halves).toBeUndefined();
  });

  test('counts a denial of pushing as one of promoting, and as a near miss', () => {
    const closed = ask(user('rita'), 'promote', 'release/closed/app');
    expect([closed.allowed, closed.rule?.name]).toEqual([false, 'closed']);
    expect(closed.considered.find(({ rule }) => rule.name === 'closed')?.matched).toBe(true);
    const { nearMisses } = ask(user('rita'), 'promote', 'release/app:latest');
    expect(nearMisses.map(({ rule }) => rule.name)).toContain('freeze');
  });
});

describe('who may promote', () => {
  test('is told with what the image must be, apart from those whom the gate does not stop', () => {
    const { permitted } = whoCan(compiled, { action: 'promote', repository: 'release/app', now });
    expect(permitted.map(({ principal, gates }) => [formatSubject(principal), conditionsOf(gates)])).toEqual([
      ['user:gus', []],
      ['user:rita', ['if the image is in integration/app (under a tag approved-*)']],
    ]);
    expect(partiesOf(compiled, permitted, principalsOf(compiled.policy)).length).toBe(2);
  });

  test('is told of half of a promotion, and of freezes', () => {
    const { permitted } = whoCan(compiled, { action: 'promote', repository: 'release/app', tag: 'v1', now });
    expect(permitted.map(({ only }) => only)).toEqual(['create', 'create']);
    expect(permitted[0]?.condition).toContain('except while it is after 2026-12-24');
  });

  test('is told of areas in the words of the gate, and of a part where a gate makes the difference', () => {
    const area = (text: string) => {
      const pattern = parseRepositoryPattern(text);
      if ('problem' in pattern) throw new Error(pattern.problem);
      return whoCanIn(compiled, pattern, { action: 'push', now });
    };
    expect(area('release/**')[0]?.permitted.map(({ gates }) => conditionsOf(gates))).toEqual([
      ['if the image is in integration/** (under a tag approved-*)'],
    ]);
  });
});

describe('what somebody may do', () => {
  const told = (who: Inquiry['principal']) =>
    accessOf(compiled, who, now)?.grants.map(
      ({ rule, rights, exceptions, gates }) =>
        `${rule.name}: ${actionsOf(rights).join('+')}` +
        exceptions.map((each) => ` less ${actionsOf(each.rights).join('+')} by ${each.rule.name}`).join('') +
        gates.map(({ name }) => ` through ${name}`).join(''),
    );

  test('lists promotion, what denials of writing keep from it, and the gates', () => {
    expect(told(user('rita'))).toEqual([
      'promote: pull+promote less push by closed less overwrite by fixed less push by freeze through release through versions',
    ]);
    expect(told(user('gus'))).toEqual([
      'promote: pull+promote less push by closed less overwrite by fixed less push by freeze through versions',
    ]);
    expect(told(user('theo'))).toEqual(['approve: create+promote through approvals']);
    expect(told(robot('releaser'))?.[0]).toMatch(/^script: push .* through release through versions$/);
  });

  test('is no promotion where all pushing is denied, by one rule or by two', () => {
    const lists = (actions: string): readonly string[] | undefined => {
      const closed = compile(`
users: { rita: {} }
rules:
  - { name: may, subjects: [user:rita], repositories: ["a/**"], actions: [pull, promote] }
${actions}
`);
      return accessOf(closed, user('rita'), now)?.grants.flatMap(({ rights }) => actionsOf(rights));
    };
    const deny = (name: string, actions: string): string =>
      `  - { name: ${name}, effect: deny, subjects: [everyone], repositories: ["a/**"], actions: [${actions}] }`;
    expect(lists('')).toEqual(['pull', 'promote']);
    expect(lists(deny('one', 'push'))).toEqual(['pull']);
    expect(lists(`${deny('one', 'create')}\n${deny('two', 'overwrite')}`)).toEqual(['pull']);
    expect(lists(deny('one', 'promote'))).toEqual(['pull']);
    expect(lists(deny('one', 'overwrite'))).toEqual(['pull', 'promote']);
  });
});
