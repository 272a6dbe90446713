/** Tests to begin from: for rules that no test exercises, questions that these rules decide today. */
import { type Circumstances } from '../conditions.ts';
import { exampleOf, exampleOfTag, filler, representativeCircumstances } from './witness.ts';
import { type Target, actionsOf, describeTarget, formatInstant } from '../describe.ts';
import type { PolicyByName } from '../by-name.ts';
import { consider, isMatching } from './consider.ts';
import { type GroupMember, type Named, type Policy, type Rule, entriesOf, formatSubject } from '../model.ts';
import { grouped } from '../grouped.ts';
import { accountNameOf } from '../principal.ts';
import { parseRepositoryName, parseTag } from '../../distribution/reference.ts';

/** For the file where the first of its rules stands. `at` is absent where no rule depends on the time. */
export type ProposedTest = ReturnType<typeof testOf>;

interface Found extends Circumstances {
  readonly file: string;
  readonly principal: Named | GroupMember;
  readonly question: string;
  readonly allowed: boolean;
  readonly isTimed: boolean;
}

/** Accounts of a group, or of everybody, that are asked as when a group alone will not do. */
const someAccounts = 5;

/** `without`: rules that decide nothing by themselves. `now` in milliseconds since 1970; tests that depend on the time name its minute. */
export function proposeTests(compiled: PolicyByName, rules: readonly Rule[], now: number) {
  const minute = Math.floor(now / 60_000) * 60_000;
  const found: Found[] = [];
  const without: Rule[] = [];
  for (const rule of rules) {
    const one = questionFor(compiled, rule, minute);
    if (one === undefined) without.push(rule);
    else found.push(one);
  }
  const byAsker = grouped(found, (one) => JSON.stringify([one.file, formatAsker(one)]));
  const taken = new Set(compiled.policy.tests.map(({ name }) => name));
  return { tests: [...byAsker.values()].map((group) => testOf(group[0], group, taken)), without };
}

function testOf({ file, principal, address, now, isTimed }: Found, group: readonly Found[], taken: Set<string>) {
  const questions = (wanted: boolean): readonly string[] => [
    ...new Set(group.flatMap(({ allowed, question }) => (allowed === wanted ? [question] : []))),
  ];
  const when = isTimed ? ` at ${formatInstant(now)}` : '';
  const from = address === undefined ? '' : ` from ${address}`;
  let name = `what holds for ${formatSubject(principal)}${when}${from}`;
  for (let number = 2; taken.has(name); number++) name = `${name.replace(/ \(\d+\)$/, '')} (${number})`;
  taken.add(name);
  const at = isTimed ? now : undefined;
  return { file, name, principal, address, at, allow: questions(true), deny: questions(false) };
}

function formatAsker({ principal, address, now, isTimed }: Found): string {
  return JSON.stringify([formatSubject(principal), address ?? null, isTimed ? now : null]);
}

/** Of all that the rule decides, best what it alone turns: a deny where something else allows. */
function questionFor(compiled: PolicyByName, rule: Rule, now: number): Found | undefined {
  const whens = rule.when === undefined ? [] : [rule.when];
  const { circumstances } = representativeCircumstances(whens, now);
  let second: Found | undefined;
  for (const principal of askersFor(compiled.policy, rule)) {
    const subjects = compiled.subjectsOf(principal) ?? [];
    for (const { repository, tag } of targetsFor(rule, accountNameOf(principal))) {
      for (const action of actionsOf(rule.rights)) {
        for (const each of circumstances) {
          const inquiry = { ...each, principal, action, repository, tag };
          const decision = compiled.decide({ ...inquiry, readWhilePushing: true });
          if (decision.rule !== rule) continue;
          const one: Found = {
            ...each,
            file: rule.source.file,
            principal,
            question: `${action} ${describeTarget({ repository, tag })}`,
            allowed: decision.allowed,
            isTimed: compiled.policy.rules.some(
              (other) =>
                other.when !== undefined &&
                consider(other, inquiry, subjects).failures.every(({ part }) => part === 'condition'),
            ),
          };
          const isTurned = compiled.policy.rules.some(
            (other) => other.effect === 'allow' && other.mode === 'enforce' && isMatching(other, inquiry, subjects),
          );
          if (decision.allowed || isTurned) return one;
          second ??= one;
        }
      }
    }
  }
  return second;
}

/** Groups before single accounts: people come and go. */
function askersFor(policy: Policy, { subjects }: Rule): readonly (Named | GroupMember)[] {
  const groups: GroupMember[] = [];
  const single: Named[] = [];
  const accountsIn = (group: string | undefined): readonly Named[] =>
    (['user', 'robot'] as const).flatMap((wanted) =>
      entriesOf(policy)
        .filter(({ kind, entry }) => kind === wanted && !entry.disabled)
        .filter(({ entry }) => group === undefined || entry.groups.includes(group))
        .slice(0, someAccounts)
        .map(({ kind, entry: { name } }) => ({ kind, name })),
    );
  for (const subject of subjects) {
    const { kind } = subject;
    if (kind === 'everyone' || kind === 'authenticated') {
      groups.push(...[...policy.groups.keys()].map((name) => ({ kind: 'group' as const, name })));
      if (kind === 'everyone') single.push({ kind: 'anonymous' });
      single.push(...accountsIn(undefined));
    } else if (kind === 'group') {
      groups.push({ kind, name: subject.name });
      single.push(...accountsIn(subject.name));
    } else single.push(kind === 'anonymous' ? { kind } : { kind, name: subject.name });
  }
  return [...groups, ...single];
}

/** Names a person would read, and where another rule knows those, made-up ones. */
function targetsFor({ repositories, tags }: Rule, accountName: string | undefined): readonly Target[] {
  const inBoth = (example: string | undefined, word: string): readonly string[] =>
    example === undefined ? [] : [example.replaceAll(filler, word), example];
  const names = repositories
    .flatMap((pattern) => inBoth(exampleOf(pattern, accountName, 1), 'app'))
    .filter((name) => parseRepositoryName(name) !== undefined);
  const found = tags
    ?.flatMap((pattern) => inBoth(exampleOfTag(pattern, accountName), '1'))
    .filter((tag) => parseTag(tag) !== undefined);
  return names.flatMap((repository) => (found ?? [undefined]).map((tag) => ({ repository, tag })));
}
