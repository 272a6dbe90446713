import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type AccessList, accessOf } from '../../../src/policy/analysis/access.ts';
import { actionsOf } from '../../../src/policy/describe.ts';
import type { GroupMember, Named } from '../../../src/policy/model.ts';
import { matchesRepository, parseRepositoryPattern } from '../../../src/policy/pattern.ts';
import { anonymous, compile, robot, user } from '../../support/policies.ts';
import { sized } from '../../support/size.ts';

const now = Date.parse('2026-06-03T12:00:00Z');
const hash = (digit: string): string => digit.repeat(64);
const compiled = compile(`
users:
  dana: { groups: [developers] }
  rita: { groups: [managers] }
  gone: { groups: [managers], disabled: true }
robots:
  builder:
    groups: [developers]
    tokens:
      - { id: narrow, sha256: ${hash('a')}, repositories: ["sandbox/a/**"], actions: [pull] }
      - { id: past, sha256: ${hash('b')}, expires: 2026-01-01 }
      - { id: whole, sha256: ${hash('c')} }
      - { id: elsewhere, sha256: ${hash('d')}, repositories: ["release/**"] }
      - { id: crossing, sha256: ${hash('e')}, repositories: ["*/app"] }
groups: { developers: , managers: }
rules:
  - { name: share, subjects: [group:developers], repositories: ["sandbox/**", "tools/**"], actions: [pull, push, delete] }
  - { name: own, subjects: [authenticated], repositories: ["people/\${account}/**"], actions: [push] }
  - { name: publish, subjects: [group:managers], repositories: ["release/**"], actions: [pull, push], tags: ["v*"] }
  - { name: quiet, mode: shadow, subjects: [everyone], repositories: ["**"], actions: [pull] }
  - { name: immutable, effect: deny, subjects: [everyone], repositories: ["release/**"], tags: ["v*"], actions: [overwrite] }
  - { name: drafts, effect: deny, subjects: [everyone], repositories: ["release/**"], tags: ["draft-*"], actions: [push] }
  - { name: keep, effect: deny, subjects: [everyone], repositories: ["tools/**"], actions: [delete], except: [group:managers] }
  - { name: frozen, effect: deny, subjects: [group:developers], repositories: ["sandbox/frozen/**"], actions: [push] }
  - { name: year-end, effect: deny, subjects: [everyone], repositories: ["**"], actions: [delete], when: { after: 2026-12-24 } }
`);

function told(list: AccessList | undefined): readonly string[] {
  return (list?.grants ?? []).map(lineOf);
}

function lineOf({ rule, rights, repositories, exceptions }: AccessList['grants'][number]): string {
  const less = exceptions.map((each) => ` less ${actionsOf(each.rights).join('+')} by ${each.rule.name}`);
  return `${rule.name}: ${actionsOf(rights).join('+')} in ${repositories.join(' ')}${less.join('')}`;
}

describe('all that somebody may do', () => {
  test.each<[string, Named | GroupMember, readonly string[]]>([
    [
      'a user, by groups and by name, less what is denied',
      user('dana'),
      [
        'own: push in people/dana/**',
        'share: pull+push+delete in sandbox/** less push by frozen less delete by year-end',
        'share: pull+push in tools/**',
      ],
    ],
    [
      'a user whom tags bound',
      user('rita'),
      ['own: push in people/rita/**', 'publish: pull+push in release/** less overwrite by immutable'],
    ],
    [
      'a group',
      { kind: 'group', name: 'managers' },
      ['own: push in people/${account}/**', 'publish: pull+push in release/** less overwrite by immutable'],
    ],
    ['anonymous callers', anonymous, []],
  ])('is told of %s', (_what, principal, lines) => {
    expect(told(accessOf(compiled, principal, now))).toEqual(lines);
  });

  test('is nothing for somebody who is disabled', () => {
    expect(accessOf(compiled, user('gone'), now)).toBeUndefined();
  });

  test('is told of each secret of a robot, and which of them has expired', () => {
    const { secrets = [] } = accessOf(compiled, robot('builder'), now) ?? {};
    expect(secrets.map(({ token, isExpired, grants }) => [token.id, isExpired, grants.map(lineOf)])).toEqual([
      ['narrow', false, ['share: pull in sandbox/a/**']],
      ['past', true, []],
      ['whole', false, told(accessOf(compiled, robot('builder'), now))],
      ['elsewhere', false, []],
      [
        'crossing',
        false,
        [
          'share: pull+push+delete in what is in both sandbox/** and */app less push by frozen less delete by year-end',
          'share: pull+push in what is in both tools/** and */app',
        ],
      ],
    ]);
  });

  test('is what the gateway decides, name by name', () => {
    const segment = fc.constantFrom('a', 'b', 'dana');
    const pattern = fc.array(fc.constantFrom('a', 'b', '*', '**', '${account}'), { minLength: 1, maxLength: 3 });
    const rule = fc.record({
      effect: fc.constantFrom('allow', 'deny'),
      repositories: pattern,
      actions: fc.subarray(['pull', 'create', 'delete'], { minLength: 1 }),
    });
    const repository = fc.array(segment, { minLength: 1, maxLength: 3 }).map((names) => names.join('/'));
    fc.assert(
      fc.property(fc.array(rule, { minLength: 1, maxLength: 5 }), repository, (rules, name) => {
        const policy = compile(
          `users: { dana: {} }\nrules:\n${rules
            .map(
              ({ effect, repositories, actions }, index) =>
                `  - { name: r${index}, effect: ${effect}, subjects: [user:dana], repositories: ['${repositories.join('/')}'], actions: [${actions.join(', ')}] }\n`,
            )
            .join('')}`,
        );
        const matches = (text: string): boolean => {
          const parsed = parseRepositoryPattern(text);
          return !('problem' in parsed) && matchesRepository(parsed, name, 'dana');
        };
        const { grants = [] } = accessOf(policy, user('dana'), now) ?? {};
        for (const [action, bit] of [['pull', 1] as const, ['create', 2] as const, ['delete', 8] as const]) {
          const isTold = grants.some(
            ({ rights, repositories, exceptions }) =>
              (rights & bit) !== 0 &&
              repositories.some(matches) &&
              !exceptions.some(
                (each) => (each.rights & bit) !== 0 && each.rule.repositories.some(({ text }) => matches(text)),
              ),
          );
          const { allowed } = policy.decide({ principal: user('dana'), action, repository: name, now });
          expect(isTold).toBe(allowed);
        }
      }),
      { numRuns: sized(300) },
    );
  });
});
