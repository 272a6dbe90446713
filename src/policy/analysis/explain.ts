/** Why a question is answered as it is: the rule that decided, the caller's groups, and the rules that nearly decided. */
import { isReferrersTag } from '../../distribution/reference.ts';
import type { PolicyByName } from '../by-name.ts';
import { describePrincipal, describeRule, formatMoment } from '../describe.ts';
import type { Decision } from '../question.ts';
import { type Action, type GroupMember, type Named, type Policy, type Rule, judgesTag } from '../model.ts';
import { accountIn } from '../principal.ts';
import { isReached, secretsOf } from '../secret-reach.ts';
import { type GateAbout, gatesAbout, ifInWords, isInTheWay } from './gates-about.ts';
import { type Inquiry, considerAll, isEnforced, isMatching, nearMissesOf } from './consider.ts';

/** One half of writing to a tag: making it, or moving it to another image. */
type WriteHalf = NonNullable<ReturnType<typeof halvesOf>>[number];

/** What may be deleted where no tag is named; absent where tags make no difference. */
export interface Deletion {
  readonly layer: Decision;
  /** A manifest that no tag leads to. */
  readonly untagged: Decision;
}

export type Explanation = ReturnType<typeof explain>;

/** The decision of a request, with every rule that came near. An unknown account is a denial. */
export function explain(compiled: PolicyByName, inquiry: Inquiry) {
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
    deletion === undefined
      ? reasonOf(policy, inquiry, decision, impliedByPush, halves)
      : deletionLines(deletion).join('; ');
  const gates = gatesAbout(compiled, inquiry);
  const conditions = decision.allowed ? gates.filter(isInTheWay).map(ifInWords) : [];
  const shadow = [decision, ...(halves ?? []).map((half) => half.decision)].flatMap((each) => each.shadow);
  return {
    inquiry,
    allowed: decision.allowed && !isTooNarrow,
    /** The rules allow it; the credentials that ask were made for less. */
    isBeyondToken: decision.reason === 'secret_narrow',
    rule: isTooNarrow ? undefined : decision.rule,
    /** When what is refused is allowed, in milliseconds since 1970. */
    frozenUntil: decision.frozenUntil,
    reason: isTooNarrow ? `${reason}, but no secret of this robot reaches it` : [reason, ...conditions].join(', '),
    groups: groupsOf(policy, inquiry.principal),
    /** Reading without a rule that gives `pull`, because the caller may push there. */
    impliedByPush: impliedByPush && !isTooNarrow,
    /** No tag is named, and whatever allows it is limited to these tags. */
    tags,
    secrets,
    /** Gates over what is written to, whether they stand for this caller or not. */
    gates,
    unreadable: decision.allowed ? unreadableSources(compiled, inquiry, gates) : [],
    /** Present for a write whose halves are not decided alike. */
    halves: isTooNarrow ? undefined : halves,
    deletion: isTooNarrow ? undefined : deletion,
    /** Shadow rules that would have turned the decision, or that of one half. */
    shadow: [...new Set(shadow)],
    considered,
    /** Rules that failed by one part and would otherwise have turned the decision or helped it; nearest first. */
    nearMisses: isTooNarrow || decision.reason === 'secret_narrow' ? [] : nearMissesOf(considered, decision.allowed),
  };
}

/** The tags that all allowances are limited to; undefined when some allow every tag, or one is named. */
export function tagLimitOf(
  rules: readonly Rule[],
  inquiry: Inquiry,
  subjects: readonly string[],
): readonly string[] | undefined {
  if (inquiry.tag !== undefined || !judgesTag(inquiry.action)) return undefined;
  const allowing = (action: Action): readonly Rule[] =>
    rules.filter((rule) => isEnforced(rule, 'allow') && isMatching(rule, { ...inquiry, action }, subjects));
  const direct = allowing(inquiry.action);
  const found = direct.length === 0 && inquiry.action === 'pull' ? allowing('push') : direct;
  if (found.length === 0 || found.some(({ tags }) => tags === undefined)) return undefined;
  return [...new Set(found.flatMap(({ tags = [] }) => tags.map(({ text }) => text)))];
}

