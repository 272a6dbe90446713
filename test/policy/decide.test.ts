import { describe, expect, test } from 'vitest';
import type { PolicyByName } from '../../src/policy/by-name.ts';
import { type Decision, compilePolicy } from '../../src/policy/evaluate.ts';
import type { Action, GroupMember, Named } from '../../src/policy/model.ts';
import { parseSubject } from '../../src/policy/files/place.ts';
import { anonymous, compile, readPolicy, user } from '../support/policies.ts';

const people = `
groups: { developers: , testers: , release-managers: }
users:
  dana: { groups: [developers] }
  tess: { groups: [testers, developers] }
  rita: { groups: [release-managers] }
  gone: { groups: [developers], disabled: true }
robots:
  builder: { groups: [developers] }
  retired: { disabled: true }
workloads:
  ci: { issuer: 'https://ci.example.com', audience: portcullis }
`;
const referrersTag = `sha256-${'0123456789abcdef'.repeat(4)}`;
const noon = Date.parse('2026-06-01T12:00:00Z');

/** `who` in subject notation, `what` as `push team/app:1.0`. */
function decide(
  policy: PolicyByName,
  who: string,
  what: string,
  when: Partial<{ now: number; address: string }> = {},
): Decision {
  const [action = '', target = ''] = what.split(' ');
  const [repository = '', tag] = target.split(':');
  const principal = parseSubject(who) as Named | GroupMember;
  return policy.decide({ now: noon, ...when, principal, action: action as Action, repository, tag });
}

interface Case {
  readonly promise: string;
  readonly rules: string;
  readonly may?: readonly (readonly [who: string, what: string])[];
  readonly mayNot?: readonly (readonly [who: string, what: string])[];
}

