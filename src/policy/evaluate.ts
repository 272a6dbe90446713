/**
 * Deciding: default deny, the union of every matching `allow`, any matching `deny` wins. The order of rules and of files
 * never changes a decision. Synchronous and without failure: whatever could be wrong was refused when the files were read.
 */
import type { Circumstances } from './conditions.ts';
import { type EverywhereAction, mayEverywhere, mayListCatalog } from './everywhere.ts';
import { frozenUntil } from './freezes.ts';
import { type StandingGate, gatesAt } from './gates.ts';
import {
  type Counted,
  type GroupMember,
  type Limit,
  type Policy,
  type Principal,
  type Rule,
  anonymous,
  decidingRights,
  isMachine,
  judgesTag,
  rights,
} from './model.ts';
import { accountNameOf, isAbout, subjectsOf } from './principal.ts';
import { type Decision, type Question, isSameButPlace, notAPerson } from './question.ts';
import { type Leaf, type RuleBucket, RuleIndex } from './rule-index.ts';
import { judge } from './verdict.ts';

export type { Decision, DecisionReason, Question, Untagged } from './question.ts';

/** Decides about whoever it is given, in the groups that they bring: nobody is looked up. */
export interface CompiledPolicy<Who = Principal | GroupMember> {
  readonly policy: Policy;
  readonly decide: (question: Question<Who>) => Decision;
  /** Whether the principal may call the catalog at all; which names it shows is decided name by name. */
  readonly mayListCatalog: (principal: Who, circumstances: Circumstances) => Decision;
  /** Whether the principal may do this in every repository there is or will be: allowed for `**`, and nowhere denied. */
  readonly mayEverywhere: (principal: Who, action: EverywhereAction, circumstances: Circumstances) => Decision;
  /** Whether some rule judges this action by tag here: otherwise no tag can change the decision. */
  readonly judgesTags: (question: Question<Who>) => boolean;
  /** The limits that count such a request of this principal, by name. */
  readonly limitsOf: (principal: Who, counted: Counted) => readonly Limit[];
  /** The gates that a write of this principal passes through; see `gatesAt`. */
  readonly gatesOf: (principal: Who, repository: string, tag?: string) => readonly StandingGate[];
}

/** In one go; `compilePolicySteadily` is for a process that has requests to answer. */
export function compilePolicy(policy: Policy): CompiledPolicy {
  const index = new RuleIndex();
  const ordered = policy.rules.toSorted(byName);
  for (const rule of ordered) index.add(rule);
  return withIndex(policy, ordered, index);
}

/** Rules compiled between two pauses: well under a millisecond. */
const rulesAtOnce = 200;

/** The same in small steps, for a process that has requests to answer; `pause` lets it. */
export async function compilePolicySteadily(policy: Policy, pause: () => Promise<void>): Promise<CompiledPolicy> {
  const index = new RuleIndex();
  const ordered = policy.rules.toSorted(byName);
  for (const [position, rule] of ordered.entries()) {
    index.add(rule);
    if (position % rulesAtOnce === rulesAtOnce - 1) await pause();
  }
  return withIndex(policy, ordered, index);
}

function withIndex(policy: Policy, ordered: readonly Rule[], index: RuleIndex): CompiledPolicy {
  const ofWhole = rights.catalog | rights.inspect | rights.administer;
  const whole = ordered.filter((rule) => (rule.rights & ofWhole) !== 0);
  let before:
    { readonly leaves: readonly Leaf[]; readonly question: Question; readonly decision: Decision } | undefined;
  const decide = (question: Question): Decision => {
    if (question.action === 'administer' && isMachine(question.principal)) return notAPerson;
    const leaves = index.leaves(question.repository, accountNameOf(question.principal));
    // Lists ask the same of one repository after another, and most of them are under the same patterns.
    if (before?.leaves === leaves && isSameButPlace(before.question, question)) return before.decision;
    const decision = decideBy(leaves, question);
    before = { leaves, question, decision };
    return decision;
  };

  const judgesTags = (question: Question): boolean => {
    if (!judgesTag(question.action)) return false;
    const subjects = subjectsOf(question.principal);
    const concerns = (bucket: RuleBucket | undefined): boolean =>
      bucket?.conditional.some(
        ({ tags, mode, effect, rights: set }) =>
          tags !== undefined && mode === 'enforce' && (set & decidingRights(effect, question.action)) !== 0,
      ) === true;
    const leaves = index.leaves(question.repository, accountNameOf(question.principal));
    return leaves.some((leaf) =>
      subjects.some((subject) => concerns(leaf.allow.get(subject)) || concerns(leaf.deny.get(subject))),
    );
  };

  const limits = policy.limits.toSorted((left, right) => (left.name < right.name ? -1 : 1));
  const limitsByPrincipal = new WeakMap<Principal | GroupMember, Readonly<Record<Counted, readonly Limit[]>>>();
  const limitsOf = (principal: Principal | GroupMember, counted: Counted): readonly Limit[] => {
    if (limits.length === 0) return limits;
    const key = principal.kind === 'anonymous' ? anonymous : principal;
    const known = limitsByPrincipal.get(key);
    if (known !== undefined) return known[counted];
    const subjects = subjectsOf(principal);
    const applying = limits.filter((limit) => isAbout(limit, subjects));
    const of = (each: Counted): readonly Limit[] => applying.filter(({ count }) => count === each);
    const found = { pull: of('pull'), push: of('push'), token: of('token') };
    limitsByPrincipal.set(key, found);
    return found[counted];
  };

  const gates = policy.gates.toSorted((left, right) => (left.name < right.name ? -1 : 1));
  const gatesOf = (principal: Principal | GroupMember, repository: string, tag?: string): readonly StandingGate[] =>
    gates.length === 0 ? [] : gatesAt(gates, principal, repository, tag);

  return {
    policy,
    decide,
    mayListCatalog: (principal, circumstances) => mayListCatalog(whole, principal, circumstances),
    mayEverywhere: (principal, action, circumstances) => mayEverywhere(whole, principal, action, circumstances),
    judgesTags,
    limitsOf,
    gatesOf,
  };
}

function decideBy(leaves: readonly Leaf[], question: Question): Decision {
  const subjects = subjectsOf(question.principal);
  const accountName = accountNameOf(question.principal);
  const decision = judge(leaves, subjects, question, accountName);
  if (decision.allowed || decision.rule?.when === undefined) return decision;
  const until = frozenUntil(decision, question.now, (now) =>
    judge(leaves, subjects, { ...question, now }, accountName),
  );
  return until === undefined ? decision : { ...decision, frozenUntil: until };
}

/** The order in which rules are tried and named; by code units, the same on every machine. */
export function byName(left: Rule, right: Rule): number {
  return left.name < right.name ? -1 : left.name > right.name ? 1 : 0;
}