/** Where a gate has a promotion come from and its caller may not pull: all of a gate's sources, or none. */
function unreadableSources(
  compiled: PolicyByName,
  { principal, action, address, now }: Inquiry,
  gates: readonly GateAbout[],
): readonly string[] {
  if (action !== 'promote') return [];
  const mayPull = (repository: string): boolean =>
    compiled.decide({ principal, action: 'pull', repository, address, now }).allowed;
  return gates.filter(isInTheWay).flatMap(({ sources }) => (sources.some(mayPull) ? [] : sources));
}

function halvesOf(compiled: PolicyByName, inquiry: Inquiry) {
  const { action } = inquiry;
  if (action !== 'push' && action !== 'promote') return undefined;
  const halves = (['create', 'overwrite'] as const).map((right) => ({
    right,
    decision: compiled.decide(action === 'push' ? { ...inquiry, action: right } : { ...inquiry, writes: right }),
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

/** Lines that say how each half of a write is decided, and what is free of both. */
export function halfLines(halves: readonly WriteHalf[], { action, tag }: Inquiry): readonly string[] {
  return [
    ...halves.map(
      ({ right, decision }) =>
        `${right === 'create' ? 'creating it' : 'moving it to another image'}: ${verdictOf(decision)}`,
    ),
    `${action === 'promote' ? 'promoting' : 'pushing'} the same image again: allowed`,
    ...(action === 'push' && tag !== undefined && isReferrersTag(tag)
      ? ['moving it to a list that keeps all it holds: allowed to who may create it']
      : []),
  ];
}

/** Said to whom the rules would let, but not the token that asks. */
export const narrowInWords = 'your token was not made for it';

function reasonOf(
  policy: Policy,
  inquiry: Inquiry,
  decision: Decision,
  impliedByPush: boolean,
  halves: readonly WriteHalf[] | undefined,
): string {
  const { principal } = inquiry;
  const rule = decision.rule === undefined ? 'a rule' : describeRule(decision.rule);
  if (halves !== undefined) return halfLines(halves, inquiry).join('; ');
  switch (decision.reason) {
    case 'rule_allows':
      return impliedByPush ? `pull is implied by the right to push, which ${rule} gives` : `${rule} allows it`;
    case 'rule_denies':
      return `${rule} forbids it${untilInWords(decision)}`;
    case 'no_rule':
      return 'no rule allows it';
    case 'not_a_person':
      return 'only a person administers, by password or on the page: never a machine';
    case 'secret_narrow':
      return principal.kind === 'robot' ? 'the secret of this robot does not reach it' : narrowInWords;
    case 'account_unknown': {
      const isAccount = principal.kind !== 'anonymous' && principal.kind !== 'group';
      const account = isAccount ? accountIn(policy, principal) : undefined;
      return account?.disabled === true
        ? `the account is disabled (${account.source.file}:${account.source.line})`
        : `there is no ${describePrincipal(principal)}`;
    }
  }
}

/** ` until 2027-01-02T00:00Z`; empty where nobody can tell. */
export function untilInWords({ frozenUntil }: Pick<Decision, 'frozenUntil'>): string {
  return frozenUntil === undefined ? '' : ` until ${formatMoment(frozenUntil)}`;
}

/** `allowed by rule "x" (file:line)`, `forbidden by …`, `no rule allows it`. */
function verdictOf({ allowed, rule, reason, frozenUntil }: Decision): string {
  if (reason === 'secret_narrow') return narrowInWords;
  if (rule === undefined) return 'no rule allows it';
  return `${allowed ? 'allowed' : 'forbidden'} by ${describeRule(rule)}${untilInWords({ frozenUntil })}`;
}

/** With the place that puts somebody into each. */
export function groupsOf(policy: Policy, principal: Named | GroupMember) {
  if (principal.kind === 'group') {
    const group = policy.groups.get(principal.name);
    return group === undefined ? [] : [{ name: group.name, source: group.source }];
  }
  const account = principal.kind === 'anonymous' ? undefined : accountIn(policy, principal);
  return account?.groups.map((name) => ({ name, source: account.source })) ?? [];
}
