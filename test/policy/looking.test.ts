/** `inspect` and `administer`: implied by nothing, implying nothing, of whole repositories, and never by a machine. */
import { describe, expect, test } from 'vitest';
import { diffPolicies } from '../../src/policy/analysis/diff.ts';
import { accessOf } from '../../src/policy/analysis/access.ts';
import { explain } from '../../src/policy/analysis/explain.ts';
import { proposeTests } from '../../src/policy/analysis/propose-tests.ts';
import { unexercisedRules } from '../../src/policy/analysis/test-run.ts';
import { whoCan } from '../../src/policy/analysis/who-can.ts';
import { actionsOf } from '../../src/policy/describe.ts';
import { type Action, type Named, actions, formatSubject } from '../../src/policy/model.ts';
import { narrowPolicy } from '../../src/policy/secret-reach.ts';
import { parsePolicy } from '../../src/policy/files/parse.ts';
import { anonymous, compile, inPolicy, readPolicy, robot, user } from '../support/policies.ts';

const secret = (id: string, limits: string): string => `{ id: ${id}, sha256: ${id.slice(0, 1).repeat(64)}, ${limits} }`;
const people = `
groups: { auditors: , admins: , devs: }
users: { ada: { groups: [admins] }, audrey: { groups: [auditors] }, dana: { groups: [devs] } }
robots:
  watcher: { groups: [auditors], tokens: [${secret('aaaa', 'actions: [inspect]')}, ${secret('bbbb', 'actions: [pull]')}, ${secret('cccc', 'repositories: [team-a/app]')}] }
  caretaker: { groups: [admins] }
workloads: { ci: { issuer: "https://ci.test", audience: a, claims: { sub: b }, groups: [admins] } }
`;
const rules = `
rules:
  - { name: audit, subjects: ['group:auditors'], repositories: ['team-a/**'], actions: [inspect] }
  - { name: look-after, subjects: ['group:admins'], repositories: ['**'], actions: [inspect, administer] }
  - { name: all-else, subjects: ['group:devs'], repositories: ['**'], actions: [pull, push, delete, catalog, promote] }
  - { name: none, effect: deny, subjects: ['group:auditors'], repositories: ['team-a/secret'], actions: [inspect] }
`;
const policy = compile(people, rules);
const may = (principal: Named, action: Action, repository: string, tag?: string): boolean =>
  policy.decide({ principal, action, repository, tag, now: 0 }).allowed;

describe('inspect and administer', () => {
  test('give nothing else, and nothing else gives them', () => {
    const allowed = (who: Named): readonly Action[] => actions.filter((action) => may(who, action, 'team-a/app'));
    expect(allowed(user('audrey'))).toEqual(['inspect']);
    expect(allowed(user('ada'))).toEqual(['inspect', 'administer']);
    expect(allowed(user('dana'))).toEqual(['pull', 'push', 'create', 'overwrite', 'delete', 'catalog', 'promote']);
    expect(allowed(anonymous)).toEqual([]);
  });

  test('are about repositories, a denial of one among them', () => {
    expect(['team-a/app', 'team-a/secret', 'team-b/app'].map((name) => may(user('audrey'), 'inspect', name))).toEqual([
      true,
      false,
      false,
    ]);
    expect(policy.mayEverywhere(user('audrey'), 'inspect', { now: 0 }).allowed).toBe(false);
    expect(policy.mayEverywhere(user('ada'), 'inspect', { now: 0 }).allowed).toBe(true);
  });

  test('name no tag, whatever is asked', () => {
    const tagged = compile(
      people,
      `rules:
  - { name: some, subjects: ['user:dana'], repositories: [a], tags: ['v*'], actions: [inspect] }
  - { name: none, effect: deny, subjects: ['user:dana'], repositories: [a], tags: ['latest'], actions: [inspect] }`,
    );
    const ask = (tag?: string): boolean =>
      tagged.decide({ principal: user('dana'), action: 'inspect', repository: 'a', tag, now: 0 }).allowed;
    expect([ask(), ask('v1'), ask('latest')]).toEqual([true, true, true]);
    const question = { principal: user('dana'), action: 'inspect', repository: 'a', tag: 'latest', now: 0 } as const;
    expect(tagged.judgesTags(question)).toBe(false);
    const { allowed, tags, considered } = explain(tagged, question);
    expect([allowed, tags]).toEqual([true, undefined]);
    expect(considered.find(({ rule }) => rule.name === 'none')?.failures).toEqual([
      { part: 'tag', why: 'tags: latest never count for inspect' },
    ]);
    const before = readPolicy(people);
    expect(diffPolicies(before, tagged.policy, { now: 0 }).changes.map(({ sentence }) => sentence)).toEqual([
      'user:dana may now inspect a',
    ]);
  });

  test('are told by who-can, diff and access', () => {
    const who = (action: Action): readonly string[] =>
      whoCan(policy, { action, repository: 'team-a/app', now: 0 }).permitted.map(({ principal }) =>
        formatSubject(principal),
      );
    expect(who('inspect')).toEqual(['user:ada', 'user:audrey', 'robot:caretaker', 'robot:watcher', 'workload:ci']);
    expect(who('administer')).toEqual(['user:ada']);
    const rights = (name: Named) =>
      accessOf(policy, name, 0)?.grants.map((grant) => [grant.rule.name, ...actionsOf(grant.rights)]);
    expect(rights(user('ada'))).toEqual([['look-after', 'inspect', 'administer']]);
    expect(rights(robot('caretaker'))).toEqual([['look-after', 'inspect']]);
    expect(
      diffPolicies(readPolicy(people), readPolicy(people, rules), { now: 0 }).changes.map(({ sentence }) => sentence),
    ).toEqual([
      'group:admins may now inspect, administer **',
      'group:auditors may now inspect team-a/** but not team-a/secret',
      'group:devs may now pull, push, delete, catalog, promote **',
    ]);
  });

  test('are proposed as tests that name no tag', () => {
    const found = proposeTests(policy, { rules: unexercisedRules(policy, 0) }, 0).tests;
    const lines = found.flatMap(({ name, allow, deny }) => [name, ...allow, ...deny]);
    expect(lines).toContain('inspect team-a/app');
  });
});

