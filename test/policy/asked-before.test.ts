/** What is remembered of one question answers no other. */
import { expect, test } from 'vitest';
import type { PolicyByName } from '../../src/policy/by-name.ts';
import type { Question } from '../../src/policy/evaluate.ts';
import type { GroupMember, Named } from '../../src/policy/model.ts';
import { anonymous, compile, user } from '../support/policies.ts';

type Asked = Question<Named | GroupMember>;

/** Each rule makes one part of a question matter. */
const policy = `
users: { dana: {}, eve: {} }
groups: { g: null }
rules:
  - { name: all, subjects: [everyone], repositories: [a/**, b/**, c/**], actions: [pull] }
  - { name: people-push, subjects: [authenticated], repositories: ['**'], actions: [push] }
  - { name: some-tags-go, subjects: [authenticated], repositories: ['b/**'], tags: ['v*'], actions: [delete] }
  - { name: tags-stay, effect: deny, subjects: ['user:eve'], repositories: ['**'], tags: ['v*'], actions: [push, delete] }
  - { name: from-home, effect: deny, subjects: ['user:dana'], repositories: ['a/**'], actions: [push], when: { addresses: [10.0.0.0/8] } }
  - { name: later, effect: deny, subjects: [everyone], repositories: ['b/**'], actions: [pull], when: { after: 2030-01-01T00:00:00Z } }
  - { name: own, subjects: [authenticated], repositories: ['own-\${account}/**'], actions: [delete, catalog] }
  - { name: no-reading, effect: deny, subjects: [anonymous], repositories: [b/**], tags: ['sha256-*'], actions: [pull] }
  - { name: writers, subjects: ['user:eve'], repositories: [c/**], actions: [promote, push] }
  - { name: unread, effect: deny, subjects: ['user:eve'], repositories: [c/**], actions: [pull] }
  - { name: kept, effect: deny, subjects: ['user:dana'], repositories: [c/**], actions: [overwrite] }
  - { name: may-carry, subjects: ['user:dana'], repositories: [c/**], actions: [promote] }
  - { name: signed, subjects: [anonymous], repositories: [d/**], tags: ['v*'], actions: [pull] }
  - { name: two-of-a, effect: deny, subjects: ['group:g'], repositories: [a/tw*], actions: [pull] }
  - { name: two-of-b, effect: deny, subjects: ['group:g'], repositories: [b/two], actions: [pull] }
  - { name: hidden, effect: deny, subjects: [anonymous], repositories: [d/**], actions: [catalog] }
`;
const referrers = `sha256-${'a'.repeat(64)}`;

/** A new part of a question does not compile until it stands here. */
const values: { readonly [Part in keyof Required<Asked>]: readonly Asked[Part][] } = {
  now: [0, Date.parse('2031-01-01')],
  address: [undefined, '10.0.0.1'],
  principal: [user('dana'), user('eve'), { kind: 'group', name: 'g' }, anonymous],
  action: ['pull', 'push', 'create', 'overwrite', 'delete', 'promote', 'catalog'],
  repository: ['a/one', 'a/two', 'b/one', 'b/two', 'c/one', 'd/one', 'e/one', 'own-eve/x', 'own-dana/x', 'own-danax/x'],
  tag: [undefined, 'v1', referrers],
  deletes: [undefined, 'manifest', 'something'],
  writes: [undefined, 'overwrite'],
  readWhilePushing: [false, true],
  isListing: [false, true],
};
const parts = Object.keys(values) as readonly (keyof Asked)[];

const every = parts.reduce<readonly Partial<Asked>[]>(
  (questions, part) => questions.flatMap((each) => values[part].map((value) => ({ ...each, [part]: value }))),
  [{}],
) as readonly Asked[];

/** Of the same shape as the one that it is compared with. */
function said(compiled: PolicyByName, asked: Asked): string {
  const { allowed, rule } = compiled.decide(asked);
  return `${allowed ? 'allow' : 'deny'} ${rule?.name ?? ''}`;
}

test('a question answers the same whatever was asked right before it, be it one part away', () => {
  const forgetting = compile(policy);
  const other: Asked = { now: 1, principal: user('dana'), action: 'inspect', repository: 'elsewhere/x' };
  const alone = (asked: Asked): string => (said(forgetting, other), said(forgetting, asked));
  const compiled = compile(policy);
  const turned = new Set<string>();
  for (const [at, asked] of every.entries()) {
    // Every seventh is next to each part's values often enough.
    if (at % 7 !== 0) continue;
    for (const part of parts)
      for (const value of values[part]) {
        const next = { ...asked, [part]: value };
        const expected = alone(next);
        if (said(compiled, asked) !== expected) turned.add(part);
        if (said(compiled, next) !== expected)
          expect([asked, next, said(compiled, next)]).toEqual([asked, next, expected]);
      }
  }
  // Nothing of a question is left untried.
  expect([...turned].sort()).toEqual([...parts].sort());
});
