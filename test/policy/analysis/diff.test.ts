import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type PolicyDiff, cause, diffPolicies } from '../../../src/policy/analysis/diff.ts';
import { compileByName } from '../../../src/policy/by-name.ts';
import type { Policy, Named } from '../../../src/policy/model.ts';
import { anonymous, readPolicy, user } from '../../support/policies.ts';
import { sized } from '../../support/size.ts';

const now = Date.parse('2026-06-03T12:00:00Z');
const people = `
users: { dana: { groups: [devs] }, rita: { groups: [managers] }, olaf: {}, both: { groups: [devs, managers] } }
groups: { devs: , managers: }
`;

function policy(rules: readonly string[], who = people): Policy {
  return readPolicy(`${who}rules:\n${rules.map((rule) => `  - { ${rule} }\n`).join('') || '  []\n'}`);
}

const signs = { granted: '+', revoked: '-', changed: '~' };

function lines({ accounts, changes }: PolicyDiff): readonly string[] {
  return [
    ...accounts.map(({ kind, sentence }) => `${signs[kind]} ${sentence}`),
    ...changes.map((change) => `${signs[change.kind]} ${change.sentence} (${cause(change) ?? 'no rule'})`),
  ];
}

function diff(before: readonly string[], after: readonly string[]): readonly string[] {
  return lines(diffPolicies(policy(before), policy(after), { now }));
}

const publish = 'name: publish, subjects: [group:managers], repositories: ["release/**"], actions: [pull, push]';
const share = 'name: share, subjects: [authenticated], repositories: ["sandbox/**"], actions: [pull, push]';
const legacy = 'name: legacy, subjects: [user:olaf], repositories: ["legacy/**"], actions: [pull]';

