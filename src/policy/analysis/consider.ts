/** How one rule fares against a question: which of its parts hold, and how near it came. */
import { compareText } from '../../document/problem.ts';
import { nearest } from '../../document/suggest.ts';
import { type Circumstances, failedCondition, localTime } from '../conditions.ts';
import { actionsOf, describePrincipal, formatInstant, formatMinute, formatSubjects, listed } from '../describe.ts';
import type { Untagged } from '../question.ts';
import { holdsWithoutTag, isReadByDigest, rightsHere } from '../verdict.ts';
import {
  type Action,
  type GroupMember,
  type Named,
  type Rule,
  decidingRights,
  formatSubject,
  judgesTag,
} from '../model.ts';
import { matchPieces, matchesRepository } from '../pattern.ts';
import { accountNameOf, names } from '../principal.ts';
import { isNameableBy } from './lint-people.ts';

/** What somebody asks about: a question without the fine print of one request. */
export interface Inquiry extends Circumstances {
  readonly principal: Named | GroupMember;
  readonly action: Action;
  readonly repository: string;
  readonly tag?: string | undefined;
  readonly deletes?: Untagged;
}

/** The parts of a rule that must all hold, in the order in which they are judged here. */
export type Part = 'subject' | 'except' | 'repository' | 'tag' | 'action' | 'condition';

export interface Failure {
  readonly part: Part;
  /** What the rule says and what the question says instead, beginning with the key in the file. */
  readonly why: string;
}

/** `failures` is empty when the rule matched. */
export type Considered = ReturnType<typeof consider>;

const checks: readonly ((rule: Rule, inquiry: Inquiry, subjects: readonly string[]) => Failure | undefined)[] = [
  subjectFailure,
  exceptFailure,
  repositoryFailure,
  tagFailure,
  actionFailure,
  conditionFailure,
];

/** How one rule fares against an inquiry by somebody who answers to `subjects`, all parts looked at. */
export function consider(rule: Rule, inquiry: Inquiry, subjects: readonly string[]) {
  const failures = checks.flatMap((check) => check(rule, inquiry, subjects) ?? []);
  return { rule, matched: failures.length === 0, failures };
}

/** The same parts without the words, the cheapest first. */
const predicates: readonly ((rule: Rule, inquiry: Inquiry, subjects: readonly string[]) => boolean)[] = [
  (rule, inquiry) => (rightsHere(rule, inquiry) & decidingRights(rule.effect, inquiry.action)) !== 0,
  (rule, _inquiry, subjects) => names(rule.subjects, subjects),
  (rule, _inquiry, subjects) => rule.except.length === 0 || !names(rule.except, subjects),
  (rule, { principal, repository }) =>
    rule.repositories.some((pattern) => matchesRepository(pattern, repository, accountNameOf(principal))),
  (rule, inquiry) => tagFailure(rule, inquiry) === undefined,
  (rule, inquiry) => conditionFailure(rule, inquiry) === undefined,
];

/** Whether all parts of the rule hold; quicker than `consider`. */
export function isMatching(rule: Rule, inquiry: Inquiry, subjects: readonly string[]): boolean {
  return predicates.every((holds) => holds(rule, inquiry, subjects));
}

/** Whether all parts but one hold, at least: no other rule is a near miss. */
export function isNear(rule: Rule, inquiry: Inquiry, subjects: readonly string[]): boolean {
  let failed = 0;
  for (const holds of predicates) if (!holds(rule, inquiry, subjects) && ++failed > 1) return false;
  return true;
}

/** The verb of "do not", by how many things it is said of. */
function does(things: readonly unknown[]): string {
  return things.length === 1 ? 'does' : 'do';
}

function subjectFailure(rule: Rule, { principal }: Inquiry, subjects: readonly string[]): Failure | undefined {
  if (names(rule.subjects, subjects)) return undefined;
  const listedSubjects = `${formatSubjects(rule.subjects)} ${does(rule.subjects)}`;
  return { part: 'subject', why: `subjects: ${listedSubjects} not include ${describePrincipal(principal)}` };
}

function exceptFailure(rule: Rule, { principal }: Inquiry, subjects: readonly string[]): Failure | undefined {
  const exempting = rule.except.find((subject) => subjects.includes(formatSubject(subject)));
  if (exempting === undefined) return undefined;
  return { part: 'except', why: `except: ${formatSubject(exempting)} exempts ${describePrincipal(principal)}` };
}

function repositoryFailure(rule: Rule, { principal, repository }: Inquiry): Failure | undefined {
  const accountName = accountNameOf(principal);
  if (rule.repositories.some((pattern) => matchesRepository(pattern, repository, accountName))) return undefined;
  const texts = rule.repositories.map((pattern) => pattern.text);
  const own = rule.repositories.filter(({ text }) => text.includes('${account}'));
  const isUnfit = accountName !== undefined && !own.some((pattern) => isNameableBy(pattern, accountName));
  const why = isUnfit ? ', which no repository name can hold: those are lower case' : '';
  const whose = accountName === undefined ? 'nobody' : accountName + why;
  const account = own.length > 0 ? ` (here \${account} is ${whose})` : '';
  return { part: 'repository', why: `repositories: ${listed(texts)} ${does(texts)} not match ${repository}${account}` };
}

