/** What accounts, groups and secrets say that is surely not meant, or is to be known. All of it may stay: these are notes. */
import { parseRepositoryName, parseTag } from '../../distribution/reference.ts';
import type { Problem } from '../../document/problem.ts';
import { listed } from '../describe.ts';
import {
  type Limit,
  type Policy,
  type Robot,
  type Rule,
  type Source,
  type Subject,
  entriesOf,
  formatSubject,
} from '../model.ts';
import type { RepositoryPattern, TagPattern } from '../pattern.ts';
import { exampleOf, exampleOfTag } from './witness.ts';

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
  return { ...source, code, message, fix };
}

function unusedGroups({ groups, rules, limits, gates }: Policy): readonly Problem[] {
  const about: readonly (Rule | Limit)[] = [...rules, ...limits];
  const named = [
    ...about.flatMap(({ subjects, except }) => [...subjects, ...except]),
    ...gates.flatMap(({ except }) => except),
  ];
  const used = new Set(named.map(formatSubject));
  return [...groups.values()]
    .filter(({ name }) => !used.has(`group:${name}`))
    .map(({ name, source }) =>
      note(
        source,
        'unused-group',
        `group "${name}" gives nothing: no rule, limit or gate names it`,
        'remove it, or name it',
      ),
    );
}

function listedTwice(policy: Policy): readonly Problem[] {
  const about: readonly (Rule | Limit)[] = [...policy.rules, ...policy.limits];
  const lists = [
    ...entriesOf(policy).map(({ kind, entry }) => {
      return { kind, entry, names: entry.groups.map((group) => `group:${group}`) };
    }),
    ...about.flatMap((entry) => {
      const kind = 'rate' in entry ? 'limit' : 'rule';
      return [entry.subjects, entry.except].map((list) => ({ kind, entry, names: list.map(formatSubject) }));
    }),
    ...policy.gates.map((entry) => ({ kind: 'gate', entry, names: entry.except.map(formatSubject) })),
  ];
  return lists.flatMap(({ kind, entry, names }) =>
    repeatedIn(names).map((name) =>
      note(entry.source, 'listed-twice', `${kind} "${entry.name}" lists ${name} twice`, 'keep one of them'),
    ),
  );
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
  return entriesOf(policy).flatMap(({ kind, entry: { name, groups } }) => {
    const own = [`${kind}:${name}`, ...groups.map((group) => `group:${group}`)];
    return isAnybody || own.some((subject) => meant.has(subject)) ? [name] : [];
  });
}
