/** Where a registry verifies tokens itself, what a token carries is what may be done to every tag. */
import { expect, test } from 'vitest';
import type { ScopeAction } from '../../src/distribution/access.ts';
import { grantAccess } from '../../src/token/grant.ts';
import { narrowPolicy } from '../../src/policy/secret-reach.ts';
import { rights } from '../../src/policy/model.ts';
import { compile, inPolicy, robot, user } from '../support/policies.ts';

const compiled = compile(`
users: { dana: {}, half: {}, blind: {}, some: {} }
robots: { bot: {} }
rules:
  - { name: list, subjects: ['robot:bot'], repositories: ['**'], actions: [catalog] }
  - { name: all, subjects: ['user:dana', 'robot:bot'], repositories: [a/**], actions: [pull, push, delete] }
  - { name: new-only, subjects: ['user:half'], repositories: [a/**], actions: [create] }
  - { name: push-only, subjects: ['user:blind'], repositories: [a/**], actions: [push] }
  - { name: some-tags, subjects: ['user:some'], repositories: [a/**], tags: [v*], actions: [delete] }
`);
const asked: readonly ScopeAction[] = ['pull', 'push', 'delete'];
const granted = (name: string, isFinal: boolean): readonly string[] =>
  grantAccess(
    compiled,
    inPolicy(compiled, user(name)),
    [{ type: 'repository', name: 'a/app', actions: asked }],
    { now: 0 },
    isFinal,
  ).flatMap(({ actions }) => [...actions]);

test('who may do everything gets everything', () => {
  expect(granted('dana', true)).toEqual(['pull', 'push', 'delete']);
});

test.each([
  ['who may only make new tags cannot be kept to that, and pushes nothing', 'half', [], ['pull', 'push']],
  ['who may only push reads nothing, although clients read while they push', 'blind', ['push'], ['pull', 'push']],
  ['who may delete some tags deletes nothing', 'some', [], ['delete']],
])('%s', (_what, name, final, bound) => {
  expect(granted(name, true)).toEqual(final);
  expect(granted(name, false)).toEqual(bound);
});

test("a robot's secret for new tags only pushes nothing", () => {
  const principal = inPolicy(compiled, robot('bot'));
  const narrow = narrowPolicy(compiled, 'bot', { repositories: undefined, rights: rights.pull | rights.create });
  const access = grantAccess(
    narrow,
    principal,
    [{ type: 'repository', name: 'a/app', actions: asked }],
    { now: 0 },
    true,
  );
  expect(access).toEqual([{ type: 'repository', name: 'a/app', actions: ['pull'] }]);
});

test('a secret that was made for some repositories lists none: a registry shows every name', () => {
  const principal = inPolicy(compiled, robot('bot'));
  const repositories = compiled.policy.rules.find(({ name }) => name === 'all')?.repositories;
  const lists = (reach: Parameters<typeof narrowPolicy>[2], isFinal: boolean): readonly string[] =>
    grantAccess(
      narrowPolicy(compiled, 'bot', reach),
      principal,
      [{ type: 'registry', name: 'catalog', actions: ['*'] }],
      { now: 0 },
      isFinal,
    ).flatMap(({ actions }) => [...actions]);
  expect([lists(undefined, true), lists({ repositories }, true)]).toEqual([['*'], []]);
  expect(lists({ rights: rights.pull }, true)).toEqual([]);
  // Behind the gateway the list is cut to what the secret reaches.
  expect(lists({ repositories }, false)).toEqual(['*']);
});