const cases: readonly Case[] = [
  {
    promise: 'what no rule allows is refused, to everybody',
    rules: 'rules: []',
    mayNot: [
      ['user:dana', 'pull sandbox/app'],
      ['anonymous', 'pull sandbox/app'],
      ['robot:builder', 'push sandbox/app'],
      ['group:developers', 'catalog sandbox/app'],
    ],
  },
  {
    promise: 'an allow gives exactly its subjects, repositories and actions',
    rules: 'rules: [{ name: a, subjects: ["group:developers"], repositories: ["sandbox/**"], actions: [pull] }]',
    may: [
      ['user:dana', 'pull sandbox/app'],
      ['user:dana', 'pull sandbox/deep/er/app:1'],
      ['robot:builder', 'pull sandbox/app'],
      ['group:developers', 'pull sandbox/app'],
    ],
    mayNot: [
      ['user:rita', 'pull sandbox/app'],
      ['workload:ci', 'pull sandbox/app'],
      ['user:dana', 'pull sandbox'],
      ['user:dana', 'pull sandboxes/app'],
      ['user:dana', 'pull other/sandbox/app'],
      ['user:dana', 'push sandbox/app'],
      ['user:dana', 'delete sandbox/app'],
      ['user:dana', 'catalog sandbox/app'],
      ['anonymous', 'pull sandbox/app'],
    ],
  },
  {
    promise: 'every matching allow counts: rights add up over groups, rules and files',
    rules: `rules:
      - { name: a, subjects: ['group:developers'], repositories: ['sandbox/**'], actions: [pull] }
      - { name: b, subjects: ['group:testers'], repositories: ['sandbox/*'], actions: [push] }
      - { name: c, subjects: ['user:tess'], repositories: ['sandbox/app'], actions: [delete] }`,
    may: [
      ['user:tess', 'pull sandbox/app'],
      ['user:tess', 'push sandbox/app'],
      ['user:tess', 'delete sandbox/app'],
    ],
    mayNot: [
      ['user:dana', 'push sandbox/app'],
      ['user:tess', 'delete sandbox/other'],
      ['user:tess', 'push sandbox/deep/app'],
    ],
  },
  {
    promise: 'one matching deny beats every allow, however specific',
    rules: `rules:
      - { name: exactly, subjects: ['user:dana'], repositories: ['sandbox/secret/app'], actions: [pull, push, delete] }
      - { name: widely, subjects: [everyone], repositories: ['**'], actions: [pull, push] }
      - { name: no, effect: deny, subjects: [authenticated], repositories: ['sandbox/secret/**'], actions: [pull, delete] }`,
    may: [
      ['user:dana', 'push sandbox/secret/app'],
      ['user:dana', 'pull sandbox/app'],
      ['anonymous', 'pull sandbox/secret/app'],
    ],
    mayNot: [
      ['user:dana', 'pull sandbox/secret/app'],
      ['user:dana', 'delete sandbox/secret/app'],
    ],
  },
  {
    promise: 'anonymous, authenticated and everyone divide the callers',
    rules: `rules:
      - { name: a, subjects: [anonymous], repositories: [open], actions: [pull] }
      - { name: b, subjects: [authenticated], repositories: [inner], actions: [pull] }
      - { name: c, subjects: [everyone], repositories: [hall], actions: [pull] }`,
    may: [
      ['anonymous', 'pull open'],
      ['user:dana', 'pull inner'],
      ['robot:builder', 'pull inner'],
      ['workload:ci', 'pull inner'],
      ['group:testers', 'pull inner'],
      ['anonymous', 'pull hall'],
      ['user:dana', 'pull hall'],
    ],
    mayNot: [
      ['user:dana', 'pull open'],
      ['anonymous', 'pull inner'],
    ],
  },
  {
    promise: 'a disabled account and one that does not exist may nothing, not even what everyone may',
    rules:
      'rules: [{ name: a, subjects: [everyone, "user:gone", "group:developers"], repositories: ["**"], actions: [pull, push, delete, catalog] }]',
    may: [['anonymous', 'pull a']],
    mayNot: [
      ['user:gone', 'pull a'],
      ['robot:retired', 'pull a'],
      ['user:nobody', 'pull a'],
      ['group:nobody', 'pull a'],
      ['workload:nobody', 'pull a'],
      // A name is an account of one kind only.
      ['robot:dana', 'pull a'],
      ['user:builder', 'pull a'],
    ],
  },
  {
    promise: 'an exception takes subjects out of a deny',
    rules: `rules:
      - { name: a, subjects: [authenticated], repositories: ['release/**'], actions: [pull, push] }
      - { name: b, effect: deny, subjects: [everyone], repositories: ['release/**'], actions: [push], except: ['group:release-managers'] }`,
    may: [
      ['user:rita', 'push release/app'],
      ['user:dana', 'pull release/app'],
    ],
    mayNot: [['user:dana', 'push release/app']],
  },
  {
    promise: 'an exception takes subjects out of an allow',
    rules:
      "rules: [{ name: a, subjects: [authenticated], except: ['user:tess', 'robot:builder'], repositories: ['**'], actions: [pull] }]",
    may: [['user:dana', 'pull a']],
    mayNot: [
      ['user:tess', 'pull a'],
      ['robot:builder', 'pull a'],
    ],
  },
  {
    promise: '${account} is the caller’s own name, compared as text',
    rules: `
users: { a.b: {}, axb: {}, x: {} }
rules:
  - { name: home, subjects: [authenticated], repositories: ['home/\${account}/**'], actions: [pull, push] }
  - { name: prefixed, subjects: [everyone], repositories: ['cache-\${account}-*'], actions: [pull] }`,
    may: [
      ['user:dana', 'push home/dana/app'],
      ['robot:builder', 'push home/builder/app'],
      ['user:a.b', 'push home/a.b/app'],
      ['user:dana', 'pull cache-dana-1'],
    ],
    mayNot: [
      ['user:dana', 'push home/tess/app'],
      ['user:dana', 'push home/dana'],
      ['user:dana', 'push home/danaa/app'],
      ['user:a.b', 'push home/axb/app'],
      ['anonymous', 'pull cache--1'],
      // A group has no name of its own.
      ['group:developers', 'push home/developers/app'],
    ],
  },
  {
    promise: 'push means creating and overwriting, and either is a reason to push',
    rules: `rules:
      - { name: a, subjects: ['user:dana'], repositories: [a], actions: [push] }
      - { name: b, subjects: ['user:dana'], repositories: [b], actions: [create] }
      - { name: c, subjects: ['user:dana'], repositories: [c], actions: [overwrite] }`,
    may: [
      ['user:dana', 'push a'],
      ['user:dana', 'create a'],
      ['user:dana', 'overwrite a'],
      ['user:dana', 'push b'],
      ['user:dana', 'create b'],
      ['user:dana', 'push c'],
    ],
    mayNot: [
      ['user:dana', 'overwrite b'],
      ['user:dana', 'create c'],
      ['user:dana', 'delete a'],
    ],
  },
  {
    promise: 'tags of an allow bind requests that name a tag; without one the repository decides',
    rules:
      "rules: [{ name: a, subjects: ['user:dana'], repositories: [app], tags: ['dev-*', latest], actions: [pull, push] }]",
    may: [
      ['user:dana', 'push app:dev-1'],
      ['user:dana', 'push app:latest'],
      ['user:dana', 'pull app'],
      ['user:dana', 'push app'],
    ],
    mayNot: [
      ['user:dana', 'push app:v1'],
      ['user:dana', 'pull app:Latest'],
      ['user:dana', 'push app:xdev-1'],
    ],
  },
  {
    promise: 'tags of a deny forbid named tags, and what tags are made of: never a pull by digest',
    rules: `rules:
      - { name: a, subjects: [authenticated], repositories: ['**'], actions: [pull, push, delete] }
      - { name: b, effect: deny, subjects: [everyone], repositories: ['release/**'], tags: ['v*'], actions: [overwrite, delete] }`,
    may: [
      ['user:dana', 'overwrite release/app:w1'],
      ['user:dana', 'overwrite release/app'],
      ['user:dana', 'pull release/app'],
      ['user:dana', 'delete other/app'],
      ['user:dana', 'create release/app:v1'],
      ['user:dana', 'overwrite other/app:v1'],
      // Creating is still allowed, so a push is let through to be judged when it is known which of both it is.
      ['user:dana', 'push release/app:v1'],
    ],
    mayNot: [
      ['user:dana', 'delete release/app'],
      ['user:dana', 'overwrite release/app:v1'],
      ['user:dana', 'delete release/app:v1.2'],
    ],
  },
  {
    promise: 'a referrers tag is read like the digest it stands for, where some tag may be read and no deny names it',
    rules: `rules:
      - { name: a, subjects: ['user:dana'], repositories: [app], tags: ['v*'], actions: [pull, push, delete] }
      - { name: b, subjects: ['user:dana'], repositories: [dev], tags: ['dev-*'], actions: [push] }
      - { name: c, subjects: ['user:dana'], repositories: [kept], tags: ['v*'], actions: [pull] }
      - { name: d, effect: deny, subjects: [everyone], repositories: [kept], tags: ['*.sig'], actions: [pull] }`,
    may: [
      ['user:dana', `pull app:${referrersTag}`],
      ['user:dana', `pull app:${referrersTag}.sig`],
      ['user:dana', `pull kept:${referrersTag}.att`],
    ],
    mayNot: [
      ['user:dana', `pull app:${referrersTag.slice(0, -1)}`],
      ['user:dana', `pull kept:${referrersTag}.sig`],
      ['user:dana', `pull other:${referrersTag}`],
      ['user:dana', `push app:${referrersTag}.sig`],
      ['user:dana', `overwrite app:${referrersTag}.sig`],
      ['user:dana', `delete app:${referrersTag}.sig`],
      ['anonymous', `pull app:${referrersTag}`],
    ],
  },
  {
    promise: 'a shadow rule decides nothing, neither as allow nor as deny',
    rules: `rules:
      - { name: a, subjects: ['user:dana'], repositories: [app], actions: [pull] }
      - { name: b, mode: shadow, subjects: ['user:dana'], repositories: [app], actions: [push] }
      - { name: c, mode: shadow, effect: deny, subjects: ['user:dana'], repositories: [app], actions: [pull] }`,
    may: [['user:dana', 'pull app']],
    mayNot: [['user:dana', 'push app']],
  },
];

