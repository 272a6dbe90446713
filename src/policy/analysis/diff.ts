/** What a change of policy grants, takes away and limits, in words. Order, names of rules and places never make a difference. */
import { actionsOf, describeLimit, formatPlace, listed } from '../describe.ts';
import { comparePolicies, diffRights, noTag, otherTags } from './diff-cells.ts';
import { gateChanges } from './diff-gates.ts';
import { type Finding, findingsOf, ruleOf } from './diff-findings.ts';
import { type ChangeKind, kindOf } from './diff-states.ts';
import { trustChanges } from './diff-workloads.ts';
import { type Limit, type Policy, type Subject, formatSubject } from '../model.ts';
import { accountIn, accountsOf } from '../principal.ts';
import { standingOf } from './diff-probes.ts';

/**
 * `repositories`: patterns, or words for what two patterns share. `tags`: patterns, `other` among them for tags that no
 * pattern names; undefined: tags make no difference. `sentence` is without the sign and the rule.
 */
export type AccessChange = ReturnType<typeof toChange>;

export type PolicyDiff = ReturnType<typeof diffPolicies>;

interface DiffOptions {
  readonly now: number;
  readonly maxWork?: number;
}

/**
 * What is granted comes first, what is revoked last. `now` in milliseconds since 1970. `maxWork` bounds the time, by default
 * to some seconds; not complete where that was too little, and what is listed is true all the same.
 */
export function diffPolicies(before: Policy, after: Policy, { now, maxWork = 3_000_000 }: DiffOptions) {
  const { cells, isComplete } = comparePolicies(before, after, { now, maxWork });
  return {
    accounts: accountChanges(before, after),
    changes: findingsOf(cells).map(toChange).sort(byKind),
    limits: limitChanges(before, after),
    gates: gateChanges(before, after),
    isComplete,
  };
}

function toChange(finding: Finding) {
  const { before, after, labels, repositories, exceptSubjects, exceptRepositories, tags } = finding;
  const kind = kindOf(before, after);
  const actions = actionsIn(finding.rights);
  const where = `${listed(repositories, 8)}${tagsInWords(tags)}${butNot(exceptRepositories)}`;
  const what = `${actions.join(', ')} ${where}`;
  const who = `${listed(labels, 6)}${exceptSubjects.length === 0 ? '' : ` (but not ${listed(exceptSubjects)})`}`;
  return {
    kind,
    subjects: labels,
    actions,
    repositories,
    exceptSubjects,
    exceptRepositories,
    tags,
    rule: ruleOf(finding),
    sentence: sentence(kind, who, what, finding),
  };
}

/** As a file writes them; half of a promotion in words. */
function actionsIn(bits: number): readonly string[] {
  const both = diffRights.promote | diffRights.promoteOver;
  const promotes = bits & both;
  const half = promotes === diffRights.promote ? 'promote as new tags' : 'promote over existing tags';
  const words = promotes === 0 ? [] : [promotes === both ? 'promote' : half];
  return [...actionsOf(bits & ~both), ...words];
}

function sentence(kind: ChangeKind, who: string, what: string, { before, after, staysReadable }: Finding): string {
  const then = before.kind === 'always' ? 'at any time' : before.words;
  switch (kind) {
    case 'granted':
      return `${who} may now ${what} ${after.words}`.trimEnd();
    case 'revoked': {
      const readable = staysReadable ? ' (reading while pushing stays)' : '';
      return `${who} may no longer ${what}${readable}${before.kind === 'sometimes' ? ` (before: ${then})` : ''}`;
    }
    case 'changed':
      return `${who} may ${what} ${after.kind === 'always' ? 'at any time' : after.words} (before: ${then})`;
  }
}

function butNot(exceptions: readonly string[]): string {
  return exceptions.length === 0 ? '' : ` but not ${listed(exceptions)}`;
}

function tagsInWords(tags: readonly string[] | undefined): string {
  if (tags === undefined) return '';
  const named = tags.filter((tag) => tag !== otherTags && tag !== noTag);
  const other = [
    ...(tags.includes(otherTags) ? ['tags that no rule names'] : []),
    ...(tags.includes(noTag) ? ['layers'] : []),
  ];
  const words = [...(named.length === 0 ? [] : [`tags ${named.join(', ')}`]), ...other];
  return ` (${words.join(' and ')})`;
}

/** `rule devs-push, policies/areas.yaml:12`; of what no rule allows any more, the rule that did. */
export function cause({ kind, rule }: AccessChange): string | undefined {
  if (rule === undefined) return undefined;
  const named = `rule ${rule.name}, ${formatPlace(rule.source)}`;
  return kind === 'revoked' && rule.effect === 'allow' ? `was ${named}` : named;
}

const order = { granted: 0, changed: 1, revoked: 2 };

