/**
 * Deciding: default deny, the union of every matching `allow`, any matching `deny` wins. The order of rules and of files
 * never changes a decision. Synchronous and without failure: whatever could be wrong was refused when the files were read.
 */
import { isReferrersTag } from '../distribution/reference.ts';
import { type Circumstances, failedCondition } from './conditions.ts';
import { frozenUntil } from './freezes.ts';
import { type StandingGate, gatesAt } from './gates.ts';
import {
  type Action,
  type Counted,
  type GroupMember,
  type Limit,
  type Policy,
  type Principal,
  type Rights,
  type Rule,
  anonymous,
  decidingRights,
  pushes,
  rights,
  rightsOf,
} from './model.ts';
import { matchPieces } from './pattern.ts';
import { accountNameOf, isAbout, names, subjectsOf } from './principal.ts';
import { type Leaf, type RuleBucket, RuleIndex } from './rule-index.ts';
import type { EpochMs } from '../time.ts';

export interface Question<Who = Principal | GroupMember> extends Circumstances {
  readonly principal: Who;
  readonly action: Action;
  readonly repository: string;
  /** The tag that the request names. Without one, tags of a rule are not judged: an allow holds, a deny does not; but see `deletes`. */
  readonly tag?: string | undefined;
  /** What a `delete` without a tag is about; a layer when left out. */
  readonly deletes?: Untagged;
  /** For `promote`: what it comes to, once that is known; otherwise it is allowed where either is. */
  readonly writes?: 'create' | 'overwrite';
  /** For `pull`: the read is one that clients do while pushing, so the right to push is enough. */
  readonly readWhilePushing?: boolean;
  /** Whether the tag is to be shown in a list; whoever asks for one by itself has it from somewhere. */
  readonly isListing?: boolean;
}

/**
 * What no tag names. `layer`: content that tags are made of: whoever may not delete or move each tag may not delete it.
 * `manifest`: one that no tag leads to. `something`: whether anything at all may be deleted here, for who looks at the tags
 * next or bounds a token. A right to delete certain tags reaches neither of the former.
 */
export type Untagged = 'layer' | 'manifest' | 'something';

export type DecisionReason =
  | 'rule_allows'
  | 'rule_denies'
  | 'no_rule'
  /** Of somebody asked about by name. */
  | 'account_unknown'
  /** The rules would allow it, the robot's secret does not reach it. */
  | 'secret_narrow';

export interface Decision {
  readonly allowed: boolean;
  readonly reason: DecisionReason;
  /** The rule that decided; undefined when none matched. */
  readonly rule: Rule | undefined;
  /** Shadow rules that would have turned the decision. */
  readonly shadow: readonly Rule[];
  /** When it is allowed, of what is forbidden for some time only. */
  readonly frozenUntil?: EpochMs | undefined;
}

/** Decides about whoever it is given, in the groups that they bring: nobody is looked up. */
export interface CompiledPolicy<Who = Principal | GroupMember> {
  readonly policy: Policy;
  readonly decide: (question: Question<Who>) => Decision;
  /** Whether the principal may call the catalog at all; which names it shows is decided name by name. */
  readonly mayListCatalog: (principal: Who, circumstances: Circumstances) => Decision;
  /** Whether the principal may do this in every repository there is or will be: allowed for `**`, and nowhere denied. */
  readonly mayEverywhere: (principal: Who, action: Action, circumstances: Circumstances) => Decision;
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
  const catalogRules = ordered.filter(
    ({ rights: set, mode, effect, tags }) =>
      // As everywhere: where no tag is named, a deny of certain tags does not apply.
      (set & rights.catalog) !== 0 && mode === 'enforce' && (effect === 'allow' || tags === undefined),
  );

  const decide = (question: Question): Decision => {
    const subjects = subjectsOf(question.principal);
    const accountName = accountNameOf(question.principal);
    const leaves = index.leaves(question.repository, accountName);
    const decision = judge(leaves, subjects, question, accountName);
    if (decision.allowed || decision.rule?.when === undefined) return decision;
    const until = frozenUntil(decision, question.now, (now) =>
      judge(leaves, subjects, { ...question, now }, accountName),
    );
    return until === undefined ? decision : { ...decision, frozenUntil: until };
  };

