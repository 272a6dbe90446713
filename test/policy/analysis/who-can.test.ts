import { describe, expect, test } from 'vitest';
import { formatSubject } from '../../../src/policy/model.ts';
import { partiesOf } from '../../../src/policy/analysis/parties.ts';
import { type WhoCan, principalsOf, whoCan, whoCanIn } from '../../../src/policy/analysis/who-can.ts';
import type { WhoCanQuestion } from '../../../src/policy/analysis/worlds.ts';
import { parseRepositoryPattern } from '../../../src/policy/pattern.ts';
import { compile } from '../../support/policies.ts';

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

describe('robots', () => {
  const digest = (digit: string): string => digit.repeat(64);
  const narrowed = compile(`
robots:
  free: {}
  wide: { tokens: [{ id: wide, sha256: ${digest('a')} }] }
  past: { tokens: [{ id: past, sha256: ${digest('b')}, expires: 2026-01-01 }] }
  narrow: { tokens: [{ id: away, sha256: ${digest('c')}, repositories: ["tools/**"] }, { id: read, sha256: ${digest('d')}, actions: [pull] }] }
  half: { tokens: [{ id: half, sha256: ${digest('e')}, actions: [pull, create] }] }
rules:
  - { name: share, subjects: [authenticated], repositories: ["sandbox/**"], actions: [pull, push], tags: ["v*"] }
`);
  const askAgain = (question: Partial<WhoCanQuestion>): WhoCan =>
    whoCan(narrowed, { action: 'push', repository: 'sandbox/app', now: june, ...question });

  test('are permitted only what a live secret of theirs reaches; the others are told apart', () => {
    const { permitted, unreached } = askAgain({});
    expect(subjects(permitted)).toEqual(['robot:free share', 'robot:half share', 'robot:wide share']);
    expect(subjects(unreached)).toEqual(['robot:narrow share', 'robot:past share']);
    expect(unreached.flatMap(({ secrets }) => secrets.map(({ token, why }) => `${token.id} ${why ?? ''}`))).toEqual([
      'away repositories: only tools/**',
      'read actions: only pull',
      'past expires: 2026-01-01T00:00:00Z is past',
    ]);
    expect(subjects(askAgain({ action: 'pull' }).unreached)).toEqual(['robot:past share']);
  });

  test('with a secret for one half of a push are told so', () => {
    const half = askAgain({}).permitted.find(({ principal }) => formatSubject(principal) === 'robot:half');
    expect(half?.secrets).toMatchObject([{ allowed: true, only: 'create' }]);
  });

  test('and everybody else are marked where the rule is limited to tags and none is named', () => {
    expect(askAgain({}).permitted.map(({ tags }) => tags)).toEqual([['v*'], ['v*'], ['v*']]);
    expect(askAgain({ tag: 'v1' }).permitted.map(({ tags }) => tags)).toEqual([undefined, undefined, undefined]);
    expect(askAgain({ tag: 'x' }).permitted).toEqual([]);
  });
});

describe('told by group', () => {
  const crowd = compile(`
users:
${Array.from({ length: 40 }, (_, index) => `  dev${index}: { groups: [developers] }`).join('\n')}
  olaf: { groups: [developers] }
  zoe: {}
groups: { developers: }
rules:
  - { name: share, subjects: [group:developers, user:zoe], repositories: ["sandbox/**"], actions: [push] }
  - { name: own, subjects: [authenticated], repositories: ["people/\${account}/**"], actions: [push] }
  - { name: not-olaf, effect: deny, subjects: [user:olaf], repositories: ["sandbox/**"], actions: [push] }
  - { name: frozen, effect: deny, subjects: [everyone], repositories: ["sandbox/frozen/**"], actions: [push], except: [user:zoe] }
`);
  const everybody = principalsOf(crowd.policy);
  const parties = ({ permitted }: WhoCan): readonly string[] =>
    partiesOf(crowd, permitted, everybody).map(
      ({ rule, subject, members, size }) => `${rule.name} ${subject} ${members.length}/${size}`,
    );
  const areaOf = (text: string) => {
    const area = parseRepositoryPattern(text);
    if ('problem' in area) throw new Error(area.problem);
    return whoCanIn(crowd, area, { action: 'push', now: june }).map((part) => [part.repositories, ...parties(part)]);
  };

  test('are one line for a group, however many are in it, and one for whom a rule names', () => {
    const found = whoCan(crowd, { action: 'push', repository: 'sandbox/app', now: june });
    expect(parties(found)).toEqual(['share group:developers 40/41', 'share user:zoe 1/1']);
    expect(found.permitted).toHaveLength(41);
  });

  test('are those whose own name opens it', () => {
    const found = whoCan(crowd, { action: 'push', repository: 'people/dev7/app', now: june });
    expect(subjects(found.permitted)).toEqual(['user:dev7 own']);
  });

  test('of an area, with each part of it where the answer is another', () => {
    expect(areaOf('sandbox/**')).toEqual([
      ['sandbox/**', 'share group:developers 40/41', 'share user:zoe 1/1'],
      ['sandbox/frozen/**', 'share user:zoe 1/1'],
    ]);
    expect(areaOf('sandbox/frozen/**')).toEqual([['sandbox/frozen/**', 'share user:zoe 1/1']]);
    expect(areaOf('people/**')).toEqual([['people/**'], ['people/${account}/**', 'own authenticated 42/42']]);
    expect(areaOf('nowhere/**')).toEqual([['nowhere/**']]);
    expect(areaOf('*/frozen/x')).toEqual([
      ['*/frozen/x'],
      ['what is in both */frozen/x and sandbox/**', 'share user:zoe 1/1'],
    ]);
  });
});
