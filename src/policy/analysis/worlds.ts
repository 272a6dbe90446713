/** What somebody may do at any time: the rule that lets them, and what it hangs on. */
import type { PolicyByName } from '../by-name.ts';
import { describeConditions, describeRule } from '../describe.ts';
import type { Decision } from '../evaluate.ts';
import type { GroupMember, Named, Policy, Rule } from '../model.ts';
import { type SecretReach, onlyHalf, secretsOf } from '../secret-reach.ts';
import { type Inquiry, consider } from './consider.ts';
import { tagLimitOf } from './explain.ts';
import { type GateAbout, gatesAbout } from './gates-about.ts';

export type WhoCanQuestion = Omit<Inquiry, 'principal'>;

export interface Permitted<P extends Named | GroupMember = Named> {
  readonly principal: P;
  readonly rule: Rule;
  /** Reading that comes with the right to push. */
  readonly impliedByPush: boolean;
  /** Of a push or promotion: only tags that do not exist yet, or only tags that do. Of a deletion: no layers, and manifests as their tags allow. */
  readonly only?: 'create' | 'overwrite' | 'tagged' | undefined;
  /** No tag was named, and whatever allows it is limited to these. */
  readonly tags?: readonly string[] | undefined;
  /** What the permission hangs on, to be read after the name: `only while it is …`; absent when it always holds. */
  readonly condition?: string | undefined;
  /** Over what is written to, whether they stand for this principal or not. */
  readonly gates: readonly GateAbout[];
  /** Of a robot: each of its secrets. */
  readonly secrets: readonly SecretReach[];
}

/** `isNow`: not only at another time or from another address. undefined: never. */
export type Answer = { readonly isNow: boolean; readonly permitted: Permitted<Named | GroupMember> } | undefined;

/** One policy three times. `about`: rules that may concern who answers to these subjects, where it is asked. */
export interface Worlds {
  readonly about: (subjects: readonly string[]) => readonly Rule[];
  /** By name: the other worlds hold copies of the rules, without their conditions. */
  readonly rules: ReadonlyMap<string, Rule>;
  readonly now: PolicyByName;
  readonly always: PolicyByName;
  readonly sometimes: PolicyByName;
}

/** The policy without the conditional rules of one effect, those of the other applying at any time. */
export function without(policy: Policy, effect: Rule['effect']): Policy {
  const rules = policy.rules.filter((rule) => rule.when === undefined || rule.effect !== effect).map(unconditional);
  return { ...policy, rules };
}

function unconditional(rule: Rule): Rule {
  const { when, ...rest } = rule;
  return when === undefined ? rule : rest;
}

/** What somebody may do, at any time: the rule, and what it hangs on. */
export function judge(worlds: Worlds, question: WhoCanQuestion, principal: Named | GroupMember): Answer {
  const found = judgeOnce(worlds, question, principal);
  if (found?.isNow === true || question.action !== 'delete' || question.tag !== undefined) return found;
  const tagged = judgeOnce(worlds, { ...question, deletes: 'something' }, principal);
  if (tagged === undefined || (found !== undefined && !tagged.isNow)) return found;
  return { ...tagged, permitted: { ...tagged.permitted, only: 'tagged' } };
}

function judgeOnce(worlds: Worlds, question: WhoCanQuestion, principal: Named | GroupMember): Answer {
  const now = decide(worlds.now, question, principal);
  const always = decide(worlds.always, question, principal);
  const best = always.decision.allowed
    ? always
    : now.decision.allowed
      ? now
      : decide(worlds.sometimes, question, principal);
  const named = best.decision.rule;
  if (!best.decision.allowed || named === undefined) return undefined;
  const rule = worlds.rules.get(named.name) ?? named;
  const condition = always.decision.allowed ? undefined : conditionOf(worlds, question, principal, rule);
  const subjects = worlds.now.subjectsOf(principal) ?? [];
  const tags = tagLimitOf(worlds.about(subjects), { ...question, principal }, subjects);
  const isNow = now.decision.allowed;
  const world = isNow ? worlds.now : worlds.sometimes;
  const secrets = secretsOf(world, principal, question);
  const { action } = question;
  const isHalf = (half: 'create' | 'overwrite'): boolean =>
    world.decide({ ...question, principal, ...(action === 'push' ? { action: half } : { writes: half }) }).allowed;
  const only = action === 'push' || action === 'promote' ? onlyHalf(isHalf) : undefined;
  const gates = gatesAbout(worlds.now, { ...question, principal });
  const { impliedByPush } = best;
  return { isNow, permitted: { principal, rule, impliedByPush, secrets, only, tags, condition, gates } };
}

function decide(
  { decide: ask }: PolicyByName,
  question: WhoCanQuestion,
  principal: Named | GroupMember,
): { readonly decision: Decision; readonly impliedByPush: boolean } {
  const plain = ask({ ...question, principal });
  if (plain.allowed) return { decision: plain, impliedByPush: false };
  const decision = ask({ ...question, principal, readWhilePushing: true });
  return { decision, impliedByPush: decision.allowed };
}

function conditionOf(worlds: Worlds, question: WhoCanQuestion, principal: Named | GroupMember, rule: Rule): string {
  if (rule.when !== undefined) return `only while ${describeConditions(rule.when)}`;
  const against = timedDenials(worlds, question, principal);
  if (against.length === 0) return 'only at some times or from some addresses';
  const words = against.map((each) => `${describeConditions(each.when ?? {})} (${describeRule(each)})`);
  return `except while ${words.join(' or while ')}`;
}

/** Denials that stand in the way while their `when` holds. */
export function timedDenials(
  { now: compiled, about }: Worlds,
  question: WhoCanQuestion,
  principal: Named | GroupMember,
): readonly Rule[] {
  const subjects = compiled.subjectsOf(principal) ?? [];
  return about(subjects).filter(
    (each) =>
      each.effect === 'deny' &&
      each.mode === 'enforce' &&
      each.when !== undefined &&
      consider(each, { ...question, principal }, subjects).failures.every(({ part }) => part === 'condition'),
  );
}
