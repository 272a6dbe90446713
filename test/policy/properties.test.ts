/** What holds for every policy and every question: against a reference that reads the contract word by word. */
import { describe, expect, test } from 'vitest';
import fc from 'fast-check';
import { failedCondition } from '../../src/policy/conditions.ts';
import { type PolicyByName, compileByName } from '../../src/policy/by-name.ts';
import type { Question } from '../../src/policy/evaluate.ts';
import { type Named, type Policy, type Right, formatSubject, rights } from '../../src/policy/model.ts';
import { parsePolicy } from '../../src/policy/files/parse.ts';
import { matchesRepository } from '../../src/policy/pattern.ts';
import { anonymous, readPolicy, robot, user } from '../support/policies.ts';
import { sized } from '../support/size.ts';

type Asked = Question<Named>;

interface RuleText {
  readonly name: string;
  readonly effect: 'allow' | 'deny';
  readonly subjects: readonly string[];
  readonly repositories: readonly string[];
  readonly actions: readonly string[];
  readonly tags?: readonly string[];
  readonly except?: readonly string[];
  readonly when?: { readonly addresses: readonly string[] };
  readonly mode?: 'shadow';
}

const people = {
  groups: { g1: null, g2: null },
  users: { dana: { groups: ['g1', 'g2'] }, ab: { groups: ['g1'] }, off: { groups: ['g1'], disabled: true } },
  robots: { bot: { groups: ['g2'] } },
};
const principals: readonly Named[] = [user('dana'), user('ab'), user('off'), user('nobody'), robot('bot'), anonymous];
const subjects = [
  'user:dana',
  'user:ab',
  'user:off',
  'robot:bot',
  'group:g1',
  'group:g2',
  'authenticated',
  'anonymous',
  'everyone',
];

const segment = fc.constantFrom('a', 'b', 'ab', '*', '**', 'a*', '*b', '*a*', '${account}', 'x-${account}');
const some = <T>(values: readonly T[], maxLength = 3): fc.Arbitrary<T[]> =>
  fc.array(fc.constantFrom(...values), { minLength: 1, maxLength });
const ruleText: fc.Arbitrary<Omit<RuleText, 'name'>> = fc.record(
  {
    effect: fc.constantFrom('allow', 'allow', 'deny'),
    subjects: some(subjects, 2),
    repositories: fc.array(
      fc.array(segment, { minLength: 1, maxLength: 3 }).map((parts) => parts.join('/')),
      { minLength: 1, maxLength: 2 },
    ),
    actions: some(['pull', 'push', 'create', 'overwrite', 'delete', 'catalog', 'inspect', 'administer']),
    tags: some(['v*', 'latest', '*', '${account}-*'], 2),
    except: some(subjects, 1),
    when: fc.record({ addresses: some(['10.0.0.0/8', '2001:db8::/32'], 2) }),
    mode: fc.constant('shadow'),
  },
  { requiredKeys: ['effect', 'subjects', 'repositories', 'actions'] },
);
const ruleTexts = fc
  .array(ruleText, { maxLength: 8 })
  .map((rules) => rules.map((rule, index): RuleText => ({ ...rule, name: `rule-${String.fromCharCode(97 + index)}` })));

const question: fc.Arbitrary<Asked> = fc.record({
  now: fc.constant(0),
  principal: fc.constantFrom(...principals),
  action: fc.constantFrom('pull', 'push', 'create', 'overwrite', 'delete', 'catalog', 'inspect', 'administer'),
  repository: fc
    .array(fc.constantFrom('a', 'b', 'ab', 'aab', 'dana', 'x-ab'), { minLength: 1, maxLength: 4 })
    .map((parts) => parts.join('/')),
  tag: fc.constantFrom(undefined, undefined, 'v1', 'latest', 'dana-1'),
  deletes: fc.constantFrom('layer', 'manifest', 'something'),
  readWhilePushing: fc.boolean(),
  isListing: fc.boolean(),
  address: fc.constantFrom(undefined, '10.1.2.3', '2001:db8::1', '192.0.2.1'),
});
const questions = fc.array(question, { minLength: 20, maxLength: 20 });

