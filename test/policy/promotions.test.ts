/** Who may promote, and what forbids it: against a reading of the rules one by one. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { compile, user } from '../support/policies.ts';
import { sized } from '../support/size.ts';

interface RuleText {
  readonly effect: 'allow' | 'deny';
  readonly subjects: readonly string[];
  readonly repositories: readonly string[];
  readonly actions: readonly string[];
  readonly tags?: readonly string[] | undefined;
  readonly except?: readonly string[] | undefined;
  readonly mode?: 'shadow' | undefined;
}

const head = 'groups: { g1: , g2: }\nusers: { dana: { groups: [g1] }, rita: { groups: [g2] } }\n';
const policyOf = (rules: readonly RuleText[]) =>
  compile(`${head}rules: ${JSON.stringify(rules.map((rule, at) => ({ name: `r${at}`, ...rule })))}\n`);

/** A promotion of dana's, at whatever time and from wherever. */
const asked = {
  principal: user('dana'),
  action: 'promote',
  repository: 'release/app',
  tag: 'v1',
  now: 0,
  address: undefined,
} as const;

describe('promoting', () => {
  const allow = (...actions: string[]): RuleText => ({
    ...{ effect: 'allow', subjects: ['group:g1'], repositories: ['release/**'], actions },
  });
  const deny = (actions: string[], more: Partial<RuleText> = {}): RuleText => ({
    ...{ effect: 'deny', subjects: ['everyone'], repositories: ['release/**'], actions, ...more },
  });
  const cases: readonly [what: string, rules: RuleText[], unknown: boolean, create: boolean, overwrite: boolean][] = [
    ['needs `promote`', [allow('pull', 'push', 'delete')], false, false, false],
    ['needs nothing else', [allow('promote')], true, true, true],
    ['ends where it is denied', [allow('promote'), deny(['promote'])], false, false, false],
    ['ends in a freeze of pushes', [allow('promote'), deny(['push'])], false, false, false],
    ['creates nothing where creating is denied', [allow('promote'), deny(['create'])], true, false, true],
    ['moves nothing where tags are immutable', [allow('promote'), deny(['overwrite'])], true, true, false],
    [
      'ends where both halves are denied by two rules',
      [allow('promote'), deny(['create']), deny(['overwrite'])],
      false,
      false,
      false,
    ],
    [
      'goes on where pulls and deletions are denied',
      [allow('promote'), deny(['pull', 'delete', 'catalog'])],
      true,
      true,
      true,
    ],
    ['goes on where another tag is denied', [allow('promote'), deny(['push'], { tags: ['x*'] })], true, true, true],
    ['ends where its tag is denied', [allow('promote'), deny(['push'], { tags: ['v*'] })], false, false, false],
    [
      'goes on for whom a deny excepts',
      [allow('promote'), deny(['push'], { except: ['user:dana'] })],
      true,
      true,
      true,
    ],
    ['goes on where a deny is a shadow', [allow('promote'), deny(['push'], { mode: 'shadow' })], true, true, true],
    [
      'goes on where a deny is elsewhere',
      [allow('promote'), deny(['push'], { repositories: ['other/**'] })],
      true,
      true,
      true,
    ],
  ];
  test.each(cases)('%s', (_what, rules, ...allowed) => {
    const policy = policyOf(rules);
    const answers = [undefined, 'create' as const, 'overwrite' as const].map(
      (writes) => policy.decide({ ...asked, ...(writes && { writes }) }).allowed,
    );
    expect(answers).toEqual(allowed);
  });

  test('gives no push, nor the other way', () => {
    for (const action of ['push', 'create', 'overwrite', 'pull', 'delete'] as const) {
      expect([action, policyOf([allow('promote')]).decide({ ...asked, action }).allowed]).toEqual([action, false]);
      expect([action, policyOf([allow(action)]).decide({ ...asked, action: 'promote' }).allowed]).toEqual([
        action,
        false,
      ]);
    }
  });

  test('names the rule that forbids it, and would-be rules in the shadow', () => {
    const frozen = policyOf([allow('promote'), deny(['push'])]).decide(asked);
    expect([frozen.reason, frozen.rule?.name]).toEqual(['rule_denies', 'r1']);
    const shadowed = policyOf([allow('promote'), deny(['push'], { mode: 'shadow' })]).decide(asked);
    expect([shadowed.rule?.name, shadowed.shadow.map(({ name }) => name)]).toEqual(['r0', ['r1']]);
    expect(policyOf([allow('push'), deny(['push'])]).decide(asked)).toMatchObject({
      reason: 'no_rule',
      rule: undefined,
    });
  });
});