describe('a decision', () => {
  test.each(cases)('$promise', ({ rules, may = [], mayNot = [] }) => {
    const policy = compile(people, rules);
    for (const [who, what] of may) expect([who, what, decide(policy, who, what).allowed]).toEqual([who, what, true]);
    for (const [who, what] of mayNot)
      expect([who, what, decide(policy, who, what).allowed]).toEqual([who, what, false]);
  });

  test('names the rule that decided and why, the first by name when several would', () => {
    const policy = compile(
      people,
      `rules:
        - { name: b-allow, subjects: [everyone], repositories: ['**'], actions: [pull] }
        - { name: a-allow, subjects: ['user:dana'], repositories: [app], actions: [pull, push] }
        - { name: z-deny, effect: deny, subjects: ['user:tess'], repositories: [app], actions: [pull] }
        - { name: y-deny, effect: deny, subjects: ['user:tess'], repositories: ['**'], actions: [pull] }`,
    );
    expect(decide(policy, 'user:dana', 'pull app')).toMatchObject({ reason: 'rule_allows', rule: { name: 'a-allow' } });
    expect(decide(policy, 'user:tess', 'pull app')).toMatchObject({ reason: 'rule_denies', rule: { name: 'y-deny' } });
    expect(decide(policy, 'user:tess', 'delete app')).toMatchObject({ reason: 'no_rule', rule: undefined });
    expect(decide(policy, 'user:gone', 'pull app')).toMatchObject({ reason: 'account_unknown', rule: undefined });
  });

  test('tells which shadow rules would have turned it', () => {
    const policy = compile(
      people,
      `rules:
        - { name: a, subjects: ['user:dana'], repositories: [app], actions: [pull] }
        - { name: would-stop, mode: shadow, effect: deny, subjects: ['user:dana'], repositories: [app], actions: [pull] }
        - { name: would-let, mode: shadow, subjects: ['user:tess'], repositories: [app], actions: [pull] }
        - { name: would-repeat, mode: shadow, subjects: ['user:dana'], repositories: [app], actions: [pull] }`,
    );
    expect(decide(policy, 'user:dana', 'pull app').shadow.map(({ name }) => name)).toEqual(['would-stop']);
    expect(decide(policy, 'user:tess', 'pull app').shadow.map(({ name }) => name)).toEqual(['would-let']);
    expect(decide(policy, 'user:dana', 'push app').shadow).toEqual([]);
  });
});