  const mayListCatalog = (principal: Principal | GroupMember, circumstances: Circumstances): Decision => {
    const subjects = subjectsOf(principal);
    const matching = catalogRules.filter(
      (rule) =>
        isAbout(rule, subjects) && (rule.when === undefined || failedCondition(rule.when, circumstances) === undefined),
    );
    const everywhere = (rule: Rule): boolean => rule.repositories.some((pattern) => pattern.text === '**');
    const denied = matching.find((rule) => rule.effect === 'deny' && everywhere(rule));
    if (denied !== undefined) return decided(false, denied);
    const allowed = matching.find((rule) => rule.effect === 'allow');
    return allowed === undefined ? noRule : decided(true, allowed);
  };

  const mayEverywhere: CompiledPolicy['mayEverywhere'] = (principal, action, circumstances) =>
    decideEverywhere(ordered, principal, action, circumstances);

  const judgesTags = (question: Question): boolean => {
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

  return { policy, decide, mayListCatalog, mayEverywhere, judgesTags, limitsOf, gatesOf };
}

function decideEverywhere(
  ordered: readonly Rule[],
  principal: Principal | GroupMember,
  action: Action,
  circumstances: Circumstances,
): Decision {
  const subjects = subjectsOf(principal);
  const wanted = rightsOf(action);
  const matching = ordered.filter(
    (rule) =>
      (rule.rights & wanted) !== 0 &&
      rule.mode === 'enforce' &&
      rule.tags === undefined &&
      isAbout(rule, subjects) &&
      (rule.when === undefined || failedCondition(rule.when, circumstances) === undefined),
  );
  const denied = matching.find(({ effect }) => effect === 'deny');
  if (denied !== undefined) return decided(false, denied);
  const allowed = matching.find(({ repositories }) => repositories.some(({ text }) => text === '**'));
  return allowed === undefined ? noRule : decided(true, allowed);
}

const noRule: Decision = { allowed: false, reason: 'no_rule', rule: undefined, shadow: [] };

/** The order in which rules are tried and named; by code units, the same on every machine. */
export function byName(left: Rule, right: Rule): number {
  return left.name < right.name ? -1 : left.name > right.name ? 1 : 0;
}

/** What matching rules say: rights allowed and denied, and which rule said so first. */
interface Verdict {
  allowed: Rights;
  denied: Rights;
  allowRules: Rule[];
  denyRules: Rule[];
  shadows: Rule[];
}

function judge(
  leaves: readonly Leaf[],
  subjects: readonly string[],
  question: Question,
  accountName: string | undefined,
): Decision {
  const verdict: Verdict = { allowed: 0, denied: 0, allowRules: [], denyRules: [], shadows: [] };
  for (const leaf of leaves) {
    for (const subject of subjects) {
      const allow = leaf.allow.get(subject);
      if (allow !== undefined) collect(allow, verdict, subjects, question, accountName);
      const deny = leaf.deny.get(subject);
      if (deny !== undefined) collect(deny, verdict, subjects, question, accountName);
    }
  }
  const decision = conclude(verdict, question);
  return verdict.shadows.length === 0 ? decision : withShadow(decision, verdict, question);
}

function collect(
  bucket: RuleBucket,
  verdict: Verdict,
  subjects: readonly string[],
  question: Question,
  accountName: string | undefined,
): void {
  for (const rule of bucket.plain) apply(rule, rule.rights, verdict);
  for (const rule of bucket.conditional) {
    if (!holds(rule, subjects, question, accountName)) continue;
    if (rule.mode === 'shadow') verdict.shadows.push(rule);
    else apply(rule, rightsHere(rule, question), verdict);
  }
}

function apply(rule: Rule, set: Rights, verdict: Verdict): void {
  if (rule.effect === 'allow') {
    verdict.allowed |= set;
    verdict.allowRules.push(rule);
  } else {
    verdict.denied |= set;
    verdict.denyRules.push(rule);
  }
}

function holds(rule: Rule, subjects: readonly string[], question: Question, accountName: string | undefined): boolean {
  if (rule.except.length > 0 && names(rule.except, subjects)) return false;
  if (rule.tags !== undefined) {
    const { tag } = question;
    if (tag === undefined) {
      if (!holdsWithoutTag(rule, question)) return false;
    } else if (!rule.tags.some((pattern) => matchPieces(pattern.pieces, tag, accountName))) {
      if (rule.effect === 'deny' || !isReadByDigest(question)) return false;
    }
  }
  return rule.when === undefined || failedCondition(rule.when, question) === undefined;
}

/** Whether a rule about certain tags counts where none is named. */
export function holdsWithoutTag(
  { effect }: Rule,
  { action, deletes = 'layer' }: Pick<Question, 'action' | 'deletes'>,
): boolean {
  if (action !== 'delete') return effect === 'allow';
  return deletes === (effect === 'allow' ? 'something' : 'layer');
}

/** The rights that a matching rule is about. Tags that may not be moved are lost with their layers, too. */
export function rightsHere(
  { effect, rights: set, tags }: Rule,
  { action, tag }: Pick<Question, 'action' | 'tag'>,
): Rights {
  const guards = effect === 'deny' && tags !== undefined && action === 'delete' && tag === undefined;
  return guards && (set & rights.overwrite) !== 0 ? set | rights.delete : set;
}

/**
 * Reading a referrers tag is a read by digest, which an `allow` with tags gives for the whole repository: signatures of
 * an image that may be pulled are found under such tags. A `deny` that matches the tag stands.
 */
export function isReadByDigest({ action, tag, isListing }: Pick<Question, 'action' | 'tag' | 'isListing'>): boolean {
  return action === 'pull' && isListing !== true && tag !== undefined && isReferrersTag(tag);
}

function conclude(verdict: Verdict, question: Question): Decision {
  const wanted = rightsOf(question.action);
  if (question.action === 'promote') return concludePromotion(verdict, question);
  const reach = verdict.allowed & ~verdict.denied;
  if ((reach & wanted) !== 0) return decided(true, first(verdict.allowRules, reach & wanted, question));
  if ((verdict.denied & wanted) !== 0 && (verdict.allowed & wanted) !== 0) {
    return decided(false, first(verdict.denyRules, verdict.denied & wanted, question));
  }
  const mayReadToPush = question.action === 'pull' && question.readWhilePushing === true && (reach & pushes) !== 0;
  if (mayReadToPush && (verdict.denied & rights.pull) === 0)
    return decided(true, first(verdict.allowRules, reach & pushes, question));
  if ((verdict.denied & wanted) !== 0) {
    return decided(false, first(verdict.denyRules, verdict.denied & wanted, question));
  }
  return noRule;
}

/** A denial of the write that it comes to binds it as one of `promote` does. */
function concludePromotion({ allowed, denied, allowRules, denyRules }: Verdict, question: Question): Decision {
  if ((allowed & rights.promote) === 0 && (denied & rights.promote) === 0) return noRule;
  const writes = question.writes === undefined ? pushes : rights[question.writes];
  const isBarred = (denied & rights.promote) !== 0 || (denied & writes) === writes;
  if (isBarred) return decided(false, first(denyRules, denied & (rights.promote | writes), question));
  return decided(true, first(allowRules, rights.promote, question));
}

function decided(allowed: boolean, rule: Rule | undefined): Decision {
  return { allowed, reason: allowed ? 'rule_allows' : 'rule_denies', rule, shadow: [] };
}

/** By name, so that the same rule is named however files and rules are ordered. */
function first(rules: readonly Rule[], wanted: Rights, question: Question): Rule | undefined {
  let best: Rule | undefined;
  for (const rule of rules) {
    if ((rightsHere(rule, question) & wanted) !== 0 && (best === undefined || rule.name < best.name)) best = rule;
  }
  return best;
}

function withShadow(decision: Decision, verdict: Verdict, question: Question): Decision {
  const enforced = { ...verdict, allowRules: [...verdict.allowRules], denyRules: [...verdict.denyRules] };
  for (const rule of verdict.shadows) apply(rule, rightsHere(rule, question), enforced);
  if (conclude(enforced, question).allowed === decision.allowed) return decision;
  const turning = verdict.shadows.filter((rule) => (rule.effect === 'allow') !== decision.allowed);
  return { ...decision, shadow: turning };
}
