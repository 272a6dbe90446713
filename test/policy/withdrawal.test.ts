import { describe, expect, test } from 'vitest';
import type { AccountsAndGroups, Policy } from '../../src/policy/model.ts';
import { withdraw } from '../../src/policy/withdrawal.ts';
import { mappedGroups, nameInFiles } from '../../src/policy/outside.ts';
import { compile, readPolicy } from '../support/policies.ts';

const policyOf = (...users: readonly string[]): string =>
  `groups: { devs: , leads: }\nusers:\n${users.map((user) => `  ${user}\n`).join('')}`;
const crowd = (size: number, from = 0): readonly string[] =>
  Array.from({ length: size - from }, (_, n) => `u${n + from}: { groups: [devs] }`);

describe('what a row of refused edits takes', () => {
  /** Who has lost something after each edit, and what is left at the end. */
  function after(
    good: string,
    ...edits: readonly string[]
  ): { losing: (readonly string[] | string)[]; left: AccountsAndGroups } {
    const compiled = compile(good);
    let left: AccountsAndGroups = compiled.policy;
    const losing = edits.map((edit) => {
      const taken = withdraw(compiled, left, compile(edit).policy);
      if (taken === undefined) return 'nothing more';
      if (taken.compiled === undefined) return `too many: ${taken.losing.length}`;
      left = taken.compiled.policy;
      return taken.losing;
    });
    return { losing, left };
  }

  test('is all that any of them takes, whatever the others say', () => {
    const both = policyOf('dana: { groups: [devs, leads] }', 'eve: {}', 'zoe: {}');
    const { losing, left } = after(
      both,
      policyOf('dana: { groups: [devs] }', 'zoe: {}'),
      policyOf('dana: { groups: [leads] }', 'eve: {}', 'zoe: {}'),
      policyOf('dana: { groups: [devs, leads] }', 'eve: {}', 'zoe: { disabled: true }'),
      both,
    );
    expect(losing).toEqual([['dana', 'eve'], ['dana', 'eve'], ['dana', 'eve', 'zoe'], 'nothing more']);
    expect([...left.users.values()]).toMatchObject([
      { name: 'dana', groups: [] },
      { name: 'zoe', disabled: true },
    ]);
  });

  test('never gives: an account and a membership that the good policy has not are not there', () => {
    const { losing, left } = after(
      policyOf('dana: { groups: [devs] }'),
      policyOf('dana: { groups: [leads] }', 'mallory: { groups: [leads] }'),
    );
    expect(losing).toEqual([['dana']]);
    expect([...left.users.values()]).toMatchObject([{ name: 'dana', groups: [] }]);
  });

  test.each([
    ['ten of them at any size', 10, [5, 10], [5, 10]],
    ['half of all', 40, [10, 20], [10, 20]],
    ['not more than half in all, however small the steps', 20, [6, 10, 11, 12], [6, 10, 'too many', 'too many']],
    ['not everybody by one edit', 20, [20], ['too many']],
  ] as const)('is bounded against the good policy: %s', (_what, size, gone, expected) => {
    const { losing } = after(
      policyOf(...crowd(size)),
      ...gone.map((from) => policyOf(...crowd(size, from), 'new: {}')),
    );
    expect(losing.map((each) => (typeof each === 'string' ? each.split(':')[0] : each.length))).toEqual(expected);
  });

  test('is bounded also where each edit takes others', () => {
    const names = crowd(20);
    const without = (from: number): string => policyOf(...names.slice(0, from), ...names.slice(from + 6));
    const { losing, left } = after(policyOf(...names), without(0), without(6), without(12));
    expect(losing.slice(1)).toEqual(['too many: 12', 'too many: 12']);
    expect(left.users.size).toBe(14);
  });
});

test('gates stand as before, also for whoever has left the group that a gate leaves out', () => {
  const gated = (user: string, ...gates: readonly string[]): string => `${policyOf(user)}rules:
  - { name: r, subjects: [everyone], repositories: ["release/**"], actions: [push] }
gates: [${gates.map((gate) => `{ ${gate}, repositories: ["release/**"], from: ["integration/**"] }`).join(', ')}]
`;
  const good = compile(gated('dana: { groups: [devs, leads] }', 'name: approved', 'name: open, except: [group:leads]'));
  const withdrawal = withdraw(good, good.policy, compile(gated('dana: { groups: [devs] }')).policy);
  const names = (groups: readonly string[]): readonly string[] | undefined =>
    withdrawal?.compiled?.gatesOf({ kind: 'user', name: 'dana', groups }, 'release/app').map(({ gate }) => gate.name);
  expect(withdrawal?.losing).toEqual(['dana']);
  expect(names(['devs'])).toEqual(['approved']);
  expect(withdrawal?.compiled?.gatesOf({ kind: 'user', name: 'eve', groups: [] }, 'release/app').length).toBe(2);
});

