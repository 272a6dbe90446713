/** Who may do something: every declared account and anonymous callers, each with the rule that lets them. */
import type { Circumstances } from './conditions.ts';
import { describeConditions, describeRule } from './describe.ts';
import { type CompiledPolicy, type Decision, type Untagged, compilePolicy } from './evaluate.ts';
import { consider } from './explain.ts';
import { type Action, type GroupMember, type Policy, type Principal, type Rule } from './model.ts';

export interface WhoCanQuestion extends Circumstances {
  readonly action: Action;
  readonly repository: string;
  readonly tag?: string | undefined;
  readonly deletes?: Untagged;
}

export interface Permitted<P extends Principal | GroupMember = Principal> {
  readonly principal: P;
  readonly rule: Rule;
  /** Reading that comes with the right to push. */
  readonly impliedByPush: boolean;
  /** Of a push: only tags that do not exist yet, or only tags that do. Of a deletion: no layers, and manifests as their tags allow. */
  readonly only?: 'create' | 'overwrite' | 'tagged';
  /** What the permission hangs on, to be read after the name: `only while it is …`; absent when it always holds. */
  readonly condition?: string;
}

export interface WhoCan {
  readonly permitted: readonly Permitted[];
  /** Refused now, but allowed at another time or from another address. */
  readonly otherwise: readonly Permitted[];
  /** Groups that nobody is in, whose members would be allowed. */
  readonly emptyGroups: readonly Permitted<GroupMember>[];
  /** Accounts asked about, and anonymous. */
  readonly total: number;
}

/** Accounts that are disabled are counted and never permitted. */
export function whoCan(compiled: CompiledPolicy, question: WhoCanQuestion): WhoCan {
  const { policy } = compiled;
  const worlds: Worlds = {
    rules: new Map(policy.rules.map((rule) => [rule.name, rule])),
    now: compiled,
    // Where no conditional rule helps and each hurts; and the other way round.
    always: compilePolicy(without(policy, 'allow')),
    sometimes: compilePolicy(without(policy, 'deny')),
  };
  const principals = principalsOf(policy);
  const permitted: Permitted[] = [];
  const otherwise: Permitted[] = [];
  for (const principal of principals) {
    const found = judge(worlds, question, principal);
    if (found === undefined) continue;
    if (found.isNow) permitted.push(found.permitted);
    else otherwise.push(found.permitted);
  }
  const emptyGroups = emptyGroupsOf(policy).flatMap((principal) => {
    const found = judge(worlds, question, principal);
    return found?.isNow === true ? [found.permitted] : [];
  });
  return { permitted, otherwise, emptyGroups, total: principals.length };
}

interface Worlds {
  /** By name: the other worlds hold copies of the rules, without their conditions. */
  readonly rules: ReadonlyMap<string, Rule>;
  readonly now: CompiledPolicy;
  readonly always: CompiledPolicy;
  readonly sometimes: CompiledPolicy;
}

/** The policy without the conditional rules of one effect, those of the other applying at any time. */
function without(policy: Policy, effect: Rule['effect']): Policy {
  const rules = policy.rules.filter((rule) => rule.when === undefined || rule.effect !== effect).map(unconditional);
  return { ...policy, rules };
}

function unconditional(rule: Rule): Rule {
  const { when, ...rest } = rule;
  return when === undefined ? rule : rest;
}

interface Judged<P extends Principal | GroupMember> {
  readonly isNow: boolean;
  readonly permitted: Permitted<P>;
}

function judge<P extends Principal | GroupMember>(
  worlds: Worlds,
  question: WhoCanQuestion,
  principal: P,
): Judged<P> | undefined {
  const found = judgeOnce(worlds, question, principal);
  if (found?.isNow === true || question.action !== 'delete' || question.tag !== undefined) return found;
  const tagged = judgeOnce(worlds, { ...question, deletes: 'something' }, principal);
  if (tagged === undefined || (found !== undefined && !tagged.isNow)) return found;
  return { ...tagged, permitted: { ...tagged.permitted, only: 'tagged' } };
}

function judgeOnce<P extends Principal | GroupMember>(
  worlds: Worlds,
  question: WhoCanQuestion,
  principal: P,
): Judged<P> | undefined {
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
  const only = question.action === 'push' ? halfOf(worlds, question, principal) : undefined;
  const condition = always.decision.allowed ? undefined : conditionOf(worlds.now, question, principal, rule);
  return {
    isNow: now.decision.allowed,
    permitted: {
      principal,
      rule,
      impliedByPush: best.impliedByPush,
      ...(only === undefined ? {} : { only }),
      ...(condition === undefined ? {} : { condition }),
    },
  };
}

function decide(
  { decide: ask }: CompiledPolicy,
  question: WhoCanQuestion,
  principal: Principal | GroupMember,
): { readonly decision: Decision; readonly impliedByPush: boolean } {
  const plain = ask({ ...question, principal });
  if (plain.allowed) return { decision: plain, impliedByPush: false };
  const decision = ask({ ...question, principal, readWhilePushing: true });
  return { decision, impliedByPush: decision.allowed };
}

function halfOf(
  { now, sometimes }: Worlds,
  question: WhoCanQuestion,
  principal: Principal | GroupMember,
): 'create' | 'overwrite' | undefined {
  const world = now.decide({ ...question, principal }).allowed ? now : sometimes;
  const [create, overwrite] = (['create', 'overwrite'] as const).map(
    (action) => world.decide({ ...question, action, principal }).allowed,
  );
  return create === overwrite ? undefined : create === true ? 'create' : 'overwrite';
}

function conditionOf(
  compiled: CompiledPolicy,
  question: WhoCanQuestion,
  principal: Principal | GroupMember,
  rule: Rule,
): string {
  if (rule.when !== undefined) return `only while ${describeConditions(rule.when)}`;
  const subjects = compiled.subjectsOf(principal) ?? [];
  const against = compiled.policy.rules.filter(
    (each) =>
      each.effect === 'deny' &&
      each.mode === 'enforce' &&
      each.when !== undefined &&
      consider(each, { ...question, principal }, subjects).failures.every(({ part }) => part === 'condition'),
  );
  if (against.length === 0) return 'only at some times or from some addresses';
  const words = against.map((each) => `${describeConditions(each.when ?? {})} (${describeRule(each)})`);
  return `except while ${words.join(' or while ')}`;
}

/** Every declared account, and anonymous. */
export function principalsOf({ users, robots, workloads }: Policy): readonly Principal[] {
  return [
    ...[...users.keys()].sort().map((name) => ({ kind: 'user' as const, name })),
    ...[...robots.keys()].sort().map((name) => ({ kind: 'robot' as const, name })),
    ...[...workloads.keys()].sort().map((name) => ({ kind: 'workload' as const, name })),
    { kind: 'anonymous' },
  ];
}

/** Groups that no account is in. */
export function emptyGroupsOf({ users, robots, workloads, groups }: Policy): readonly GroupMember[] {
  const inhabited = new Set(
    [...users.values(), ...robots.values(), ...workloads.values()].flatMap((account) => account.groups),
  );
  return [...groups.keys()]
    .filter((name) => !inhabited.has(name))
    .sort()
    .map((name) => ({ kind: 'group', name }));
}