// JSON is YAML.
const policyText = (rules: readonly RuleText[]): string => JSON.stringify({ rules });
const compileRules = (rules: readonly RuleText[]): PolicyByName =>
  compileByName(readPolicy(JSON.stringify(people), policyText(rules)));

/** Contract section 5, as slowly as it reads. */
function reference(policy: Policy, asked: Asked): boolean {
  const { principal, repository } = asked;
  // What is about a repository as a whole names no tag.
  const tag = ['catalog', 'inspect', 'administer'].includes(asked.action) ? undefined : asked.tag;
  if (asked.action === 'administer' && principal.kind === 'robot') return false;
  const own = subjectsOf(policy, principal);
  if (own === undefined) return false;
  const name = principal.kind === 'anonymous' ? undefined : principal.name;
  const matching = policy.rules.filter(
    (rule) =>
      rule.mode === 'enforce' &&
      rule.subjects.some((subject) => own.includes(formatSubject(subject))) &&
      !rule.except.some((subject) => own.includes(formatSubject(subject))) &&
      rule.repositories.some((pattern) => matchesRepository(pattern, repository, name)) &&
      (rule.when === undefined || failedCondition(rule.when, asked) === undefined) &&
      (rule.tags === undefined ||
        (tag === undefined
          ? countsWithoutTag(rule.effect, asked)
          : rule.tags.some(({ text }) => matchesTag(text, tag, name)))),
  );
  const isUntagged = asked.action === 'delete' && tag === undefined;
  const said = (effect: string, right: Right): boolean =>
    matching.some(
      (rule) =>
        rule.effect === effect &&
        ((rule.rights & rights[right]) !== 0 ||
          // A layer belongs to every tag: a tag that may not be moved may not lose it.
          (isUntagged && effect === 'deny' && rule.tags !== undefined && (rule.rights & rights.overwrite) !== 0)),
    );
  const has = (right: Right): boolean => said('allow', right) && !said('deny', right);
  const pushes = has('create') || has('overwrite');
  switch (asked.action) {
    case 'push':
      return pushes;
    case 'pull':
      return has('pull') || (asked.readWhilePushing === true && pushes && !said('deny', 'pull'));
    default:
      return has(asked.action);
  }
}

function countsWithoutTag(effect: string, { action, deletes = 'layer' }: Question<Named>): boolean {
  if (action !== 'delete') return effect === 'allow';
  return effect === 'allow' ? deletes === 'something' : deletes === 'layer';
}

function subjectsOf(policy: Policy, principal: Named): readonly string[] | undefined {
  if (principal.kind === 'anonymous') return ['anonymous', 'everyone'];
  const account = (principal.kind === 'user' ? policy.users : policy.robots).get(principal.name);
  if (account === undefined || account.disabled) return undefined;
  return [formatSubject(principal), ...account.groups.map((group) => `group:${group}`), 'authenticated', 'everyone'];
}

function matchesTag(text: string, tag: string, account: string | undefined): boolean {
  if (text.includes('${account}') && account === undefined) return false;
  const plain = text.replaceAll('${account}', account ?? '').replaceAll('.', '\\.');
  return new RegExp(`^${plain.replaceAll('*', '.*')}$`).test(tag);
}

function combinations(parts: readonly string[], depth: number): readonly (readonly string[])[] {
  if (depth === 0) return [[]];
  return parts.flatMap((part) => combinations(parts, depth - 1).map((rest) => [part, ...rest]));
}