describe('of people from outside a refused edit', () => {
  const good = compile(`
groups: { devs: { from: ["ldap:devs", "ldap:more"] }, banned: { from: ["ldap:banned"] } }
rules:
  - { name: share, subjects: ['group:devs'], repositories: ['**'], actions: [pull] }
  - { name: not-they, effect: deny, subjects: ['group:banned'], repositories: ['**'], actions: [pull] }
`);
  const outside = { source: 'ldap', id: 'x', groups: ['devs', 'banned'] } as const;

  test('takes the groups that it no longer names, while denials go on by them', () => {
    const edit = readPolicy('groups: { devs: { from: ["ldap:more", "ldap:new"] } }');
    const taken = withdraw(good, good.policy, edit);
    if (taken?.compiled === undefined) throw new Error('nothing was taken');
    const left = taken.compiled;
    expect(taken.losing).toEqual(['group devs', 'group banned']);
    const mapped = (groups: readonly string[]) => mappedGroups(left.policy, { source: 'ldap', groups });
    expect([mapped(['devs']), mapped(['more']), mapped(['new']), mapped(['banned'])]).toEqual([[], ['devs'], [], []]);
    const asks = (groups: readonly string[]): boolean => {
      const principal = {
        kind: 'user',
        name: 'dana',
        groups: mapped(groups),
        outside: { ...outside, groups },
      } as const;
      return left.decide({ principal, action: 'pull', repository: 'a', now: 0 }).allowed;
    };
    expect([asks(['more']), asks(['devs']), asks(['more', 'banned'])]).toEqual([true, false, false]);
    expect(withdraw(good, left.policy, edit)).toBeUndefined();
  });

  test('shuts out whom it disables, though the good policy has no such user', () => {
    const edit = readPolicy(
      'groups: { devs: { from: ["ldap:devs", "ldap:more"] }, banned: { from: ["ldap:banned"] } }\nusers: { dana: { disabled: true, groups: [devs] }, zoe: { groups: [devs] } }',
    );
    const taken = withdraw(good, good.policy, edit);
    expect([...(taken?.compiled?.policy.users.values() ?? [])]).toMatchObject([
      { name: 'dana', disabled: true, groups: [] },
    ]);
    expect(taken?.losing).toEqual(['dana']);
    expect(withdraw(good, taken?.compiled?.policy ?? good.policy, edit)).toBeUndefined();
  });

  describe('gives nothing', () => {
    const hash = `$2b$04$${'.'.repeat(53)}`;
    const ci = 'ci: { issuer: "https://ci.test", audience: a, claims: { sub: b } }';
    const rest = `robots: { builder: {} }\nworkloads: { ${ci} }\n`;
    const before = compile(`users: { dana: { disabled: true }, eve: { password: '${hash}' }, max: {} }\n${rest}`);
    const after = (...edits: readonly string[]): Policy => {
      let left = before.policy;
      for (const edit of edits) left = withdraw(before, left, readPolicy(edit))?.compiled?.policy ?? left;
      return left;
    };

    test.each(['dana', 'eve', 'builder', 'ci'])('the name of %s, whose entry is gone, to nobody', (name) => {
      const policy = after('users: { max: {} }', 'rules: []');
      const { takenBy, disabled } = nameInFiles(policy, 'ldap', name.toUpperCase());
      expect(takenBy !== undefined || disabled).toBe(true);
      expect(nameInFiles(policy, 'htpasswd', name)).not.toMatchObject({ takenBy: undefined, disabled: false });
      expect(nameInFiles(policy, 'ldap', 'max')).toMatchObject({ takenBy: undefined, disabled: false });
    });

    test('the name of whoever has another password or trust to nobody', () => {
      const policy = after(`users: { dana: {}, eve: { password: '${hash.replace('04', '05')}' }, max: {} }
${rest.replace('sub: b', 'sub: c')}`);
      expect(nameInFiles(policy, 'ldap', 'dana').disabled).toBe(true);
      expect(nameInFiles(policy, 'ldap', 'eve').takenBy).toEqual({ kind: 'user', name: 'eve' });
      expect(nameInFiles(policy, 'ldap', 'ci').takenBy).toEqual({ kind: 'workload', name: 'ci' });
    });

    test('back to whom an earlier one shut', () => {
      const all = `users: { dana: { disabled: true }, eve: { password: '${hash}' }, max: {}, zoe: {} }\n${rest}`;
      const zoe = (entry: string): string => all.replace('zoe: {}', `zoe: ${entry}`);
      const policy = after(zoe('{ disabled: true }'), zoe('{ validFrom: 2026-01-01T00:00:00Z }'), all);
      const validFrom = Date.parse('2026-01-01');
      expect(nameInFiles(policy, 'ldap', 'Zoe')).toMatchObject({ disabled: true, validFrom, takenBy: undefined });
    });
  });
});

