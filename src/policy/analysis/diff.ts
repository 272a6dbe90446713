/** What a change of policy grants, takes away and limits, in words. Order, names of rules and places never make a difference. */
import { actionsOf, formatPlace, listed } from '../describe.ts';
import { type AccountChange, accountChanges } from './diff-accounts.ts';
import { comparePolicies, noTag, otherTags } from './diff-cells.ts';
import { type Finding, findingsOf, ruleOf } from './diff-findings.ts';
import { type LimitChange, limitChanges } from './diff-limits.ts';
import { type ChangeKind, kindOf } from './diff-states.ts';
import type { Action, Policy, Rule } from '../model.ts';

export interface AccessChange {
  readonly kind: ChangeKind;
  /** In file notation. */
  readonly subjects: readonly string[];
  readonly actions: readonly Action[];
  /** Patterns, or words for what two patterns share. */
  readonly repositories: readonly string[];
  /** Subjects among these for whom it is not so. */
  readonly exceptSubjects: readonly string[];
  /** Patterns inside of these repositories for which it is not so. */
  readonly exceptRepositories: readonly string[];
  /** Tag patterns, `other` among them for tags that no pattern names; absent: tags make no difference. */
  readonly tags?: readonly string[];
  /** The rule that decides now; for what is no longer allowed by any rule, the one that allowed it. */
  readonly rule: Rule | undefined;
  /** Without the sign and the rule. */
  readonly sentence: string;
}

export interface PolicyDiff {
  readonly accounts: readonly AccountChange[];
  readonly changes: readonly AccessChange[];
  readonly limits: readonly LimitChange[];
  /** False when the policies are too large to be compared whole; what is listed is true all the same. */
  readonly isComplete: boolean;
}

export interface DiffOptions {
  /** Milliseconds since 1970. */
  readonly now: number;
  /** Bounds the time a comparison takes; three million by default, some seconds. */
  readonly maxWork?: number;
}

/** What is granted comes first, what is revoked last. */
export function diffPolicies(before: Policy, after: Policy, { now, maxWork = 3_000_000 }: DiffOptions): PolicyDiff {
  const { cells, isComplete } = comparePolicies(before, after, { now, maxWork });
  return {
    accounts: accountChanges(before, after),
    changes: findingsOf(cells).map(toChange).sort(byKind),
    limits: limitChanges(before, after),
    isComplete,
  };
}

function toChange(finding: Finding): AccessChange {
  const { before, after, labels, repositories, exceptSubjects, exceptRepositories, tags } = finding;
  const kind = kindOf(before, after);
  const actions = actionsOf(finding.rights);
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
    ...(tags === undefined ? {} : { tags }),
    rule: ruleOf(finding),
    sentence: sentence(kind, who, what, finding),
  };
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