describe('reading while pushing', () => {
  const policy = compile(
    people,
    `rules:
      - { name: fill, subjects: ['robot:builder'], repositories: ['**'], actions: [push] }
      - { name: create-only, subjects: ['user:tess'], repositories: ['**'], actions: [create] }
      - { name: read, subjects: ['user:dana'], repositories: ['**'], actions: [pull] }
      - { name: blind, effect: deny, subjects: ['robot:builder'], repositories: ['secret/**'], actions: [pull] }
      - { name: closed, effect: deny, subjects: ['robot:builder'], repositories: ['closed/**'], actions: [push] }`,
  );
  const reads = (who: Named, repository: string, readWhilePushing: boolean): boolean =>
    policy.decide({ now: noon, principal: who, action: 'pull', repository, readWhilePushing }).allowed;
  const builder: Named = { kind: 'robot', name: 'builder' };

  test('needs no pull: the right to push is enough for blobs and manifests', () => {
    expect(reads(builder, 'app', true)).toBe(true);
    expect(reads(user('tess'), 'app', true)).toBe(true);
  });

  test('is not a pull: lists and referrers need one', () => {
    expect(reads(builder, 'app', false)).toBe(false);
  });

  test('does not get past a deny of pull', () => {
    expect(reads(builder, 'secret/app', true)).toBe(false);
  });

  test('ends where pushing is denied', () => {
    expect(reads(builder, 'closed/app', true)).toBe(false);
  });

  test('gives nothing to who may neither push nor pull', () => {
    expect(reads(anonymous, 'app', true)).toBe(false);
    expect(reads(user('dana'), 'app', true)).toBe(true);
  });
});

