/** Why a question is answered as it is: the rule that decided, the caller's groups, and the rules that nearly decided. */
import { isReferrersTag } from '../../distribution/reference.ts';
import { nearest } from '../../document/suggest.ts';
import { type Circumstances, failedCondition, localTime } from '../conditions.ts';
import {
  actionsOf,
  describePrincipal,
  describeRule,
  formatInstant,
  formatMinute,
  formatSubjects,
  listed,
} from '../describe.ts';
import type { PolicyByName } from '../by-name.ts';
import { type Decision, type Untagged, holdsWithoutTag, isReadByDigest, rightsHere } from '../evaluate.ts';
import {
  type Action,
  type GroupMember,
  type Policy,
  type Named,
  type Rule,
  type Source,
  formatSubject,
  rightsOf,
} from '../model.ts';
import { isNameableBy } from './lint-people.ts';
import { matchPieces, matchesRepository } from '../pattern.ts';
import { accountIn, accountNameOf } from '../principal.ts';
import { type SecretReach, isReached, secretsOf } from '../secret-reach.ts';

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

export interface Considered {
  readonly rule: Rule;
  readonly matched: boolean;
  /** Empty when the rule matched. */
  readonly failures: readonly Failure[];
}

export interface GroupOrigin {
  readonly name: string;
  /** The account that names the group; for a question about a group alone, its declaration. */
  readonly source: Source;
}

/** One half of pushing to a tag: making it, or moving it to another image. */
export interface PushHalf {
  readonly right: 'create' | 'overwrite';
  readonly decision: Decision;
}

/** What may be deleted where no tag is named; absent where tags make no difference. */
export interface Deletion {
  readonly layer: Decision;
  /** A manifest that no tag leads to. */
  readonly untagged: Decision;
}

export interface Explanation {
  readonly inquiry: Inquiry;
  readonly allowed: boolean;
  readonly rule: Rule | undefined;
  /** One sentence. */
  readonly reason: string;
  readonly groups: readonly GroupOrigin[];
  /** Reading without a rule that gives `pull`, because the caller may push there. */
  readonly impliedByPush: boolean;
  /** No tag is named, and whatever allows it is limited to these tags. */
  readonly tags?: readonly string[];
  /** Of a robot: what each of its secrets comes to where the rules allow it. */
  readonly secrets: readonly SecretReach[];
  /** Present for a push whose halves are not decided alike. */
  readonly halves?: readonly PushHalf[];
  readonly deletion?: Deletion;
  /** Shadow rules that would have turned the decision, or that of one half. */
  readonly shadow: readonly Rule[];
  /** Every rule: the deciding one, other matching ones, then by how near they came. */
  readonly considered: readonly Considered[];
  /** Rules that failed by exactly one part and would otherwise have turned the decision or helped it; nearest first. */
  readonly nearMisses: readonly Considered[];
}

/** The decision of a request, with every rule that came near. An unknown account is a denial. */
export function explain(compiled: PolicyByName, inquiry: Inquiry): Explanation {
  const { policy } = compiled;
  const subjects = compiled.subjectsOf(inquiry.principal);
  const plain = compiled.decide(inquiry);
  const decision = plain.allowed ? plain : compiled.decide({ ...inquiry, readWhilePushing: true });
  const impliedByPush = decision.allowed && !plain.allowed;
  const halves = halvesOf(compiled, inquiry);
  const deletion = deletionOf(compiled, inquiry);
  const considered = subjects === undefined ? [] : considerAll(policy.rules, inquiry, subjects, decision.rule);
  const secrets = decision.allowed ? secretsOf(compiled, inquiry.principal, inquiry) : [];
  const isTooNarrow = !isReached(secrets);
  const tags = decision.allowed && subjects !== undefined ? tagLimitOf(policy.rules, inquiry, subjects) : undefined;
  const reason =
    deletion === undefined ? reasonOf(policy, inquiry, decision, impliedByPush, halves) : deletionInWords(deletion);
  const shadow = [decision, ...(halves ?? []).map((half) => half.decision)].flatMap((each) => each.shadow);
  return {
    inquiry,
    allowed: decision.allowed && !isTooNarrow,
    rule: isTooNarrow ? undefined : decision.rule,
    reason: isTooNarrow ? `${reason}, but no secret of this robot reaches it` : reason,
    groups: groupsOf(policy, inquiry.principal),
    impliedByPush: impliedByPush && !isTooNarrow,
    ...(tags === undefined ? {} : { tags }),
    secrets,
    ...(halves === undefined || isTooNarrow ? {} : { halves }),
    ...(deletion === undefined || isTooNarrow ? {} : { deletion }),
    shadow: [...new Set(shadow)],
    considered,
    nearMisses: isTooNarrow ? [] : nearMissesOf(considered, decision.allowed),
  };
}