describe('a difference of policies', () => {
  const cases: readonly (readonly [
    promise: string,
    before: readonly string[],
    after: readonly string[],
    found: readonly string[],
  ])[] = [
    ['is none where only the order of rules differs', [publish, share, legacy], [legacy, share, publish], []],
    ['is none where a rule only has another name', [legacy], [legacy.replace('name: legacy', 'name: old')], []],
    [
      'is none where one rule is written as two',
      [legacy.replace('[pull]', '[pull, delete]')],
      [legacy, 'name: two, subjects: [user:olaf], repositories: ["legacy/**"], actions: [delete]'],
      [],
    ],
    [
      'tells that layers may no longer be deleted where tags are kept',
      [legacy.replace('[pull]', '[delete]')],
      [
        legacy.replace('[pull]', '[delete]'),
        'name: keep, effect: deny, subjects: [everyone], repositories: ["legacy/**"], tags: ["v*"], actions: [overwrite]',
      ],
      ['- user:olaf may no longer delete legacy/** (layers) (rule keep, 0.yaml:6)'],
    ],
    [
      'tells a right to promote that is new, and what of pushing went with it',
      [publish],
      [publish.replace('push', 'promote')],
      [
        '+ group:managers may now promote release/** (rule publish, 0.yaml:5)',
        '- group:managers may no longer push release/** (was rule publish, 0.yaml:5)',
      ],
    ],
    [
      'tells that a denial of pushing ends promotions, and one of overwriting those over tags that exist',
      [publish.replace('push', 'promote'), legacy.replace('pull', 'promote')],
      [
        publish.replace('push', 'promote'),
        legacy.replace('pull', 'promote'),
        'name: shut, effect: deny, subjects: [everyone], repositories: ["release/**"], actions: [push]',
        'name: kept, effect: deny, subjects: [everyone], repositories: ["legacy/**"], tags: ["v*"], actions: [overwrite]',
      ],
      [
        '- group:managers may no longer promote release/** (rule shut, 0.yaml:7)',
        '- user:olaf may no longer promote over existing tags legacy/** (tags v*) (rule kept, 0.yaml:8)',
      ],
    ],
    [
      'tells what a group may now do, once for the group',
      [publish],
      [publish, 'name: fill, subjects: [group:devs], repositories: ["integration/**"], actions: [pull, push]'],
      ['+ group:devs may now pull, push integration/** (rule fill, 0.yaml:6)'],
    ],
    [
      'tells what one user may no longer do, and by which rule it was allowed',
      [publish, legacy],
      [publish],
      ['- user:olaf may no longer pull legacy/** (was rule legacy, 0.yaml:6)'],
    ],
    [
      'tells a denial that takes something away, for whom there was something to take',
      [share],
      [
        share,
        'name: not-olaf, effect: deny, subjects: [user:olaf], repositories: ["**"], actions: [pull, push, delete]',
      ],
      ['- user:olaf may no longer pull, push sandbox/** (rule not-olaf, 0.yaml:6)'],
    ],
    [
      'tells a time limit that is new',
      [publish],
      [`${publish}, when: { before: 2027-01-02 }`],
      [
        '~ group:managers may pull, push release/** only while it is before 2027-01-02T00:00:00Z (before: at any time) (rule publish, 0.yaml:5)',
      ],
    ],
    [
      'tells a freeze as an exception in time',
      [publish],
      [
        publish,
        'name: freeze, effect: deny, subjects: [everyone], repositories: ["release/**"], actions: [push], when: { after: 2026-12-24, before: 2027-01-02 }',
      ],
      [
        '~ group:managers may push release/** except while it is after 2026-12-24T00:00:00Z and before 2027-01-02T00:00:00Z (before: at any time) (rule freeze, 0.yaml:6)',
      ],
    ],
    [
      'tells who is left out of what a larger group gets or loses',
      [share, 'name: not-olaf, effect: deny, subjects: [user:olaf], repositories: ["**"], actions: [pull]'],
      [
        share.replace('[authenticated]', '[group:devs]'),
        'name: not-olaf, effect: deny, subjects: [user:olaf], repositories: ["**"], actions: [pull]',
        'name: open, subjects: [authenticated], repositories: ["open/**"], actions: [pull]',
      ],
      [
        '+ authenticated (but not user:olaf) may now pull open/** (rule open, 0.yaml:7)',
        '- authenticated (but not group:devs) may no longer pull, push sandbox/** (was rule share, 0.yaml:5)',
      ],
    ],
    [
      'tells hours and networks of something new',
      [],
      [
        'name: nights, subjects: [group:devs], repositories: ["nightly/**"], actions: [push], when: { hours: "18:00-06:00", zone: Europe/Berlin, addresses: [10.0.0.0/8] }',
      ],
      [
        '+ group:devs may now push nightly/** only while it is between 18:00 and 06:00 Europe/Berlin, and the address is in 10.0.0.0/8 (rule nights, 0.yaml:5)',
      ],
    ],
    [
      'tells which tags it is about',
      [publish],
      [
        publish,
        'name: immutable, effect: deny, subjects: [everyone], repositories: ["release/**"], tags: ["v*"], actions: [overwrite]',
      ],
      ['- group:managers may no longer overwrite release/** (tags v*) (rule immutable, 0.yaml:6)'],
    ],
    [
      'finds tags that two patterns match',
      ['name: rc, subjects: [user:olaf], repositories: [app], tags: ["*-rc"], actions: [push]'],
      [
        'name: rc, subjects: [user:olaf], repositories: [app], tags: ["*-rc"], actions: [push]',
        'name: no-v, effect: deny, subjects: [everyone], repositories: [app], tags: ["v*"], actions: [push]',
      ],
      ['- user:olaf may no longer push app (tags *-rc and v*) (rule no-v, 0.yaml:6)'],
    ],
    [
      'tells what stays closed inside of what opens',
      ['name: locked, effect: deny, subjects: [everyone], repositories: ["sandbox/locked/**"], actions: [push]'],
      ['name: locked, effect: deny, subjects: [everyone], repositories: ["sandbox/locked/**"], actions: [push]', share],
      [
        '+ authenticated may now pull sandbox/** (rule share, 0.yaml:6)',
        '+ authenticated may now push sandbox/** but not sandbox/locked/** (rule share, 0.yaml:6)',
      ],
    ],
    [
      'tells personal repositories with their placeholder, not name by name',
      [],
      ['name: own, subjects: [authenticated], repositories: ["people/${account}/**"], actions: [pull, push]'],
      ['+ authenticated may now pull, push people/${account}/** (rule own, 0.yaml:5)'],
    ],
    [
      'says everyone where callers without a login are meant too',
      [],
      ['name: open, subjects: [everyone], repositories: ["public/*", "docs/**"], actions: [pull]'],
      ['+ everyone may now pull public/*, docs/** (rule open, 0.yaml:5)'],
    ],
    [
      'tells what a narrower pattern leaves out',
      [publish],
      [publish.replace('release/**', 'release/*')],
      ['- group:managers may no longer pull, push release/** but not release/* (was rule publish, 0.yaml:5)'],
    ],
    [
      'says that reading stays where only the right to pull goes',
      [publish],
      [publish.replace('pull, push', 'push')],
      ['- group:managers may no longer pull release/** (reading while pushing stays) (was rule publish, 0.yaml:5)'],
    ],
    [
      'is none where a rule decides nothing yet',
      [publish],
      [publish, 'name: soon, effect: deny, mode: shadow, subjects: [everyone], repositories: ["**"], actions: [pull]'],
      [],
    ],
    [
      'finds what a rule changes only where two patterns meet',
      ['name: deny, effect: deny, subjects: [everyone], repositories: ["team/**"], actions: [pull]'],
      [
        'name: deny, effect: deny, subjects: [everyone], repositories: ["team/**"], actions: [pull]',
        'name: apps, subjects: [everyone], repositories: ["*/app"], actions: [pull]',
      ],
      ['+ everyone may now pull */app but not what is in both */app and team/** (rule apps, 0.yaml:6)'],
    ],
  ];
  test.each(cases)('%s', (_promise, before, after, found) => {
    expect(diff(before, after)).toEqual(found);
  });

  test('tells accounts that come and go, join groups and are disabled, with what that gives and takes', () => {
    const before = policy([publish]);
    const after = policy(
      [publish],
      `
users: { dana: { groups: [devs], disabled: true }, rita: {}, eve: { groups: [managers] }, both: { groups: [devs, managers] } }
groups: { devs: , managers: }
`,
    );
    expect(lines(diffPolicies(before, after, { now }))).toEqual([
      '- user:dana is disabled',
      '+ user:eve is new, in managers',
      '- user:olaf is gone',
      '~ user:rita leaves managers',
      '+ user:eve may now pull, push release/** (rule publish, 0.yaml:5)',
      '- user:rita may no longer pull, push release/** (was rule publish, 0.yaml:5)',
    ]);
  });

  test('of very large policies is bounded, and says that it is not whole', () => {
    const many = Array.from(
      { length: 200 },
      (_, index) => `name: r${index}, subjects: [everyone], repositories: ["*/a${index}/**"], actions: [pull]`,
    );
    const { isComplete, changes } = diffPolicies(policy([]), policy(many), { now, maxWork: 1000 });
    expect(isComplete).toBe(false);
    expect(changes.every(({ kind }) => kind === 'granted')).toBe(true);
  });
});