describe('a condition', () => {
  const rule = (when: string, effect = 'allow'): string =>
    `rules: [{ name: r, effect: ${effect}, subjects: [everyone], repositories: [app], actions: [pull], when: ${when} }]`;
  const holds = (when: string, at: string, address?: string): boolean => {
    const now = Date.parse(at);
    if (Number.isNaN(now)) throw new Error(`not an instant: ${at}`);
    const policy = compile(rule(when));
    return policy.decide({ now, address, principal: anonymous, action: 'pull', repository: 'app' }).allowed;
  };

  const inTime: readonly (readonly [when: string, at: string, holds: boolean, why: string])[] = [
    ['{ after: 2026-12-24 }', '2026-12-23T23:59:59.999Z', false, 'a plain date begins at midnight UTC'],
    ['{ after: 2026-12-24 }', '2026-12-24T00:00:00Z', true, '`after` itself is inside'],
    ['{ before: 2026-12-24T12:00:00+02:00 }', '2026-12-24T09:59:59Z', true, 'an offset is counted'],
    ['{ before: 2026-12-24T12:00:00+02:00 }', '2026-12-24T10:00:00Z', false, '`before` itself is outside'],
    ['{ days: [mon, tue] }', '2026-06-01T00:00:00Z', true, 'a Monday'],
    ['{ days: [mon, tue] }', '2026-05-31T23:59:59Z', false, 'a Sunday'],
    ['{ days: [mon], zone: Asia/Tokyo }', '2026-05-31T15:00:00Z', true, 'already Monday in Tokyo'],
    ['{ days: [sun], zone: America/Los_Angeles }', '2026-06-01T06:59:00Z', true, 'still Sunday in Los Angeles'],
    ['{ hours: 09:00-17:30 }', '2026-06-01T08:59:59Z', false, 'before opening'],
    ['{ hours: 09:00-17:30 }', '2026-06-01T09:00:00Z', true, 'the first minute is inside'],
    ['{ hours: 09:00-17:30 }', '2026-06-01T17:29:59Z', true, 'the last minute is inside'],
    ['{ hours: 09:00-17:30 }', '2026-06-01T17:30:00Z', false, 'the end is outside'],
    ['{ hours: 18:00-06:00 }', '2026-06-01T23:00:00Z', true, 'over midnight, in the evening'],
    ['{ hours: 18:00-06:00 }', '2026-06-01T05:59:00Z', true, 'over midnight, in the morning'],
    ['{ hours: 18:00-06:00 }', '2026-06-01T06:00:00Z', false, 'over midnight, the end is outside'],
    ['{ hours: 18:00-06:00 }', '2026-06-01T12:00:00Z', false, 'over midnight, at noon'],
    ['{ hours: 00:00-24:00 }', '2026-06-01T23:59:59Z', true, 'midnight may be written as an end'],
    ['{ hours: 22:00-24:00 }', '2026-06-01T00:00:00Z', false, 'midnight begins the next day'],
    ['{ hours: 09:00-10:00, zone: Europe/Berlin }', '2026-06-01T07:30:00Z', true, 'summer time in Berlin'],
    ['{ hours: 09:00-10:00, zone: Europe/Berlin }', '2026-12-01T07:30:00Z', false, 'winter time in Berlin'],
    ['{ hours: 09:00-10:00, zone: Europe/Berlin }', '2026-12-01T08:30:00Z', true, 'winter time in Berlin'],
    [
      '{ days: [sun], hours: 02:00-03:00, zone: Europe/Berlin }',
      '2026-10-25T00:30:00Z',
      true,
      'the hour before the clocks go back',
    ],
    ['{ days: [sun], hours: 02:00-03:00, zone: Europe/Berlin }', '2026-10-25T01:30:00Z', true, 'the same hour again'],
    ['{ days: [mon], hours: 09:00-17:00 }', '2026-06-02T12:00:00Z', false, 'all parts must hold'],
  ];
  test.each(inTime)('%s at %s: %s (%s)', (when, at, expected) => {
    expect(holds(when, at)).toBe(expected);
  });

  const fromAddress: readonly (readonly [
    networks: string,
    address: string | undefined,
    holds: boolean,
    why: string,
  ])[] = [
    ['[10.0.0.0/8]', '10.255.255.255', true, 'inside'],
    ['[10.0.0.0/8]', '11.0.0.0', false, 'outside'],
    ['[192.0.2.7]', '192.0.2.7', true, 'a single address'],
    ['[192.0.2.7]', '192.0.2.70', false, 'not as a beginning of text'],
    ['[10.0.0.0/8, "2001:db8::/32"]', '2001:db8::1', true, 'one of several networks is enough'],
    ['["2001:db8::/32"]', '2001:DB8:0:0::1', true, 'however IPv6 is written'],
    ['["2001:db8::/32"]', '2001:db9::1', false, 'outside in IPv6'],
    ['[10.0.0.0/8]', '::ffff:10.1.2.3', true, 'IPv4 as mapped IPv6'],
    ['[10.0.0.0/8]', '::ffff:a01:203', true, 'IPv4 as mapped IPv6 in hexadecimal'],
    ['[0.0.0.0/0]', '203.0.113.9', true, 'all of IPv4'],
    ['["0.0.0.0/0", "::/0"]', undefined, false, 'an unknown address is nowhere'],
    ['["0.0.0.0/0", "::/0"]', '', false, 'an empty address is nowhere'],
    ['["0.0.0.0/0"]', '10.0.0.1, 10.0.0.2', false, 'a list is no address'],
    ['["0.0.0.0/0"]', '010.0.0.1', false, 'an octal spelling is no address'],
  ];
  test.each(fromAddress)('addresses %s, from %s: %s (%s)', (networks, address, expected) => {
    expect(holds(`{ addresses: ${networks} }`, '2026-06-01T12:00:00Z', address)).toBe(expected);
  });

  test('of a deny that does not hold forbids nothing', () => {
    const allow = 'rules: [{ name: a, subjects: [everyone], repositories: [app], actions: [pull] }]';
    const policy = compile(allow, rule('{ addresses: [10.0.0.0/8] }', 'deny'));
    const pulls = (address: string | undefined): boolean =>
      policy.decide({ now: noon, address, principal: anonymous, action: 'pull', repository: 'app' }).allowed;
    expect(pulls('10.0.0.1')).toBe(false);
    expect(pulls('192.0.2.1')).toBe(true);
  });

  test('with before and after holds in between', () => {
    const freeze = '{ after: 2026-12-24T00:00:00Z, before: 2027-01-02T00:00:00Z }';
    expect(holds(freeze, '2026-12-31T00:00:00Z')).toBe(true);
    expect(holds(freeze, '2027-01-02T00:00:00Z')).toBe(false);
    expect(holds(freeze, '2026-12-23T00:00:00Z')).toBe(false);
  });
});