const some = <T>(values: readonly T[], maxLength = 2): fc.Arbitrary<T[]> =>
  fc.array(fc.constantFrom(...values), { minLength: 1, maxLength });
const ruleText: fc.Arbitrary<RuleText> = fc.record(
  {
    effect: fc.constantFrom('allow', 'deny'),
    subjects: some(['user:dana', 'group:g1', 'group:g2', 'authenticated', 'everyone', 'anonymous']),
    repositories: some(['release/**', 'release/app', '**', 'other/**']),
    actions: some(['pull', 'push', 'create', 'overwrite', 'delete', 'promote', 'promote'], 3),
    tags: some(['v*', 'latest', '*1']),
    except: some(['user:dana', 'group:g2']),
    mode: fc.constant('shadow'),
  },
  { requiredKeys: ['effect', 'subjects', 'repositories', 'actions'] },
);

/** What the file says of each promotion, rule by rule. */
function mayPromote(
  rules: readonly RuleText[],
  groups: readonly string[],
  repository: string,
  tag: string | undefined,
  writes: readonly string[],
): boolean {
  const me = new Set([...groups, 'authenticated', 'everyone']);
  const isMatch = (pattern: string, text: string): boolean =>
    new RegExp(`^${pattern.replaceAll('**', '\0').replaceAll('*', '[^/]*').replaceAll('\0', '.+')}$`).test(text);
  const matching = rules.filter(
    (rule) =>
      rule.mode !== 'shadow' &&
      rule.subjects.some((subject) => me.has(subject)) &&
      !(rule.except ?? []).some((subject) => me.has(subject)) &&
      rule.repositories.some((pattern) => isMatch(pattern, repository)) &&
      (rule.tags === undefined ||
        (tag === undefined ? rule.effect === 'allow' : rule.tags.some((pattern) => isMatch(pattern, tag)))),
  );
  const named = (effect: string): ReadonlySet<string> =>
    new Set(
      matching
        .filter((rule) => rule.effect === effect)
        .flatMap(({ actions }) =>
          actions.flatMap((action) => (action === 'push' ? ['create', 'overwrite'] : [action])),
        ),
    );
  const [allowed, denied] = [named('allow'), named('deny')];
  // Of the writes that it may come to one has to be left.
  return allowed.has('promote') && !denied.has('promote') && writes.some((write) => !denied.has(write));
}

test('whoever may promote is who may by every rule', () => {
  fc.assert(
    fc.property(
      fc.array(ruleText, { minLength: 1, maxLength: 6 }),
      fc.constantFrom('release/app', 'release/a/b', 'other/app'),
      fc.constantFrom(undefined, 'v1', 'latest', 'x'),
      fc.constantFrom(undefined, 'create' as const, 'overwrite' as const),
      (rules, repository, tag, writes) => {
        const policy = policyOf(rules);
        const mine = [
          ['user:dana', 'group:g1'],
          ['user:rita', 'group:g2'],
        ] as const;
        for (const [name, group] of mine) {
          const principal = user(name.replace('user:', ''));
          const asked = { principal, action: 'promote', repository, tag, now: 0, address: undefined } as const;
          const expected = mayPromote(
            rules,
            [name, group],
            repository,
            tag,
            writes === undefined ? ['create', 'overwrite'] : [writes],
          );
          const { allowed } = policy.decide({ ...asked, ...(writes && { writes }) });
          expect(allowed).toBe(expected);
        }
      },
    ),
    { numRuns: sized(500) },
  );
});