function tagFailure(rule: Rule, inquiry: Inquiry): Failure | undefined {
  const { principal } = inquiry;
  const tag = judgesTag(inquiry.action) ? inquiry.tag : undefined;
  if (rule.tags === undefined) return undefined;
  const texts = listed(rule.tags.map((pattern) => pattern.text));
  if (tag === undefined) {
    if (holdsWithoutTag(rule, inquiry)) return undefined;
    const where = judgesTag(inquiry.action) ? 'count only where a tag is named' : `never count for ${inquiry.action}`;
    return { part: 'tag', why: `tags: ${texts} ${where}` };
  }
  const accountName = accountNameOf(principal);
  if (rule.tags.some((pattern) => matchPieces(pattern.pieces, tag, accountName))) return undefined;
  if (rule.effect === 'allow' && isReadByDigest(inquiry)) return undefined;
  return { part: 'tag', why: `tags: ${texts} ${does(rule.tags)} not match ${tag}` };
}

function actionFailure(rule: Rule, inquiry: Inquiry): Failure | undefined {
  const { action } = inquiry;
  if ((rightsHere(rule, inquiry) & decidingRights(rule.effect, action)) !== 0) return undefined;
  const actions = actionsOf(rule.rights);
  return { part: 'action', why: `actions: ${listed(actions, 5)} ${does(actions)} not include ${action}` };
}

function conditionFailure({ when }: Rule, { address, now }: Inquiry): Failure | undefined {
  const failed = when === undefined ? undefined : failedCondition(when, { address, now });
  if (when === undefined || failed === undefined) return undefined;
  const zone = when.zone ?? 'UTC';
  const here = localTime(now, zone);
  const why = {
    addresses: () =>
      address === undefined
        ? `${listed(when.addresses ?? [])}, and no address is known`
        : `${listed(when.addresses ?? [])} ${does(when.addresses ?? [])} not contain ${address}`,
    after: () => `${formatInstant(when.after ?? 0)} is not reached, it is ${formatInstant(now)}`,
    before: () => `${formatInstant(when.before ?? 0)} is past, it is ${formatInstant(now)}`,
    days: () => `${(when.days ?? []).join(', ')} ${zone}, it is ${here.day} there`,
    hours: () =>
      `${formatMinute(when.hours?.from ?? 0)}-${formatMinute(when.hours?.until ?? 0)} ${zone}, it is ${formatMinute(here.minute)} there`,
  }[failed]();
  return { part: 'condition', why: `when.${failed}: ${why}` };
}

/** Every rule: the deciding one, other matching ones, then by how near they came. */
export function considerAll(
  rules: readonly Rule[],
  inquiry: Inquiry,
  subjects: readonly string[],
  deciding: Rule | undefined,
): readonly Considered[] {
  const ranked = rules.map((rule) => {
    const considered = consider(rule, inquiry, subjects);
    const rank = rule === deciding ? -1 : considered.matched ? 0 : distance(considered, inquiry);
    return { considered, rank };
  });
  ranked.sort((a, b) => a.rank - b.rank || compareText(a.considered.rule.name, b.considered.rule.name));
  return ranked.map(({ considered }) => considered);
}

/** Smaller is nearer. A part more outweighs any kind of part. */
function distance({ failures, rule }: Considered, { repository }: Inquiry): number {
  const weights = { condition: 1, tag: 2, except: 3, action: 4, subject: 6 };
  const near = failures.map(({ part }) =>
    part === 'repository' ? repositoryDistance(rule, repository) : weights[part],
  );
  return near.reduce((sum, weight) => sum + weight, failures.length * 100);
}

/** Below a subject that does not fit when the first segment is the same, or looks like a typing error of it. */
function repositoryDistance({ repositories }: Rule, repository: string): number {
  const first = repository.split('/')[0] ?? '';
  const beginnings = repositories.flatMap(({ segments: [segment] }) =>
    segment?.kind === 'literal' ? [segment.text] : [],
  );
  return nearest(first, beginnings) === undefined ? 7 : 5;
}

/**
 * When allowed, the denials that came near. When refused, the allowances that came near, unless there is one already:
 * then only the denial stands in the way, and more allowances change nothing.
 */
export function nearMissesOf(considered: readonly Considered[], allowed: boolean): readonly Considered[] {
  const isAllowedButDenied = !allowed && considered.some((each) => each.matched && isEnforced(each.rule, 'allow'));
  if (isAllowedButDenied) return [];
  return considered.filter(
    ({ failures, rule }) => failures.length === 1 && isEnforced(rule, allowed ? 'deny' : 'allow'),
  );
}

/** Whether it decides, and so. */
export function isEnforced(rule: Rule, effect: Rule['effect']): boolean {
  return rule.effect === effect && rule.mode === 'enforce';
}
