/** Tests to begin from: for rules and gates that no test exercises, questions that these decide today. */
import { type Circumstances } from '../conditions.ts';
import { exampleOf, exampleOfTag, filler, meetingOf, meetingOfTags, representativeCircumstances } from './witness.ts';
import { type Target, actionsOf, describeTarget, formatInstant } from '../describe.ts';
import type { PolicyByName } from '../by-name.ts';
import { type Inquiry, consider, isEnforced, isMatching } from './consider.ts';
import {
  type Gate,
  type GroupMember,
  type Named,
  type Policy,
  type PolicyTest,
  type Rule,
  entriesOf,
  formatSubject,
  isWrite,
  judgesTag,
} from '../model.ts';
import { matchesRepository } from '../pattern.ts';
import { grouped } from '../grouped.ts';
import { accountNameOf } from '../principal.ts';
import { parseRepositoryName, parseTag } from '../../distribution/reference.ts';

/** For the file where the first of its rules stands. `at` is absent where no rule depends on the time. */
export type ProposedTest = ReturnType<typeof testOf>;

interface Found extends Circumstances, Pick<PolicyTest, 'image'> {
  readonly file: string;
  readonly principal: Named | GroupMember;
  readonly question: string;
  readonly allowed: boolean;
  readonly isTimed: boolean;
}

/** Accounts of a group, or of everybody, that are asked as when a group alone will not do. */
const someAccounts = 5;

/** `without`: rules and gates that decide nothing by themselves. `now` in milliseconds since 1970; tests that depend on the time name its minute. */
export function proposeTests(
  compiled: PolicyByName,
  { rules, gates = [] }: { readonly rules: readonly Rule[]; readonly gates?: readonly Gate[] },
  now: number,
) {
  const minute = Math.floor(now / 60_000) * 60_000;
  const found: Found[] = [];
  const without: (Rule | Gate)[] = [];
  const asked = [
    ...rules.map((rule) => ({ about: rule, one: questionFor(compiled, rule, minute) })),
    ...gates.map((gate) => ({ about: gate, one: questionAt(compiled, gate, minute) })),
  ];
  for (const { about, one } of asked) {
    if (one === undefined) without.push(about);
    else found.push(one);
  }
  const byAsker = grouped(found, (one) => JSON.stringify([one.file, formatAsker(one)]));
  const taken = new Set(compiled.policy.tests.map(({ name }) => name));
  return { tests: [...byAsker.values()].map((group) => testOf(group[0], group, taken)), without };
}

function testOf({ file, principal, address, now, isTimed, image }: Found, group: readonly Found[], taken: Set<string>) {
  const questions = (wanted: boolean): readonly string[] => [
    ...new Set(group.flatMap(({ allowed, question }) => (allowed === wanted ? [question] : []))),
  ];
  const when = isTimed ? ` at ${formatInstant(now)}` : '';
  const from = address === undefined ? '' : ` from ${address}`;
  const what = image === 'unknown' ? ' and an unknown image' : '';
  let name = `what holds for ${formatSubject(principal)}${when}${from}${what}`;
  for (let number = 2; taken.has(name); number++) name = `${name.replace(/ \(\d+\)$/, '')} (${number})`;
  taken.add(name);
  const at = isTimed ? now : undefined;
  return { file, name, principal, address, at, image, allow: questions(true), deny: questions(false) };
}

function formatAsker({ principal, address, now, isTimed, image }: Found): string {
  return JSON.stringify([formatSubject(principal), address ?? null, isTimed ? now : null, image]);
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
            question: `${action} ${judgesTag(action) ? describeTarget({ repository, tag }) : repository}`,
            allowed: decision.allowed,
            image: 'approved',
            isTimed: isTimed(compiled, inquiry, subjects),
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

function isTimed({ policy }: PolicyByName, inquiry: Inquiry, subjects: readonly string[]): boolean {
  return policy.rules.some(
    (rule) =>
      rule.when !== undefined && consider(rule, inquiry, subjects).failures.every(({ part }) => part === 'condition'),
  );
}

/** A write that rules allow and that this gate, among others, keeps an unknown image from. */
function questionAt(compiled: PolicyByName, gate: Gate, now: number): Found | undefined {
  const { rules } = compiled.policy;
  for (const rule of rules.filter((each) => isEnforced(each, 'allow'))) {
    for (const action of actionsOf(rule.rights).filter(isWrite)) {
      for (const principal of askersFor(compiled.policy, rule)) {
        const subjects = compiled.subjectsOf(principal) ?? [];
        for (const { repository, tag } of meetingsOf(rule, gate, accountNameOf(principal))) {
          if (!compiled.gatesOf(principal, repository, tag).some((standing) => standing.gate === gate)) continue;
          const whens = rules
            .filter(({ repositories }) =>
              repositories.some((pattern) => matchesRepository(pattern, repository, accountNameOf(principal))),
            )
            .flatMap(({ when }) => when ?? []);
          for (const each of representativeCircumstances(whens, now).circumstances) {
            const inquiry = { ...each, principal, action, repository, tag };
            if (!compiled.decide(inquiry).allowed) continue;
            const question = `${action} ${describeTarget({ repository, tag })}`;
            const timed = isTimed(compiled, inquiry, subjects);
            const { file } = gate.source;
            return { ...each, file, principal, question, allowed: false, image: 'unknown', isTimed: timed };
          }
        }
      }
    }
  }
  return undefined;
}

function meetingsOf(rule: Rule, gate: Gate, accountName: string | undefined): readonly Target[] {
  const repositories = rule.repositories.flatMap((own) =>
    gate.repositories.flatMap((gated) => inWords(meetingOf(own, gated, accountName), 'app')),
  );
  const tags =
    rule.tags === undefined || gate.tags === undefined
      ? (rule.tags ?? gate.tags)?.flatMap((pattern) => inWords(exampleOfTag(pattern, accountName), '1'))
      : rule.tags.flatMap(
          (own) => gate.tags?.flatMap((gated) => inWords(meetingOfTags(own, gated, accountName), '1')) ?? [],
        );
  return repositories
    .filter((name) => parseRepositoryName(name) !== undefined)
    .flatMap((repository) => (tags ?? [undefined]).map((tag) => ({ repository, tag })));
}

/** A made-up name as a person would write it, and as it is. */
function inWords(example: string | undefined, word: string): readonly string[] {
  return example === undefined ? [] : [example.replaceAll(filler, word), example];
}

/** Whom a rule is about: groups before single accounts, since people come and go, and `some` accounts of each. */
export function askersFor(
  policy: Policy,
  { subjects }: Pick<Rule, 'subjects'>,
  some = someAccounts,
): readonly (Named | GroupMember)[] {
  const groups: GroupMember[] = [];
  const single: Named[] = [];
  const accountsIn = (group: string | undefined): readonly Named[] =>
    (['user', 'robot'] as const).flatMap((wanted) =>
      entriesOf(policy)
        .filter(({ kind, entry }) => kind === wanted && !entry.disabled)
        .filter(({ entry }) => group === undefined || entry.groups.includes(group))
        .slice(0, some)
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
  const names = repositories
    .flatMap((pattern) => inWords(exampleOf(pattern, accountName, 1), 'app'))
    .filter((name) => parseRepositoryName(name) !== undefined);
  const found = tags
    ?.flatMap((pattern) => inWords(exampleOfTag(pattern, accountName), '1'))
    .filter((tag) => parseTag(tag) !== undefined);
  return names.flatMap((repository) => (found ?? [undefined]).map((tag) => ({ repository, tag })));
}