describe('administering', () => {
  test.each([
    ['a robot', robot('caretaker')],
    ['a workload', { kind: 'workload', name: 'ci' } as const],
  ])('is never done by %s, and explained so', (_who, principal) => {
    expect(may(principal, 'administer', 'a')).toBe(false);
    expect(policy.mayEverywhere(principal, 'administer', { now: 0 })).toMatchObject({
      allowed: false,
      reason: 'not_a_person',
    });
    const { allowed, reason } = explain(policy, { principal, action: 'administer', repository: 'a', now: 0 });
    expect([allowed, reason]).toEqual([
      false,
      'only a person administers, by password or on the page: never a machine',
    ]);
  });

  test('is never done by a secret, one without limits neither', () => {
    const narrowed = narrowPolicy(policy, 'ada', {});
    const principal = inPolicy(policy, user('ada'));
    expect(narrowed.decide({ principal, action: 'administer', repository: 'a', now: 0 }).allowed).toBe(false);
    expect(narrowed.mayEverywhere(principal, 'administer', { now: 0 }).allowed).toBe(false);
    expect(narrowed.mayEverywhere(principal, 'inspect', { now: 0 }).allowed).toBe(true);
  });

  test('is no action of a secret in a file', () => {
    const text = `robots: { bot: { tokens: [${secret('dddd', 'actions: [pull, administer]')}] } }`;
    const reading = parsePolicy([{ file: 'a.yaml', text }]);
    expect(reading.ok ? [] : reading.problems.map(({ message }) => message)).toEqual([
      expect.stringContaining('expected one of pull, push, create, overwrite, delete, catalog, promote, inspect'),
    ]);
  });
});

test('secrets may be for inspecting, as far as they reach', () => {
  const reach = explain(policy, { principal: robot('watcher'), action: 'inspect', repository: 'team-a/app', now: 0 });
  expect([reach.allowed, reach.secrets.map(({ token, allowed, why }) => [token.id, allowed, why])]).toEqual([
    true,
    [
      ['aaaa', true, undefined],
      ['bbbb', false, 'actions: only pull'],
      ['cccc', true, undefined],
    ],
  ]);
  const principal = inPolicy(policy, robot('watcher'));
  const [first, , third] = policy.policy.robots.get('watcher')?.tokens ?? [];
  const wide = compile(people, rules.replace("['team-a/**']", "['**']").replace(/.*name: none.*\n/, ''));
  const everywhere = (token: typeof first): boolean =>
    narrowPolicy(wide, 'watcher', token).mayEverywhere(principal, 'inspect', { now: 0 }).allowed;
  expect([everywhere(first), everywhere(third)]).toEqual([true, false]);
  const written = readPolicy(`robots: { bot: { tokens: [${secret('eeee', 'repositories: ["**"]')}] } }`).robots.get(
    'bot',
  );
  expect(everywhere(written?.tokens[0])).toBe(true);
});
