/** What the rules that match a question come to: the union of every `allow`, less every `deny`. */
import { isReferrersTag } from '../distribution/reference.ts';
import { failedCondition } from './conditions.ts';
import { type Rights, type Rule, judgesTag, pushes, rights, rightsOf } from './model.ts';
import { matchPieces } from './pattern.ts';
import { names } from './principal.ts';
import { type Decision, type Question, decided, noRule } from './question.ts';
import type { Leaf, RuleBucket } from './rule-index.ts';

/** What matching rules say: rights allowed and denied, and which rule said so first. */
interface Verdict {
  allowed: Rights;
  denied: Rights;
  allowRules: Rule[];
  denyRules: Rule[];
  shadows: Rule[];
}

/** The decision by the rules under these leaves, for somebody who answers to `subjects`. */
export function judge(
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
    const tag = judgesTag(question.action) ? question.tag : undefined;
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
