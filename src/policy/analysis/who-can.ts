/** Who may do something: every declared account and anonymous callers, each with the rule that lets them. */
import { describeConditions, describeRule } from '../describe.ts';
import { type PolicyByName, compileByName } from '../by-name.ts';
import type { Decision } from '../evaluate.ts';
import { type GateAbout, gatesAbout, ifInWords, isInTheWay } from './gates-about.ts';
import { type Inquiry, consider } from './consider.ts';
import { tagLimitOf } from './explain.ts';
import {
  type GroupMember,
  type Named,
  type Policy,
  type Rule,
  emptyGroupsOf,
  formatSubject,
  isMachine,
} from '../model.ts';
import type { RepositoryPattern } from '../pattern.ts';
import { accountNameOf, accountsOf } from '../principal.ts';
import { covers, exampleOf, filler, meetingOf } from './witness.ts';
import { type SecretReach, isReached, onlyHalf, secretsOf } from '../secret-reach.ts';
import { grouped } from '../grouped.ts';

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

/**
 * `otherwise`: refused now, but allowed at another time or from another address. `unreached`: robots that the rules would
 * let, and none of whose secrets reaches it. `emptyGroups`: groups that nobody is in, whose members would be allowed. `outside`: the
 * same of groups that people of login sources come into, whoever they are.
 */
export type WhoCan = ReturnType<Asking['ask']>;

/** Accounts that are disabled are counted and never permitted. */
export function whoCan(compiled: PolicyByName, question: WhoCanQuestion): WhoCan {
  return new Asking(compiled).ask(question);
}

/** An area, or a part of it of which rules speak by themselves. */
interface WhoCanPart extends WhoCan {
  /** Pattern, or words for what two patterns share. */
  readonly repositories: string;
}

/** Segments that stand for `**`: more than patterns in use spell out. */
const deep = 4;

/** First where no narrower rule speaks, then each part of the area where the answer is another; of one made-up name. */
export function whoCanIn(
  compiled: PolicyByName,
  area: RepositoryPattern,
  question: Omit<WhoCanQuestion, 'repository'>,
): readonly WhoCanPart[] {
  const asking = new Asking(compiled);
  const { rules, robots, gates } = compiled.policy;
  const secrets = [...robots.values()].flatMap(({ tokens }) => tokens);
  const all = new Map(
    [...rules.filter(({ mode }) => mode === 'enforce'), ...secrets, ...gates]
      .flatMap(({ repositories = [] }) => repositories)
      .map((pattern) => [pattern.text, pattern]),
  );
  const whole = asking.ask({ ...question, repository: (name) => exampleOf(area, name, deep) });
  const outcome = outcomeOf(whole);
  const asked = new Set<string>();
  const parts: WhoCanPart[] = [{ ...whole, repositories: area.text }];
  for (const pattern of all.values()) {
    if (pattern.text === area.text || covers(pattern, area)) continue;
    const isInside = covers(area, pattern);
    const repository = (name: string | undefined): string | undefined =>
      isInside ? exampleOf(pattern, name, deep) : meetingOf(area, pattern, name);
    // Two patterns may share their only name.
    const name = repository(filler);
    if (name === undefined || asked.has(name)) continue;
    asked.add(name);
    const found = asking.ask({ ...question, repository });
    if (outcomeOf(found) === outcome) continue;
    const repositories = isInside ? pattern.text : `what is in both ${area.text} and ${pattern.text}`;
    parts.push({ ...found, repositories });
  }
  return parts;
}

function outcomeOf({ permitted, otherwise, unreached, emptyGroups, outside }: WhoCan): string {
  return JSON.stringify(
    [permitted, otherwise, unreached, emptyGroups, outside].map((entries: readonly Permitted<Named | GroupMember>[]) =>
      entries.map(({ principal, rule, impliedByPush, only, tags, condition, gates, secrets }) => [
        formatSubject(principal),
        rule.name,
        impliedByPush,
        only,
        tags,
        condition,
        conditionsOf(gates),
        secrets.map(({ token, allowed }) => [token.id, allowed]),
      ]),
    ),
  );
}

/** What an image must be, in words; empty where anything may be written. */
export function conditionsOf(gates: readonly GateAbout[]): readonly string[] {
  return gates.filter(isInTheWay).map(ifInWords);
}

/** The question of everybody: one repository, or one for each by their own name, where there is one. */
interface Asked extends Omit<WhoCanQuestion, 'repository'> {
  readonly repository: string | ((accountName: string | undefined) => string | undefined);
}

/** `isNow`: not only at another time or from another address. undefined: never. */
type Answer = { readonly isNow: boolean; readonly permitted: Permitted<Named | GroupMember> } | undefined;

/** Those who are in the same groups and whom nothing tells apart are asked about once. */
class Asking {
  readonly #compiled: PolicyByName;
  readonly #worlds: Worlds;
  readonly #principals: readonly Named[];
  readonly #groups: readonly GroupMember[];
  /** Groups that people from outside come into. */
  readonly #outside: readonly GroupMember[];
  readonly #named: ReadonlySet<string>;