describe('for every policy and every question', () => {
  test('the compiled evaluator decides as the contract reads', () => {
    fc.assert(
      fc.property(ruleTexts, questions, (rules, asked) => {
        const policy = compileRules(rules);
        for (const one of asked)
          expect([one, policy.decide(one).allowed]).toEqual([one, reference(policy.policy, one)]);
      }),
      { numRuns: sized(250) },
    );
  });

  test('the order of rules and of files changes nothing, not even the rule that is named', () => {
    const shuffled = ruleTexts.chain((rules) =>
      fc.tuple(
        fc.constant(rules),
        fc.shuffledSubarray(rules, { minLength: rules.length }),
        fc.array(fc.nat(2), { minLength: rules.length, maxLength: rules.length }),
      ),
    );
    fc.assert(
      fc.property(shuffled, questions, ([rules, other, files], asked) => {
        const texts = [0, 1, 2].map((file) => policyText(other.filter((_, index) => files[index] === file)));
        const [one, two] = [compileRules(rules), compileByName(readPolicy(...texts, JSON.stringify(people)))];
        const outcome = (policy: PolicyByName, each: Asked): unknown => {
          const { allowed, reason, rule } = policy.decide(each);
          return { allowed, reason, rule: rule?.name };
        };
        for (const each of asked) expect(outcome(two, each)).toEqual(outcome(one, each));
      }),
      { numRuns: sized(100) },
    );
  });

  test('one more deny never grants, one more allow never takes away', () => {
    fc.assert(
      fc.property(ruleTexts, ruleText, questions, (rules, added, asked) => {
        const before = compileRules(rules);
        const after = compileRules([...rules, { ...added, name: 'one-more' }]);
        for (const each of asked) {
          const [was, is] = [before.decide(each).allowed, after.decide(each).allowed];
          expect([each, added.effect === 'deny' ? !is || was : is || !was]).toEqual([each, true]);
        }
      }),
      { numRuns: sized(150) },
    );
  });

  test('a shadow rule decides nothing', () => {
    fc.assert(
      fc.property(ruleTexts, ruleText, questions, (rules, added, asked) => {
        const before = compileRules(rules);
        const after = compileRules([...rules, { ...added, name: 'a-shadow', mode: 'shadow' }]);
        for (const each of asked) expect(after.decide(each).allowed).toBe(before.decide(each).allowed);
      }),
      { numRuns: sized(80) },
    );
  });

  const names = ['a', 'b', 'ab', 'aab', 'dana', 'x-ab', 'x-dana', 'zz0'];
  const anywhere = [1, 2, 3].flatMap((depth) => combinations(names, depth)).map((parts) => parts.join('/'));

  test('what may be done everywhere may be done anywhere, whatever tag is named', () => {
    let everywhere = 0;
    const denial = fc.record({
      name: fc.constant('narrow'),
      effect: fc.constant('deny' as const),
      subjects: fc.constantFrom(['user:dana'], ['anonymous'], ['group:g2']),
      repositories: fc.constantFrom(['a'], ['${account}/**'], ['b/*']),
      actions: fc.constantFrom(['inspect'], ['administer'], ['pull']),
      tags: fc.constantFrom(undefined, undefined, ['v*']),
    });
    const wide = fc
      .tuple(ruleTexts, fc.subarray(['inspect', 'administer'], { minLength: 1 }), fc.option(denial))
      .map(([rules, actions, denied]) => [
        ...rules.filter(({ effect }) => effect === 'allow'),
        ...(denied === null ? [] : [JSON.parse(JSON.stringify(denied)) as RuleText]),
        {
          name: 'wide',
          effect: 'allow',
          subjects: ['user:dana', 'anonymous'],
          repositories: ['**'],
          actions,
        } as const,
      ]);
    fc.assert(
      fc.property(fc.oneof(ruleTexts, wide), fc.constantFrom(undefined, '10.1.2.3'), (rules, address) => {
        const policy = compileRules(rules);
        for (const principal of principals) {
          for (const action of ['inspect', 'administer'] as const) {
            const { allowed, rule } = policy.mayEverywhere(principal, action, { now: 0, address });
            const at = (repository: string, tag?: string): boolean =>
              policy.decide({ principal, action, repository, tag, now: 0, address }).allowed;
            if (allowed) {
              everywhere++;
              expect(anywhere.filter((repository) => !at(repository) || !at(repository, 'v1'))).toEqual([]);
            } else if (rule !== undefined) {
              // The rule that keeps it back does so in each repository that it is about.
              const name = principal.kind === 'anonymous' ? undefined : principal.name;
              const there = anywhere.filter((repository) =>
                rule.repositories.some((pattern) => matchesRepository(pattern, repository, name)),
              );
              expect(there.filter((repository) => at(repository))).toEqual([]);
            } else if (!rules.some(({ effect }) => effect === 'deny')) {
              const isOfAll = rules.some(
                (each) =>
                  each.repositories.includes('**') &&
                  each.actions.includes(action) &&
                  each.subjects.includes('everyone') &&
                  each.except === undefined &&
                  each.when === undefined &&
                  each.mode === undefined,
              );
              const isHere = principal.kind !== 'robot' || action !== 'administer';
              expect(isOfAll && isHere && policy.subjectsOf(principal) !== undefined).toBe(false);
            }
          }
        }
      }),
      { numRuns: sized(300, 120) },
    );
    expect(everywhere).toBeGreaterThan(10);
  });

  test('a repository that may be shown means that the list of repositories may be asked for', () => {
    fc.assert(
      fc.property(ruleTexts, questions, (rules, asked) => {
        // No request for the list names a tag.
        const policy = compileRules(rules.filter(({ tags }) => tags === undefined));
        for (const { principal, repository, address } of asked) {
          const circumstances = { now: 0, address };
          const shows = policy.decide({ ...circumstances, principal, repository, action: 'catalog' }).allowed;
          if (shows) expect(policy.mayListCatalog(principal, circumstances).allowed).toBe(true);
        }
      }),
      { numRuns: sized(80) },
    );
  });
});

