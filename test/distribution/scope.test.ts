import { describe, expect, test } from 'vitest';
import type { Access } from '../../src/distribution/access.ts';
import { formatScopes, maxAccessLength, parseScopes } from '../../src/distribution/scope.ts';

const repository = (name: string, ...actions: Access['actions']): Access => ({ type: 'repository', name, actions });
const catalog: Access = { type: 'registry', name: 'catalog', actions: ['*'] };

describe('scopes of a token request', () => {
  const cases: readonly (readonly [promise: string, scopes: readonly string[], access: readonly Access[]])[] = [
    ['none at all ask for nothing', [], []],
    ['an empty value asks for nothing', ['', ' '], []],
    ['one resource and one action', ['repository:team/app:pull'], [repository('team/app', 'pull')]],
    [
      'actions come out in one fixed order',
      ['repository:a:delete,push,pull'],
      [repository('a', 'pull', 'push', 'delete')],
    ],
    [
      'a repeated parameter asks for all of them',
      ['repository:a:pull', 'repository:b:push'],
      [repository('a', 'pull'), repository('b', 'push')],
    ],
    [
      'a space-separated list asks for all of them',
      ['repository:a:pull repository:b:push'],
      [repository('a', 'pull'), repository('b', 'push')],
    ],
    [
      'both forms may be mixed',
      ['repository:a:pull  repository:b:push', 'repository:c:delete'],
      [repository('a', 'pull'), repository('b', 'push'), repository('c', 'delete')],
    ],
    [
      'one resource named twice is merged (containerd)',
      ['repository:a:pull', 'repository:a:pull,push'],
      [repository('a', 'pull', 'push')],
    ],
    ['a repeated action counts once', ['repository:a:pull,pull'], [repository('a', 'pull')]],
    [
      'a class in parentheses means the same resource',
      ['repository(plugin):a:pull', 'repository:a:push'],
      [repository('a', 'pull', 'push')],
    ],
    ['a star is an action of its own here', ['repository:a:*'], [repository('a', '*')]],
    ['the catalog', ['registry:catalog:*'], [catalog]],
    ['unknown actions are dropped, known ones kept', ['repository:a:pull,admin,PUSH'], [repository('a', 'pull')]],
    ['without a known action the resource stays, empty', ['repository:a:admin'], [repository('a')]],
    ['an unknown type is dropped', ['plugin:a:pull', 'repository:b:pull'], [repository('b', 'pull')]],
    ['a type in capitals is unknown', ['Repository:a:pull'], []],
    ['another registry resource than the catalog is dropped', ['registry:users:*'], []],
    [
      'a name outside the grammar is dropped',
      ['repository:../a:pull', 'repository:A:pull', 'repository:a//b:pull'],
      [],
    ],
    [
      'a name with host and port is split at the first and last colon, and is no name of this registry',
      ['repository:localhost:5000/a:pull'],
      [],
    ],
    ['text without two colons is dropped', ['repository', 'repository:a', ':'], []],
    ['a star as a name is dropped', ['repository:*:pull', 'repository:**:*'], []],
    ['a line feed separates nothing', ['repository:a:pull\nrepository:b:pull'], []],
    [
      'names that JavaScript knows are names like others',
      ['repository:constructor:pull'],
      [repository('constructor', 'pull')],
    ],
  ];
  test.each(cases)('%s', (_promise, scopes, access) => {
    expect(parseScopes(scopes)).toEqual(access);
  });

  /** Of 60 characters each. */
  const names = (count: number): readonly string[] =>
    Array.from({ length: count }, (_, index) => `team/${String(index).padStart(55, 'a')}`);

  test('300 names of 60 characters fit, also for pushing', () => {
    const access = names(300).map((name) => repository(name, 'pull', 'push'));
    expect(parseScopes([formatScopes(access)])).toEqual(access);
    expect(JSON.stringify(access).length).toBeLessThanOrEqual(maxAccessLength);
  });

  test('what does not fit is told with the number that does, and that many fit', () => {
    const asked = names(500).map((name) => `repository:${name}:pull`);
    const problem = parseScopes(asked);
    if (!('reason' in problem)) throw new Error('all of it fits');
    expect(problem).toEqual({ reason: 'scopes_too_many', requested: 500, fitting: problem.fitting });
    expect(parseScopes(asked.slice(0, problem.fitting))).toHaveLength(problem.fitting);
    expect(parseScopes(asked.slice(0, problem.fitting + 1))).toHaveProperty('reason');
    // The same resource again is not one more.
    expect(parseScopes([...asked.slice(0, problem.fitting), asked[0] ?? ''])).toHaveLength(problem.fitting);
  });

  test('short names are counted by their length as well', () => {
    const asked = Array.from({ length: 600 }, (_, index) => `repository:a${index}:pull`);
    expect(parseScopes(asked)).toHaveLength(600);
  });

  test('what is dropped takes no room', () => {
    expect(parseScopes(['x'.repeat(60_000), 'repository:A:pull '.repeat(3000)])).toEqual([]);
  });
});

describe('written scopes', () => {
  test('are separated by spaces, with actions in one order', () => {
    expect(formatScopes([repository('team/app', 'push', 'pull'), catalog])).toBe(
      'repository:team/app:pull,push registry:catalog:*',
    );
  });

  test('are empty for no access', () => {
    expect(formatScopes([])).toBe('');
  });

  test('are read back as they were', () => {
    const access = [repository('a/b', 'pull', 'delete'), catalog, repository('c', '*')];
    expect(parseScopes([formatScopes(access)])).toEqual(access);
  });
});