describe('over random policies', () => {
  const rule = fc.record({
    effect: fc.constantFrom('allow', 'allow', 'deny'),
    subject: fc.constantFrom('everyone', 'authenticated', 'anonymous', 'user:dana', 'group:devs', 'group:managers'),
    repository: fc.constantFrom('a/**', 'a/b', 'a/*', '**', '*/b', 'p/${account}/**', 'p/**', 'c'),
    action: fc.constantFrom('pull', 'push', 'create', 'overwrite', 'delete', 'promote'),
    tags: fc.constantFrom('', '', ', tags: ["v*"]', ', tags: ["*-rc", latest]'),
    when: fc.constantFrom('', '', ', when: { before: 2026-07-01 }', ', when: { days: [sat, sun], zone: Asia/Tokyo }'),
  });
  const rules = fc
    .array(rule, { maxLength: 5 })
    .map((list) =>
      list.map(
        ({ effect, subject, repository, action, tags, when }, index) =>
          `name: r${index}, effect: ${effect}, subjects: [${subject}], repositories: ["${repository}"], actions: [${action}]${tags}${when}`,
      ),
    );
  /** A policy, and the same with one rule more or less, so that a good part of the edits change nothing. */
  const edits = fc
    .tuple(rules, fc.boolean())
    .map(([list, isMore]): readonly [readonly string[], readonly string[]] =>
      isMore ? [list.slice(1), list] : [list, list.slice(1)],
    );
  const questions = [
    ...(['pull', 'create', 'overwrite', 'delete'] as const).map((action) => ({ action })),
    ...(['create', 'overwrite'] as const).map((writes) => ({ action: 'promote' as const, writes })),
  ];
  const callers: readonly Named[] = [user('dana'), user('rita'), user('olaf'), user('both'), anonymous];
  const times = ['2026-06-03T12:00:00Z', '2026-06-06T12:00:00Z', '2026-08-03T12:00:00Z'].map((text) =>
    Date.parse(text),
  );

  test('no difference means that every question has the same answer', () => {
    fc.assert(
      fc.property(edits, ([before, after]) => {
        const [old, young] = [policy(before), policy(after)];
        const { accounts, changes, isComplete } = diffPolicies(old, young, { now });
        expect(isComplete).toBe(true);
        if (accounts.length + changes.length > 0) return;
        const [oldPolicy, youngPolicy] = [compileByName(old), compileByName(young)];
        for (const principal of callers) {
          for (const repository of ['a/b', 'a/x', 'a/x/y', 'x/b', 'c', 'p/dana/x', 'p/rita/x', 'p/dana/b']) {
            for (const asked of questions) {
              for (const tag of ['v1', 'v1-rc', 'latest', 'x']) {
                for (const instant of times) {
                  const question = { ...asked, principal, repository, tag, now: instant };
                  // No expect for each of so many: they would take most of the time.
                  if (youngPolicy.decide(question).allowed !== oldPolicy.decide(question).allowed) {
                    expect.fail(`not told: ${JSON.stringify(question)}`);
                  }
                }
              }
            }
          }
        }
      }),
      { numRuns: sized(250) },
    );
  });

  test('shuffling rules is never a difference', () => {
    fc.assert(
      fc.property(
        rules.chain((list) => fc.tuple(fc.constant(list), fc.shuffledSubarray(list, { minLength: list.length }))),
        ([list, shuffled]) => {
          expect(diff(list, shuffled)).toEqual([]);
        },
      ),
      { numRuns: sized(60) },
    );
  });
});