describe('the catalog', () => {
  const lists = (rules: string, who: string, address?: string): boolean =>
    compile(people, rules).mayListCatalog(parseSubject(who) as Named, { now: noon, address }).allowed;

  const all = "rules: [{ name: a, subjects: ['group:developers'], repositories: ['**'], actions: [catalog] }]";
  test('may be called by whom any rule gives `catalog`, and by nobody else', () => {
    expect(lists(all, 'user:dana')).toBe(true);
    expect(lists(all, 'user:rita')).toBe(false);
    expect(lists(all, 'anonymous')).toBe(false);
    expect(lists(all, 'user:gone')).toBe(false);
    expect(
      lists(
        "rules: [{ name: a, subjects: [everyone], repositories: ['**'], actions: [pull, push, delete] }]",
        'user:dana',
      ),
    ).toBe(false);
  });

  test('may be called for a part: names are judged one by one', () => {
    const part = "rules: [{ name: a, subjects: [everyone], repositories: ['sandbox/*'], actions: [catalog, pull] }]";
    const policy = compile(people, part);
    expect(lists(part, 'user:dana')).toBe(true);
    expect(decide(policy, 'user:dana', 'catalog sandbox/app').allowed).toBe(true);
    expect(decide(policy, 'user:dana', 'catalog release/app').allowed).toBe(false);
  });

  test('is closed by a deny for all repositories, by a condition and by an exception', () => {
    const deny =
      "rules: [{ name: n, effect: deny, subjects: ['user:dana'], repositories: ['**'], actions: [catalog] }, ";
    expect(lists(all.replace('rules: [', deny), 'user:dana')).toBe(false);
    expect(lists(all.replace('rules: [', deny), 'user:tess')).toBe(true);
    expect(lists(all.replace(' }]', ', when: { addresses: [10.0.0.0/8] } }]'), 'user:dana', '192.0.2.1')).toBe(false);
    expect(lists(all.replace(' }]', ', when: { addresses: [10.0.0.0/8] } }]'), 'user:dana', '10.0.0.1')).toBe(true);
    expect(lists(all.replace(' }]', ", except: ['user:dana'] }]"), 'user:dana')).toBe(false);
    expect(lists(all.replace(' }]', ', mode: shadow }]'), 'user:dana')).toBe(false);
  });
});

