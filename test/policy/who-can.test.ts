import { describe, expect, test } from 'vitest';
import { formatSubject } from '../../src/policy/model.ts';
import { type WhoCan, type WhoCanQuestion, whoCan } from '../../src/policy/who-can.ts';
import { compile } from '../support/policies.ts';

const compiled = compile(`
users:
  dana: { groups: [developers] }
  rita: { groups: [managers] }
  olaf: {}
  gone: { groups: [managers], disabled: true }
robots:
  builder: {}
workloads:
  ci: { issuer: https://ci.example, audience: registry }
groups: { developers: , managers: , interns: }
rules:
  - { name: share, subjects: [group:developers, robot:builder, workload:ci], repositories: ["sandbox/**"], actions: [pull, push] }
  - { name: look, subjects: [everyone], repositories: ["public/**"], actions: [pull] }
  - { name: drop, subjects: [user:olaf, group:interns], repositories: ["drop/**"], actions: [push] }
  - { name: publish, subjects: [group:managers], repositories: ["release/**"], actions: [push] }
  - { name: immutable, effect: deny, subjects: [everyone], repositories: ["release/**"], tags: ["v*"], actions: [overwrite] }
  - { name: freeze, effect: deny, subjects: [everyone], repositories: ["release/**"], actions: [push], when: { after: 2026-12-24T00:00:00Z, before: 2027-01-02T00:00:00Z } }
  - { name: early, subjects: [user:dana], repositories: ["early/**"], actions: [push], when: { before: 2026-07-01 } }
`);
const june = Date.parse('2026-06-03T12:00:00Z');

function ask(question: Partial<WhoCanQuestion>): WhoCan {
  return whoCan(compiled, { action: 'push', repository: 'sandbox/app', now: june, ...question });
}

function subjects(permitted: WhoCan['permitted' | 'emptyGroups']): readonly string[] {
  return permitted.map(({ principal, rule }) => `${formatSubject(principal)} ${rule.name}`);
}

describe('who can', () => {
  test('lists users, robots and workloads with the rule that lets them', () => {
    expect(subjects(ask({}).permitted)).toEqual(['user:dana share', 'robot:builder share', 'workload:ci share']);
  });

  test('asks for anonymous callers too, and leaves out disabled accounts', () => {
    const found = ask({ action: 'pull', repository: 'public/x' });
    expect(subjects(found.permitted)).toEqual([
      'user:dana look',
      'user:olaf look',
      'user:rita look',
      'robot:builder look',
      'workload:ci look',
      'anonymous look',
    ]);
    expect(found.total).toBe(7);
  });

  test('finds nobody where no rule reaches', () => {
    expect(ask({ repository: 'nowhere' })).toMatchObject({ permitted: [], otherwise: [], emptyGroups: [] });
  });

  test('marks reading that comes with the right to push, and groups that nobody is in', () => {
    const found = ask({ action: 'pull', repository: 'drop/x' });
    expect(found.permitted).toMatchObject([{ principal: { name: 'olaf' }, impliedByPush: true }]);
    expect(subjects(found.emptyGroups)).toEqual(['group:interns drop']);
  });

  test('marks who may only make new tags', () => {
    expect(ask({ repository: 'release/app', tag: 'v1' }).permitted).toMatchObject([{ only: 'create' }]);
    expect(ask({ repository: 'release/app', tag: 'x' }).permitted[0]?.only).toBeUndefined();
  });

  test('names the condition of the rule that allows', () => {
    expect(ask({ repository: 'early/x' }).permitted).toMatchObject([
      { condition: 'only while it is before 2026-07-01T00:00:00Z' },
    ]);
  });

  test('names the condition of a rule that would forbid at another time', () => {
    const [rita] = ask({ repository: 'release/app' }).permitted;
    expect(rita?.condition).toMatch(/^except while it is after 2026-12-24T00:00:00Z and before .* \(rule "freeze"/);
  });

  test('lists apart who may not now, but at another time', () => {
    const found = ask({ repository: 'release/app', now: Date.parse('2026-12-25T00:00:00Z') });
    expect([subjects(found.permitted), subjects(found.otherwise)]).toEqual([[], ['user:rita publish']]);
  });

  test('does not mark what always holds', () => {
    expect(ask({}).permitted.map(({ condition }) => condition)).toEqual([undefined, undefined, undefined]);
  });

  test('says of whom only tags let delete that layers are not theirs to delete', () => {
    const deleting = compile(`
users: { dana: {}, rita: {}, olaf: {} }
rules:
  - { name: all, subjects: ['user:dana', 'user:rita'], repositories: ['**'], actions: [delete] }
  - { name: drafts, subjects: ['user:olaf'], repositories: [app], tags: ['draft-*'], actions: [delete] }
  - { name: keep, effect: deny, subjects: ['user:rita'], repositories: [app], tags: ['v*'], actions: [delete] }
`);
    const found = whoCan(deleting, { action: 'delete', repository: 'app', now: june });
    expect(found.permitted.map(({ principal, rule, only }) => [formatSubject(principal), rule.name, only])).toEqual([
      ['user:dana', 'all', undefined],
      ['user:olaf', 'drafts', 'tagged'],
      ['user:rita', 'all', 'tagged'],
    ]);
  });
});