describe('a difference of limits', () => {
  const pulls = 'name: pulls, subjects: [group:devs, user:rita], count: pull, per: account, rate: 100/6h';
  const cases: readonly (readonly [
    promise: string,
    before: readonly string[],
    after: readonly string[],
    found: readonly string[],
  ])[] = [
    [
      'is none where the same is written another way or elsewhere',
      [pulls, pulls.replace('pulls', 'more')],
      [
        pulls.replace('pulls', 'more').replace('100/6h', '100/360m, burst: 100, mode: enforce'),
        pulls.replace('group:devs, user:rita', 'user:rita, group:devs'),
      ],
      [],
    ],
    [
      'tells a new one and one that is gone',
      [pulls],
      [
        'name: pushes, mode: shadow, subjects: [everyone], except: [user:dana], count: push, per: address, rate: 60/1m, burst: 20',
      ],
      [
        'removed limit "pulls" is gone: group:devs, user:rita, 100 pulls per 6 hours for each account',
        'added limit "pushes" is new: everyone (but not user:dana), 60 pushes per minute for each address, at most 20 at once, in shadow mode',
      ],
    ],
    [
      'tells another rate and burst, and what they were',
      [pulls],
      [pulls.replace('100/6h', '50/1h, burst: 10')],
      [
        'changed limit "pulls" is now 50 pulls per hour for each account, at most 10 at once (before: 100 pulls per 6 hours for each account)',
      ],
    ],
    [
      'tells what is counted otherwise, and for whom',
      [pulls],
      [
        pulls
          .replace('count: pull, per: account', 'count: push, per: repository')
          .replace(', user:rita]', '], except: [user:dana]'),
      ],
      [
        'changed limit "pulls" is now 100 pushes per 6 hours for each repository (before: 100 pulls per 6 hours for each account); is now for group:devs (but not user:dana) (before: group:devs, user:rita)',
      ],
    ],
    ['tells that one is enforced', [`${pulls}, mode: shadow`], [pulls], ['changed limit "pulls" is enforced now']],
    [
      'tells that one refuses nobody any more',
      [pulls],
      [`${pulls}, mode: shadow`],
      ['changed limit "pulls" refuses nobody any more: it is in shadow mode'],
    ],
  ];
  const limited = (limits: readonly string[]): Policy =>
    readPolicy(`${people}limits:\n${limits.map((limit) => `  - { ${limit} }\n`).join('')}`);
  test.each(cases)('%s', (_promise, before, after, found) => {
    const { accounts, changes, limits } = diffPolicies(limited(before), limited(after), { now });
    expect([accounts, changes]).toEqual([[], []]);
    expect(limits.map(({ kind, sentence }) => `${kind} ${sentence}`)).toEqual(found);
  });
});