describe('what no tag names may be deleted', () => {
  const allow = (more: string): string =>
    `{ name: allow, subjects: ['user:dana'], repositories: [app], actions: [delete]${more} }`;
  const deny = (more: string): string =>
    `{ name: deny, effect: deny, subjects: [everyone], repositories: [app], ${more} }`;
  /** Whether a layer, a manifest without a tag, and anything at all may be. */
  const cases: readonly (readonly [when: string, rules: string, layer: boolean, manifest: boolean, some: boolean])[] = [
    ['by who may delete', allow(''), true, true, true],
    ['not by who may delete certain tags only', allow(`, tags: ['draft-*']`), false, false, true],
    ['not by who may delete every tag by name', allow(`, tags: ['*']`), false, false, true],
    [
      'but no layers where tags may not be deleted',
      `${allow('')}, ${deny("tags: ['v*'], actions: [delete]")}`,
      false,
      true,
      true,
    ],
    [
      'but no layers where tags may not be moved',
      `${allow('')}, ${deny("tags: ['v*'], actions: [overwrite]")}`,
      false,
      true,
      true,
    ],
    [
      'but no layers where tags may not be pushed',
      `${allow('')}, ${deny("tags: ['v*'], actions: [push]")}`,
      false,
      true,
      true,
    ],
    [
      'where tags may only not be created',
      `${allow('')}, ${deny("tags: ['v*'], actions: [create]")}`,
      true,
      true,
      true,
    ],
    ['where tags may only not be read', `${allow('')}, ${deny("tags: ['v*'], actions: [pull]")}`, true, true, true],
    [
      'where the rule that keeps tags is on trial',
      `${allow('')}, ${deny("tags: ['v*'], actions: [delete], mode: shadow")}`,
      true,
      true,
      true,
    ],
    [
      'by whom that rule leaves out',
      `${allow('')}, ${deny("tags: ['v*'], actions: [delete], except: ['user:dana']")}`,
      true,
      true,
      true,
    ],
    [
      'while that rule does not hold',
      `${allow('')}, ${deny("tags: ['v*'], actions: [delete], when: { before: 2026-01-01 }")}`,
      true,
      true,
      true,
    ],
    [
      'but no layers while it holds',
      `${allow('')}, ${deny("tags: ['v*'], actions: [delete], when: { after: 2026-01-01 }")}`,
      false,
      true,
      true,
    ],
    [
      'where it is about tags of one’s own name',
      `${allow('')}, ${deny("tags: ['${account}-*'], actions: [delete]")}`,
      false,
      true,
      true,
    ],
    ['not where nothing may be deleted', `${allow('')}, ${deny('actions: [delete]')}`, false, false, false],
  ];
  test.each(cases)('%s', (_when, rules, layer, manifest, some) => {
    const policy = compile(people, `rules: [${rules}]`);
    const question = { principal: user('dana'), action: 'delete', repository: 'app', now: noon } as const;
    expect(policy.decide(question).allowed).toBe(layer);
    expect(policy.decide({ ...question, deletes: 'layer' }).allowed).toBe(layer);
    expect(policy.decide({ ...question, deletes: 'manifest' }).allowed).toBe(manifest);
    expect(policy.decide({ ...question, deletes: 'something' }).allowed).toBe(some);
  });

  test('and the rule that keeps its tags is named where it forbids it', () => {
    const policy = compile(people, `rules: [${allow('')}, ${deny("tags: ['v*'], actions: [overwrite]")}]`);
    expect(decide(policy, 'user:dana', 'delete app').rule?.name).toBe('deny');
    expect(decide(policy, 'user:dana', 'delete app:v1')).toMatchObject({ allowed: true });
  });
});

describe('somebody from elsewhere', () => {
  const rules = `
rules:
  - { name: share, subjects: ['group:developers'], repositories: ['sandbox/**'], actions: [pull] }
  - { name: own, subjects: [authenticated], repositories: ['people/\${account}/**'], actions: [pull] }
limits: [{ name: few, subjects: ['group:testers'], count: pull, per: account, rate: 1/1s }]
`;
  const policy = compilePolicy(readPolicy(people, rules));
  const reads = (groups: readonly string[], repository: string, name = 'stranger'): boolean =>
    policy.decide({ now: noon, principal: { kind: 'user', name, groups }, action: 'pull', repository }).allowed;

  test('is judged in the groups that they bring, without an entry in the files', () => {
    expect(reads(['developers'], 'sandbox/app')).toBe(true);
    expect(reads([], 'sandbox/app')).toBe(false);
    expect(reads([], 'people/stranger/app')).toBe(true);
  });

  test('is not taken for another of the same name: neither what the files say of it nor what was asked before counts', () => {
    expect(reads([], 'sandbox/app', 'dana')).toBe(false);
    expect(reads(['developers'], 'sandbox/app', 'dana')).toBe(true);
    expect(reads([], 'sandbox/app', 'dana')).toBe(false);
    const limitsOf = (groups: readonly string[]): number =>
      policy.limitsOf({ kind: 'user', name: 'dana', groups }, 'pull').length;
    expect([limitsOf(['testers']), limitsOf([]), limitsOf(['testers'])]).toEqual([1, 0, 1]);
  });
});