  constructor(compiled: PolicyByName) {
    const { policy } = compiled;
    this.#compiled = compiled;
    this.#worlds = {
      about: () => policy.rules,
      rules: new Map(policy.rules.map((rule) => [rule.name, rule])),
      now: compiled,
      // Where no conditional rule helps and each hurts; and the other way round.
      always: compileByName(without(policy, 'allow')),
      sometimes: compileByName(without(policy, 'deny')),
    };
    this.#principals = principalsOf(policy);
    this.#groups = emptyGroupsOf(policy).filter(({ name }) => policy.groups.get(name)?.from === undefined);
    this.#outside = [...policy.groups.values()].flatMap(({ name, from }) =>
      from === undefined ? [] : [{ kind: 'group', name }],
    );
    this.#named = new Set(
      [
        ...policy.rules.flatMap(({ subjects, except }) => [...subjects, ...except]),
        ...policy.gates.flatMap(({ except }) => except),
      ].map(formatSubject),
    );
  }

  ask(asked: Asked) {
    const answers = new Map<string, Answer>();
    const permitted: Permitted[] = [];
    const otherwise: Permitted[] = [];
    const unreached: Permitted[] = [];
    for (const principal of this.#principals) {
      const kind = this.#likeness(principal, asked);
      const found = answers.has(kind) ? answers.get(kind) : this.#judge(asked, principal);
      answers.set(kind, found);
      if (found === undefined) continue;
      const one = { ...found.permitted, principal };
      if (!isReached(one.secrets)) unreached.push(one);
      else if (found.isNow) permitted.push(one);
      else otherwise.push(one);
    }
    const membersOf = (groups: readonly GroupMember[]): readonly Permitted<GroupMember>[] =>
      groups.flatMap((principal) => {
        const found = this.#judge(asked, principal);
        return found?.isNow === true ? [{ ...found.permitted, principal }] : [];
      });
    const [emptyGroups, outside] = [membersOf(this.#groups), membersOf(this.#outside)];
    return { permitted, otherwise, unreached, emptyGroups, outside, total: this.#principals.length };
  }

  #judge(asked: Asked, principal: Named | GroupMember): Answer {
    const repository =
      typeof asked.repository === 'string' ? asked.repository : asked.repository(accountNameOf(principal));
    const found = repository === undefined ? undefined : judge(this.#worlds, { ...asked, repository }, principal);
    if (found === undefined || typeof asked.repository === 'string') return found;
    const gates = found.permitted.gates.map((each) => ({ ...each, sources: each.gate.from.map(({ text }) => text) }));
    return { ...found, permitted: { ...found.permitted, gates } };
  }

  #likeness(principal: Named, { repository, tag = '' }: Asked): string {
    const subject = formatSubject(principal);
    if (!('name' in principal) || principal.kind === 'robot' || this.#named.has(subject)) return subject;
    // What the name itself may open or close.
    if (typeof repository !== 'string' || repository.includes(principal.name) || tag.includes(principal.name)) {
      return subject;
    }
    const [, ...groups] = this.#compiled.subjectsOf(principal) ?? [subject];
    return `${isMachine(principal) ? 'machine ' : ''}${groups.toSorted().join(' ')}`;
  }
}

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

/** Every declared account, and anonymous. */
export function principalsOf(policy: Policy): readonly Named[] {
  return [...accountsOf(policy), { kind: 'anonymous' }];
}

/** Everybody whom one subject of one rule lets in the same way. */
export interface Party<P extends Named | GroupMember = Named> {
  readonly rule: Rule;
  /** The subject of the rule, in file notation. */
  readonly subject: string;
  /** At least one; alike in all but their names. */
  readonly members: readonly Permitted<P>[];
  /** How many answer to the subject; disabled accounts do not. */
  readonly size: number;
}

/** By the broadest subject of their rule, groups first. Robots with secrets come one by one, each with its reach. */
export function partiesOf<P extends Named | GroupMember>(
  compiled: PolicyByName,
  entries: readonly Permitted<P>[],
  everybody: readonly Named[],
): readonly Party<P>[] {
  const withSubject = entries.map((entry) => {
    const { rule, principal, secrets } = entry;
    return { entry, subject: secrets.length > 0 ? formatSubject(principal) : subjectFor(compiled, rule, principal) };
  });
  const parties = grouped(withSubject, ({ entry: { rule, impliedByPush, only, tags, condition, gates }, subject }) =>
    JSON.stringify([rule.name, subject, impliedByPush, only, tags, condition, conditionsOf(gates)]),
  );
  const sizes = sizesOf(compiled, everybody);
  return [...parties.values()].map((party) => {
    const [{ entry, subject }] = party;
    return { rule: entry.rule, subject, members: party.map((each) => each.entry), size: sizes.get(subject) ?? 1 };
  });
}

function subjectFor(compiled: PolicyByName, { subjects }: Rule, principal: Named | GroupMember): string {
  const own = compiled.subjectsOf(principal) ?? [];
  const matching = subjects.map(formatSubject).filter((subject) => own.includes(subject));
  const broad = (['everyone', 'authenticated'] as const).find((word) => matching.includes(word));
  return broad ?? matching.find((subject) => subject.startsWith('group:')) ?? formatSubject(principal);
}

function sizesOf(compiled: PolicyByName, everybody: readonly Named[]): ReadonlyMap<string, number> {
  const sizes = new Map<string, number>();
  for (const principal of everybody) {
    for (const subject of compiled.subjectsOf(principal) ?? []) sizes.set(subject, (sizes.get(subject) ?? 0) + 1);
  }
  return sizes;
}