describe('a difference of gates', () => {
  const gate = 'name: approved, repositories: ["release/**"], from: ["integration/**"], fromTags: ["approved-*"]';
  const cases: readonly (readonly [
    promise: string,
    before: readonly string[],
    after: readonly string[],
    found: readonly string[],
  ])[] = [
    ['is none where one only has another name', [gate], [gate.replace('approved,', 'other,')], []],
    [
      'is none where the same is written another way',
      [`${gate}, except: [user:dana, user:olaf]`],
      [`${gate}, match: image, attachments: allow, mode: enforce, except: [user:olaf, user:dana]`],
      [],
    ],
    [
      'tells a new one and one that is gone',
      [gate],
      [
        'name: signed, mode: shadow, repositories: ["vault/*"], tags: [v*], from: [signed], match: digest, attachments: deny, except: [group:devs]',
      ],
      [
        'removed gate "approved" is gone: into release/** only what is in integration/** (under a tag approved-*)',
        'added gate "signed" is new: into vault/* (tags v*) only what is in signed (with the same digest), attachments too, but not for group:devs, in shadow mode',
      ],
    ],
    [
      'tells one that asks for more',
      [gate],
      [gate.replace('approved-*', 'approved-1.*').replace('release/**', '**') + ', match: digest'],
      [
        'tightened gate "approved" is tighter: it stands over ** (before: release/**); it looks under tags approved-1.* (before: tags approved-*); it takes the same digest only (before: the same image)',
      ],
    ],
    [
      'tells one that asks for less',
      [gate],
      [
        'name: approved, mode: shadow, repositories: ["release/**"], tags: [v*], from: ["integration/**", "sandbox/**"], except: [group:devs]',
      ],
      [
        'loosened gate "approved" is looser: it is about tags v* (before: every write); it looks in integration/**, sandbox/** (before: integration/**); it looks under any tag (before: tags approved-*); it lets pass group:devs (before: nobody); it is in shadow mode (before: is enforced)',
      ],
    ],
    [
      'tells one that asks for something else',
      [gate],
      [gate.replace('integration', 'staging')],
      ['changed gate "approved" is another: it looks in staging/** (before: integration/**)'],
    ],
    [
      'tells attachments that must be there, too',
      [gate],
      [`${gate}, attachments: deny`],
      ['tightened gate "approved" is tighter: attachments of what is there must be there, too (before: pass)'],
    ],
  ];
  const gated = (gates: readonly string[]): Policy =>
    readPolicy(`${people}gates:\n${gates.map((each) => `  - { ${each} }\n`).join('')}`);
  test.each(cases)('%s', (_promise, before, after, found) => {
    const { accounts, changes, limits, gates } = diffPolicies(gated(before), gated(after), { now });
    expect([accounts, changes, limits]).toEqual([[], [], []]);
    expect(gates.map(({ kind, sentence }) => `${kind} ${sentence}`)).toEqual(found);
  });
});

test('says by which other tokens a workload is known now, wherever its files lie', () => {
  const job = (more: string): string =>
    `workloads: { job: { issuer: 'https://ci.example', audience: a, claims: { ref: main, repo: acme/app }${more} } }\n`;
  const between = (before: string, after: string) =>
    diffPolicies(policy([], before), policy([], after), { now }).accounts.map(
      ({ kind, sentence }) => `${kind} ${sentence}`,
    );
  expect(between(job(''), job(''))).toEqual([]);
  expect(between(job(', jwks: a/keys.json'), job(', jwks: b/keys.json'))).toEqual([]);
  expect(between(job(''), job('').replace('ref: main', 'ref: "**"'))).toEqual([
    'changed workload:job takes other tokens: claim "ref" "main" becomes "**"',
  ]);
  expect(
    between(
      job(''),
      job(', lifetime: 90m, ca: ca.pem').replace(', repo: acme/app', '').replace('audience: a', 'audience: [a, b]'),
    ),
  ).toEqual([
    'changed workload:job takes other tokens: audience "a" becomes "a" or "b", claim "repo" "acme/app" becomes nothing, lifetime until it expires becomes 90m, authority of the system becomes of a file',
  ]);
});
