/** What accounts, groups and secrets say that is surely not meant, or is to be known. All of it may stay: these are notes. */
import { parseRepositoryName, parseTag } from '../../distribution/reference.ts';
import type { Problem } from '../../document/problem.ts';
import { listed } from '../describe.ts';
import { type Limit, type Policy, type Robot, type Rule, type Source, type Subject, formatSubject } from '../model.ts';
import type { RepositoryPattern, TagPattern } from '../pattern.ts';
import { exampleOf, exampleOfTag } from './pattern-witness.ts';

/** Codes: unused-group, listed-twice, endless-secret, account-name. */
export function lintPeople(policy: Policy): readonly Problem[] {
  return [
    ...unusedGroups(policy),
    ...listedTwice(policy),
    ...[...policy.robots.values()].flatMap(endlessSecrets),
    ...policy.rules.flatMap((rule) => unfitAccounts(policy, rule)),
  ];
}

function note(source: Source, code: string, message: string, fix?: string): Problem {
  return { ...source, code, message, ...(fix === undefined ? {} : { fix }) };
}

function unusedGroups({ groups, rules, limits }: Policy): readonly Problem[] {
  const about: readonly (Rule | Limit)[] = [...rules, ...limits];
  const used = new Set(about.flatMap(({ subjects, except }) => [...subjects, ...except]).map(formatSubject));
  return [...groups.values()]
    .filter(({ name }) => !used.has(`group:${name}`))
    .map(({ name, source }) =>
      note(source, 'unused-group', `group "${name}" gives nothing: no rule or limit names it`, 'remove it, or name it'),
    );
}

function listedTwice({ users, robots, workloads, rules, limits }: Policy): readonly Problem[] {
  const twice = (source: Source, owner: string, name: string): Problem =>
    note(source, 'listed-twice', `${owner} lists ${name} twice`, 'keep one of them');
  const accounts = Object.entries({ user: users, robot: robots, workload: workloads });
  const about: readonly (Rule | Limit)[] = [...rules, ...limits];
  return [
    ...accounts.flatMap(([kind, map]) =>
      [...map.values()].flatMap(({ name, groups, source }) =>
        repeatedIn(groups).map((group) => twice(source, `${kind} "${name}"`, `group:${group}`)),
      ),
    ),
    ...about.flatMap((entry) => {
      const owner = `${'rate' in entry ? 'limit' : 'rule'} "${entry.name}"`;
      return [entry.subjects, entry.except].flatMap((list) =>
        repeatedIn(list.map(formatSubject)).map((name) => twice(entry.source, owner, name)),
      );
    }),
  ];
}

function repeatedIn(names: readonly string[]): readonly string[] {
  const again = names.filter((name, index) => names.indexOf(name) !== index);
  return again.length < 2 ? again : [...new Set(again)];
}

function endlessSecrets({ name, tokens }: Robot): readonly Problem[] {
  return tokens
    .filter(({ expires, repositories, rights }) => [expires, repositories, rights].every((each) => each === undefined))
    .map(({ id, source }) => {
      const message = `secret "${id}" of robot "${name}" reaches whatever the rules give the robot, and never expires`;
      return note(source, 'endless-secret', message, 'narrow it: portcullis token create --expires … --repositories …');
    });
}

/** Accounts that `${account}` lets down: repository names are lower case and take none of `+` and `@`. */
function unfitAccounts(policy: Policy, rule: Rule): readonly Problem[] {
  if (rule.effect !== 'allow') return [];
  const patterns = [...rule.repositories, ...(rule.tags ?? [])].filter(({ text }) => text.includes('${account}'));
  if (patterns.length === 0) return [];
  const names = namesFor(policy, rule.subjects);
  return patterns.flatMap((pattern) => {
    const unfit = names.filter((name) => !isNameableBy(pattern, name));
    if (unfit.length === 0) return [];
    const kind = 'segments' in pattern ? 'repository' : 'tag';
    const message = `rule "${rule.name}" gives nothing to ${listed(unfit)}: "${pattern.text}" with such an account name is no ${kind} name`;
    const fix =
      kind === 'repository' ? 'repository names are lower case: give them accounts of a-z, 0-9 and . _ -' : undefined;
    return [note(rule.source, 'account-name', message, fix)];
  });
}

/** Whether any repository or tag can be called what `pattern` says for this account. */
export function isNameableBy(pattern: RepositoryPattern | TagPattern, account: string): boolean {
  if (!('segments' in pattern)) return parseTag(exampleOfTag(pattern, account) ?? '') !== undefined;
  return parseRepositoryName(exampleOf(pattern, account, 1) ?? '') !== undefined;
}

function namesFor(policy: Policy, subjects: readonly Subject[]): readonly string[] {
  const meant = new Set(subjects.map(formatSubject));
  const isAnybody = meant.has('everyone') || meant.has('authenticated');
  return Object.entries({ user: policy.users, robot: policy.robots, workload: policy.workloads }).flatMap(
    ([kind, accounts]) =>
      [...accounts.values()]
        .filter(
          ({ name, groups }) =>
            isAnybody || meant.has(`${kind}:${name}`) || groups.some((group) => meant.has(`group:${group}`)),
        )
        .map(({ name }) => name),
  );
}