test('a policy file that ends early never grants more than the whole one', () => {
  const text = `groups: { developers: { description: people who write the software }, dev: { description: "ümlaut" } }
users:
  dana: { groups: [developers] }
  ab:
    groups: [ "developers", "dev" ]
rules:
  - name: share
    subjects: ["group:developers"]
    repositories: ["a/**"]
    actions: [pull, push]
  - { name: all, subjects: [everyone, authenticated], repositories: ["b/*", "ab/**"], actions: [pull, catalog] }
  - name: home
    subjects:
      - user:dana
    actions:
      - pull
      - delete
    repositories:
      - "\${account}/**"
`;
  const names = ['a', 'a/b', 'a/b/a', 'b', 'b/a', 'b/a/b', 'ab', 'ab/a', 'ab/a/b', 'dana/a', 'dana/a/b', 'ab/dana'];
  const asked = (['pull', 'push', 'delete', 'catalog'] as const).flatMap((action) =>
    names.flatMap((repository) =>
      [user('dana'), user('ab'), anonymous].map((principal) => ({ now: 0, action, repository, principal })),
    ),
  );
  const granted = (policy: PolicyByName): string[] =>
    asked.filter((each) => policy.decide(each).allowed).map((each) => JSON.stringify(each));
  const whole = new Set(granted(compileByName(readPolicy(text))));
  expect(whole.size).toBeGreaterThan(20);
  const bytes = Buffer.from(text);
  let readable = 0;
  for (let end = 0; end < bytes.length; end++) {
    const reading = parsePolicy([{ file: 'cut.yaml', text: bytes.subarray(0, end).toString('latin1') }]);
    if (!reading.ok) continue;
    readable++;
    const more = granted(compileByName(reading.policy)).filter((each) => !whole.has(each));
    expect([bytes.subarray(0, end).toString().slice(-40), more]).toEqual([expect.anything(), []]);
  }
  // Most cuts are not even a policy; some are, and those were judged.
  expect(readable).toBeGreaterThan(10);
});