/**
 * Where no tag is named, an allow that is limited to tags holds all the same; what it allows is less than it seems. Undefined
 * when some rule allows it for every tag, or a tag is named.
 */
export function tagLimitOf(
  rules: readonly Rule[],
  inquiry: Inquiry,
  subjects: readonly string[],
): readonly string[] | undefined {
  if (inquiry.tag !== undefined || inquiry.action === 'catalog') return undefined;
  const allowing = (action: Action): readonly Rule[] =>
    rules.filter((rule) => isEnforced(rule, 'allow') && isMatching(rule, { ...inquiry, action }, subjects));
  const direct = allowing(inquiry.action);
  const found = direct.length === 0 && inquiry.action === 'pull' ? allowing('push') : direct;
  if (found.length === 0 || found.some(({ tags }) => tags === undefined)) return undefined;
  return [...new Set(found.flatMap(({ tags = [] }) => tags.map(({ text }) => text)))];
}

function halvesOf(compiled: PolicyByName, inquiry: Inquiry): readonly PushHalf[] | undefined {
  if (inquiry.action !== 'push') return undefined;
  const halves = (['create', 'overwrite'] as const).map((right) => ({
    right,
    decision: compiled.decide({ ...inquiry, action: right }),
  }));
  const [create, overwrite] = halves;
  return create?.decision.allowed === overwrite?.decision.allowed ? undefined : halves;
}

function deletionOf(compiled: PolicyByName, inquiry: Inquiry): Deletion | undefined {
  if (inquiry.action !== 'delete' || inquiry.tag !== undefined) return undefined;
  const [layer, untagged, something] = (['layer', 'manifest', 'something'] as const).map((deletes) =>
    compiled.decide({ ...inquiry, deletes }),
  );
  if (layer === undefined || untagged === undefined) return undefined;
  return layer.allowed === something?.allowed ? undefined : { layer, untagged };
}

/** Lines that say what may be deleted without naming a tag, and what follows for the rest. */
export function deletionLines({ layer, untagged }: Deletion): readonly string[] {
  const why = layer.rule?.tags === undefined ? '' : ', which is about tags: they are made of layers';
  return [
    `a layer: ${verdictOf(layer)}${why}`,
    `a manifest that no tag leads to: ${verdictOf(untagged)}`,
    'any other manifest, by digest: as each tag that points at it, or at an index it is in',
  ];
}

function deletionInWords(deletion: Deletion): string {
  return deletionLines(deletion).join('; ');
}

/** Pushes of a tag that are neither of the halves. */
export function freePushes({ tag }: Inquiry): readonly string[] {
  const grows = tag !== undefined && isReferrersTag(tag);
  return [
    'pushing the same image again: allowed',
    ...(grows ? ['moving it to a list that keeps all it holds: allowed to who may create it'] : []),
  ];
}

function reasonOf(
  policy: Policy,
  inquiry: Inquiry,
  decision: Decision,
  impliedByPush: boolean,
  halves: readonly PushHalf[] | undefined,
): string {
  const { principal } = inquiry;
  const rule = decision.rule === undefined ? 'a rule' : describeRule(decision.rule);
  if (halves !== undefined) {
    const both = halves.map(
      (half) =>
        `${half.right === 'create' ? 'creating it' : 'moving it to another image'}: ${verdictOf(half.decision)}`,
    );
    return [...both, ...freePushes(inquiry)].join('; ');
  }
  switch (decision.reason) {
    case 'rule_allows':
      return impliedByPush ? `pull is implied by the right to push, which ${rule} gives` : `${rule} allows it`;
    case 'rule_denies':
      return `${rule} forbids it`;
    case 'no_rule':
      return 'no rule allows it';
    case 'secret_narrow':
      return 'the secret of this robot does not reach it';
    case 'account_unknown': {
      const isAccount = principal.kind !== 'anonymous' && principal.kind !== 'group';
      const account = isAccount ? accountIn(policy, principal) : undefined;
      return account?.disabled === true
        ? `the account is disabled (${account.source.file}:${account.source.line})`
        : `there is no ${describePrincipal(principal)}`;
    }
  }
}

/** `allowed by rule "x" (file:line)`, `forbidden by …`, `no rule allows it`. */
export function verdictOf({ allowed, rule }: Decision): string {
  if (rule === undefined) return 'no rule allows it';
  return `${allowed ? 'allowed' : 'forbidden'} by ${describeRule(rule)}`;
}