function byKind(left: AccessChange, right: AccessChange): number {
  return order[left.kind] - order[right.kind] || (left.sentence < right.sentence ? -1 : 1);
}

interface AccountChange {
  readonly kind: ChangeKind;
  readonly subject: string;
  readonly sentence: string;
}

/** In order of kinds and names; the same account before and after is one that has the same name. */
function accountChanges(before: Policy, after: Policy): readonly AccountChange[] {
  return accountsOf(before, after).flatMap((principal): readonly AccountChange[] => {
    const subject = formatSubject(principal);
    const old = standingOf(before, principal);
    const young = standingOf(after, principal);
    if (old === undefined && young === undefined) return [];
    if (old === undefined) {
      const groups = young?.length === 0 ? 'in no group' : `in ${(young ?? []).join(', ')}`;
      const word = accountIn(before, principal) === undefined ? 'is new' : 'is no longer disabled';
      return [{ kind: 'granted', subject, sentence: `${subject} ${word}, ${groups}` }];
    }
    if (young === undefined) {
      const word = accountIn(after, principal) === undefined ? 'is gone' : 'is disabled';
      return [{ kind: 'revoked', subject, sentence: `${subject} ${word}` }];
    }
    const joined = young.filter((group) => !old.includes(group));
    const left = old.filter((group) => !young.includes(group));
    const [was, is] = [before, after].map(({ workloads }) => workloads.get(principal.name));
    const trust = principal.kind === 'workload' && was && is ? trustChanges(was, is) : [];
    if (joined.length + left.length + trust.length === 0) return [];
    const words = [
      ...(trust.length === 0 ? [] : [`takes other tokens: ${trust.join(', ')}`]),
      ...(joined.length === 0 ? [] : [`joins ${joined.join(', ')}`]),
      ...(left.length === 0 ? [] : [`leaves ${left.join(', ')}`]),
    ];
    return [{ kind: 'changed', subject, sentence: `${subject} ${words.join(' and ')}` }];
  });
}

interface LimitChange {
  readonly kind: 'added' | 'removed' | 'changed';
  /** As it is now; a removed one as it was. */
  readonly limit: Limit;
  /** Without the sign and the place. */
  readonly sentence: string;
}

/** More than elsewhere: the one that changed should be among them. */
const shownSubjects = 12;

/** In order of names; the same name before and after is the same limit. */
function limitChanges(before: Policy, after: Policy): readonly LimitChange[] {
  const old = new Map(before.limits.map((limit) => [limit.name, limit]));
  const young = new Map(after.limits.map((limit) => [limit.name, limit]));
  const names = [...new Set([...old.keys(), ...young.keys()])].sort();
  return names.flatMap((name): readonly LimitChange[] => {
    const [was, is] = [old.get(name), young.get(name)];
    if (is !== undefined && was === undefined) {
      return [{ kind: 'added', limit: is, sentence: `limit "${name}" is new: ${inWords(is)}` }];
    }
    if (was !== undefined && is === undefined) {
      return [{ kind: 'removed', limit: was, sentence: `limit "${name}" is gone: ${inWords(was)}` }];
    }
    const changes = was === undefined || is === undefined ? [] : changesOf(was, is);
    if (is === undefined || changes.length === 0) return [];
    return [{ kind: 'changed', limit: is, sentence: `limit "${name}" ${changes.join('; ')}` }];
  });
}

/** `group:devs, 60 pushes per minute for each account, at most 20 at once`. */
function inWords(limit: Limit): string {
  return `${who(limit)}, ${describeLimit(limit)}${limit.mode === 'shadow' ? ', in shadow mode' : ''}`;
}

function who({ subjects, except }: Limit): string {
  const texts = (each: readonly Subject[]): string => listed(each.map(formatSubject), shownSubjects);
  return `${texts(subjects)}${except.length === 0 ? '' : ` (but not ${texts(except)})`}`;
}

function changesOf(was: Limit, is: Limit): readonly string[] {
  const amounts = [was, is].map((limit) => describeLimit(limit));
  return [
    ...(was.mode === is.mode
      ? []
      : [is.mode === 'shadow' ? 'refuses nobody any more: it is in shadow mode' : 'is enforced now']),
    ...(amounts[0] === amounts[1] ? [] : [`is now ${amounts[1] ?? ''} (before: ${amounts[0] ?? ''})`]),
    ...(isSameSet(was.subjects, is.subjects) && isSameSet(was.except, is.except)
      ? []
      : [`is now for ${who(is)} (before: ${who(was)})`]),
  ];
}

function isSameSet(left: readonly Subject[], right: readonly Subject[]): boolean {
  const [a, b] = [left, right].map((subjects) => [...new Set(subjects.map(formatSubject))].sort().join(' '));
  return a === b;
}