describe('the last who may administer', () => {
  const hash = `$2b$04$${'.'.repeat(53)}`;
  const other = `$2b$05$${'.'.repeat(53)}`;
  const rules = (...more: readonly string[]): string =>
    `rules:\n  - { name: look-after, subjects: ['group:admins'], repositories: ['**'], actions: [pull, administer], when: { days: [mon] } }\n${more.map((rule) => `  - ${rule}\n`).join('')}`;
  const files = (users: string, from = '', more: readonly string[] = []): string =>
    `groups: { admins: { ${from} }, devs: }\nusers: { ${users} }\nrobots: { bot: { groups: [admins] } }\n${rules(...more)}`;
  const ada = `ada: { groups: [admins], password: '${hash}' }`;
  const eve = `eve: { groups: [admins], password: '${hash}' }`;
  const dana = `dana: { groups: [devs] }`;

  /** Whether the edit takes something away, is refused as one that leaves nobody, or changes nothing. */
  function outcome(before: string, edit: string): string {
    const good = compile(before);
    const taken = withdraw(good, good.policy, compile(edit).policy);
    if (taken === undefined) return 'nothing';
    return taken.compiled !== undefined ? 'taken' : taken.isOfAllAdministrators === true ? 'nobody left' : 'too many';
  }

  test.each([
    ['is not taken by leaving them out', files(`${ada}, ${dana}`), files(dana), 'nobody left'],
    [
      'is not taken by disabling them',
      files(`${ada}, ${dana}`),
      files(`ada: { disabled: true }, ${dana}`),
      'nobody left',
    ],
    [
      'is not taken with the group',
      files(`${ada}, ${dana}`),
      files(`ada: { password: '${hash}' }, ${dana}`),
      'nobody left',
    ],
    ['is not taken with the password', files(ada), files(ada.replace(hash, other)), 'nobody left'],
    ['nor is what else the edit takes, then', files(`${ada}, ${dana}`), files(''), 'nobody left'],
    ['is taken where another one stays', files(`${ada}, ${eve}`), files(eve), 'taken'],
    [
      'is taken where somebody from outside may, too',
      files(ada, 'from: ["ldap:ops"]'),
      files('', 'from: ["ldap:ops"]'),
      'taken',
    ],
    ['is not taken from those outside, either', files(dana, 'from: ["ldap:ops"]'), files(dana), 'nobody left'],
    ['is no machine: one that stays is nobody', files(ada), files(''), 'nobody left'],
    ['leaves the edit alone where nobody ever could', files(dana), files(''), 'taken'],
    [
      'leaves it alone where a rule denies them that',
      files(ada, '', ["{ name: no, effect: deny, subjects: ['user:ada'], repositories: [a], actions: [administer] }"]),
      files(''),
      'taken',
    ],
  ])('%s', (_promise, before, edit, expected) => {
    expect(outcome(before, edit)).toBe(expected);
  });

  test('is not taken by a row of edits, either', () => {
    const good = compile(files(`${ada}, ${eve}, ${dana}`));
    const first = withdraw(good, good.policy, compile(files(`${eve}, ${dana}`)).policy);
    expect(first?.losing).toEqual(['ada']);
    const second = withdraw(good, first?.compiled?.policy ?? good.policy, compile(files(`${ada}, ${dana}`)).policy);
    expect(second).toMatchObject({ compiled: undefined, isOfAllAdministrators: true });
  });
});