/** With the place that puts somebody into each. */
export function groupsOf(policy: Policy, principal: Named | GroupMember): readonly GroupOrigin[] {
  if (principal.kind === 'group') {
    const group = policy.groups.get(principal.name);
    return group === undefined ? [] : [{ name: group.name, source: group.source }];
  }
  const account = principal.kind === 'anonymous' ? undefined : accountIn(policy, principal);
  return account?.groups.map((name) => ({ name, source: account.source })) ?? [];
}

const checks: readonly ((rule: Rule, inquiry: Inquiry, subjects: readonly string[]) => Failure | undefined)[] = [
  subjectFailure,
  exceptFailure,
  repositoryFailure,
  tagFailure,
  actionFailure,
  conditionFailure,
];

/** How one rule fares against an inquiry by somebody who answers to `subjects`, all parts looked at. */
export function consider(rule: Rule, inquiry: Inquiry, subjects: readonly string[]): Considered {
  const failures = checks.flatMap((check) => check(rule, inquiry, subjects) ?? []);
  return { rule, matched: failures.length === 0, failures };
}

/** Whether all parts of the rule hold; quicker than `consider`. */
export function isMatching(rule: Rule, inquiry: Inquiry, subjects: readonly string[]): boolean {
  return checks.every((check) => check(rule, inquiry, subjects) === undefined);
}

function subjectFailure(rule: Rule, { principal }: Inquiry, subjects: readonly string[]): Failure | undefined {
  if (rule.subjects.some((subject) => subjects.includes(formatSubject(subject)))) return undefined;
  const verb = rule.subjects.length === 1 ? 'does' : 'do';
  return {
    part: 'subject',
    why: `subjects: ${formatSubjects(rule.subjects)} ${verb} not include ${describePrincipal(principal)}`,
  };
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
  const verb = texts.length === 1 ? 'does' : 'do';
  const own = rule.repositories.filter(({ text }) => text.includes('${account}'));
  const isUnfit = accountName !== undefined && !own.some((pattern) => isNameableBy(pattern, accountName));
  const account =
    own.length > 0
      ? accountName === undefined
        ? ' (here ${account} is nobody)'
        : ` (here \${account} is ${accountName}${isUnfit ? ', which no repository name can hold: those are lower case' : ''})`
      : '';
  return { part: 'repository', why: `repositories: ${listed(texts)} ${verb} not match ${repository}${account}` };
}

function tagFailure(rule: Rule, inquiry: Inquiry): Failure | undefined {
  const { principal, tag } = inquiry;
  if (rule.tags === undefined) return undefined;
  const texts = listed(rule.tags.map((pattern) => pattern.text));
  if (tag === undefined) {
    if (holdsWithoutTag(rule, inquiry)) return undefined;
    return { part: 'tag', why: `tags: ${texts} count only where a tag is named` };
  }
  const accountName = accountNameOf(principal);
  if (rule.tags.some((pattern) => matchPieces(pattern.pieces, tag, accountName))) return undefined;
  if (rule.effect === 'allow' && isReadByDigest(inquiry)) return undefined;
  return { part: 'tag', why: `tags: ${texts} ${rule.tags.length === 1 ? 'does' : 'do'} not match ${tag}` };
}

function actionFailure(rule: Rule, inquiry: Inquiry): Failure | undefined {
  const { action } = inquiry;
  if ((rightsHere(rule, inquiry) & rightsOf(action)) !== 0) return undefined;
  const actions = actionsOf(rule.rights);
  const verb = actions.length === 1 ? 'does' : 'do';
  return { part: 'action', why: `actions: ${listed(actions, 5)} ${verb} not include ${action}` };
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
        : `${listed(when.addresses ?? [])} ${when.addresses?.length === 1 ? 'does' : 'do'} not contain ${address}`,
    after: () => `${formatInstant(when.after ?? 0)} is not reached, it is ${formatInstant(now)}`,
    before: () => `${formatInstant(when.before ?? 0)} is past, it is ${formatInstant(now)}`,
    days: () => `${(when.days ?? []).join(', ')} ${zone}, it is ${here.day} there`,
    hours: () =>
      `${formatMinute(when.hours?.from ?? 0)}-${formatMinute(when.hours?.until ?? 0)} ${zone}, it is ${formatMinute(here.minute)} there`,
  }[failed]();
  return { part: 'condition', why: `when.${failed}: ${why}` };
}

function considerAll(
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
function nearMissesOf(considered: readonly Considered[], allowed: boolean): readonly Considered[] {
  const isAllowedButDenied = !allowed && considered.some((each) => each.matched && isEnforced(each.rule, 'allow'));
  if (isAllowedButDenied) return [];
  return considered.filter(
    ({ failures, rule }) => failures.length === 1 && isEnforced(rule, allowed ? 'deny' : 'allow'),
  );
}

function isEnforced(rule: Rule, effect: Rule['effect']): boolean {
  return rule.effect === effect && rule.mode === 'enforce';
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
