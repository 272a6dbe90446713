/** Gates that are surely not meant as they are, and what is to be known: areas without one, freezes that promotions pass. */
import { parseRepositoryName } from '../../distribution/reference.ts';
import type { Problem } from '../../document/problem.ts';
import { type PolicyByName, compileByName } from '../by-name.ts';
import { actionsOf, describeGate, listed } from '../describe.ts';
import { type Gate, type Policy, type Rule, formatSubject, pushes, rights } from '../model.ts';
import type { RepositoryPattern, TagPattern } from '../pattern.ts';
import { accountNameOf, names } from '../principal.ts';
import { type Membership, canBeOne, generalisationsOf, membership } from './generals.ts';
import { askersFor } from './propose-tests.ts';
import { without } from './worlds.ts';
import { covers, coversTag, exampleOf, exampleOfTag, filler, meetingOf, meetingOfTags } from './witness.ts';

interface GateLint {
  /** Code: unreachable. */
  readonly problems: readonly Problem[];
  /** Codes: shadow-gate, unfilled-gate, idle-gate, ungated-area, leaky-freeze. */
  readonly notes: readonly Problem[];
}

/** `now` in milliseconds since 1970: who may write is asked of the rules as if no denial with a time were in force. */
export function lintGates(policy: Policy, now: number): GateLint {
  const memberOf = membership(policy);
  const freezes = policy.rules.flatMap((rule) => leakyFreeze(policy.rules, rule, memberOf));
  if (policy.gates.length === 0) return { problems: [], notes: freezes };
  const world = compileByName(without(policy, 'deny'));
  const problems = policy.gates.flatMap(unreachable);
  const idle = policy.gates
    .filter((gate) => unreachable(gate).length === 0)
    .flatMap((gate) => [...unfilled(world, gate, now), ...idleGate(world, gate, now)]);
  const inShadow = policy.gates
    .filter(({ mode }) => mode === 'shadow')
    .map((gate) => finding(gate, 'shadow-gate', 'is in shadow mode: it refuses nothing, and only logs what it would'));
  const ungated = policy.rules.flatMap((rule) => ungatedAreas(policy.gates, rule));
  return { problems, notes: [...inShadow, ...idle, ...ungated, ...freezes] };
}

function finding(about: Rule | Gate, code: string, message: string, fix?: string): Problem {
  const kind = 'from' in about ? 'gate' : 'rule';
  return { ...about.source, code, message: `${kind} "${about.name}" ${message}`, fix };
}

function unreachable(gate: Gate): readonly Problem[] {
  const except = new Set(gate.except.map(formatSubject));
  if (except.has('everyone') || (except.has('authenticated') && except.has('anonymous'))) {
    return [finding(gate, 'unreachable', 'stops nobody: its `except` names everybody', 'remove it, or name a few')];
  }
  const impossible = [...gate.repositories, ...gate.from].find(
    (pattern) => parseRepositoryName(exampleOf(pattern, filler, 1) ?? '') === undefined,
  );
  if (impossible === undefined) return [];
  return [finding(gate, 'unreachable', `names "${impossible.text}", which no repository can be called`)];
}

/** A gate that looks where nothing can be, unless it comes there past this gateway. */
function unfilled(world: PolicyByName, gate: Gate, now: number): readonly Problem[] {
  const vain = gate.from.filter((pattern) => !hasWriter(world, { patterns: [pattern], tags: gate.fromTags, now }));
  if (vain.length === 0) return [];
  const under = gate.fromTags === undefined ? '' : ` under a tag ${textsOf(gate.fromTags).replaceAll(', ', ' or ')}`;
  const whole = vain.length === gate.from.length ? 'lets nothing pass' : 'looks in vain';
  const message = `${whole}: nobody may push or promote to ${textsOf(vain)}${under}`;
  return [finding(gate, 'unfilled-gate', message, 'correct `from` and `fromTags`, or let somebody write there')];
}

function idleGate(world: PolicyByName, gate: Gate, now: number): readonly Problem[] {
  const { repositories: patterns, tags, except } = gate;
  const isStopped = (subjects: readonly string[]): boolean => !names(except, subjects);
  if (hasWriter(world, { patterns, tags, now, isMeant: isStopped })) return [];
  const under = tags === undefined ? '' : ` under a tag ${textsOf(tags).replaceAll(', ', ' or ')}`;
  const message = hasWriter(world, { patterns, tags, now })
    ? 'stops nobody: all who may push or promote there are in its `except`'
    : `stands where nobody may push or promote${under}, so it changes nothing today`;
  return [finding(gate, 'idle-gate', message)];
}

interface Wanted {
  readonly patterns: readonly RepositoryPattern[];
  /** Absent: any. */
  readonly tags: readonly TagPattern[] | undefined;
  readonly now: number;
  readonly isMeant?: (subjects: readonly string[]) => boolean;
}

/** Whether anybody who is meant may push or promote to one of these. */
function hasWriter(world: PolicyByName, { patterns, tags, now, isMeant = () => true }: Wanted): boolean {
  const allowing = world.policy.rules.filter(
    ({ effect, mode, rights: set }) =>
      effect === 'allow' && mode === 'enforce' && (set & (pushes | rights.promote)) !== 0,
  );
  return allowing.some((rule) =>
    askersFor(world.policy, rule, Infinity).some((principal) => {
      const name = accountNameOf(principal) ?? filler;
      if (!isMeant(world.subjectsOf(principal) ?? [])) return false;
      const targets = patterns
        .flatMap((pattern) => rule.repositories.map((own) => meetingOf(pattern, own, name)))
        .filter((repository) => repository !== undefined);
      return targets.some((repository) =>
        tagsMeeting(tags, rule.tags, name).some((tag) =>
          (['push', 'promote'] as const).some(
            (action) => world.decide({ principal, action, repository, tag, now }).allowed,
          ),
        ),
      );
    }),
  );
}

/** A tag for each two that meet; undefined where none has to be named. */
function tagsMeeting(
  left: readonly TagPattern[] | undefined,
  right: readonly TagPattern[] | undefined,
  name: string,
): readonly (string | undefined)[] {
  if (left === undefined || right === undefined) {
    return (left ?? right)?.map((pattern) => exampleOfTag(pattern, name)) ?? [undefined];
  }
  return left
    .flatMap((one) => right.map((other) => meetingOfTags(one, other, name)))
    .filter((tag) => tag !== undefined);
}

/**
 * Where images are released beside a gate: promoted to where none stands, or written to a namesake of a gated area, as
 * release-eu is one of release. What images come from needs no gate of its own.
 */
function ungatedAreas(gates: readonly Gate[], rule: Rule): readonly Problem[] {
  const { effect, mode, rights: set } = rule;
  const writes = set & (pushes | rights.promote);
  if (effect !== 'allow' || mode === 'shadow' || writes === 0) return [];
  const meets = (one: RepositoryPattern, others: readonly RepositoryPattern[]): boolean =>
    others.some((other) => meetingOf(one, other, filler) !== undefined);
  const found = rule.repositories.flatMap((pattern) => {
    if (pattern.text.includes('${account}')) return [];
    if (gates.some(({ repositories, from }) => meets(pattern, repositories) || meets(pattern, from))) return [];
    const beside = gates.find(({ repositories }) => repositories.some((gated) => isNamesake(gated, pattern)));
    const gate = beside ?? ((set & rights.promote) === 0 ? undefined : gates[0]);
    return gate === undefined ? [] : [{ pattern, gate }];
  });
  const [first] = found;
  if (first === undefined) return [];
  const where = textsOf(found.map(({ pattern }) => pattern));
  const message = `lets somebody ${listed(actionsOf(writes))} to ${where}, where no gate stands as ${describeGate(first.gate)} does elsewhere`;
  return [finding(rule, 'ungated-area', message, 'add it to the `repositories` of a gate')];
}

/** The same but for one part, which says more in one of them: `release-eu`, `releases`, `release2`. */
function isNamesake({ segments: left }: RepositoryPattern, { segments: right }: RepositoryPattern): boolean {
  if (left.length !== right.length) return false;
  const unlike = left.flatMap((segment, index) => {
    const other = right[index];
    return other === undefined || textOf(segment) === textOf(other) ? [] : [[textOf(segment), textOf(other)]];
  });
  const [[one = '', other = ''] = []] = unlike;
  const [short, long] = one.length < other.length ? [one, other] : [other, one];
  return (
    unlike.length === 1 &&
    short !== '' &&
    long.startsWith(short) &&
    /^(?:s|\d+|[-._].+)$/.test(long.slice(short.length))
  );
}

function textOf(segment: RepositoryPattern['segments'][number]): string {
  return segment.kind === 'literal' ? segment.text : segment.kind === 'any-depth' ? '' : JSON.stringify(segment.pieces);
}

/** A denial for some time that stops pushes in part only, so that promotions go on. */
function leakyFreeze(rules: readonly Rule[], rule: Rule, memberOf: Membership): readonly Problem[] {
  const { effect, mode, rights: set, when, tags } = rule;
  const isTimed =
    when !== undefined && [when.after, when.before, when.days, when.hours].some((each) => each !== undefined);
  if (effect !== 'deny' || mode === 'shadow' || !isTimed || (set & pushes) === 0 || (set & rights.promote) !== 0)
    return [];
  const together = rules.filter(
    (other) =>
      other.effect === 'deny' &&
      other.mode === 'enforce' &&
      (other.when === undefined || JSON.stringify(other.when) === JSON.stringify(when)) &&
      rule.repositories.every((inner) => other.repositories.some((outer) => covers(outer, inner))) &&
      rule.subjects.every((subject) => {
        const generals = generalisationsOf(subject, memberOf);
        return other.subjects.some((each) => generals.includes(formatSubject(each)));
      }) &&
      other.except.every((subject) => rule.except.some((each) => formatSubject(each) === formatSubject(subject))),
  );
  const whole = together.filter((other) => other.tags === undefined).reduce((sum, other) => sum | other.rights, 0);
  if ((whole & rights.promote) !== 0 || (whole & pushes) === pushes) return [];
  const here = together
    .filter((other) => other.tags === undefined || (tags !== undefined && areCovered(tags, other.tags)))
    .reduce((sum, other) => sum | other.rights, 0);
  const left = pushes & ~here;
  const promoting = rules.find((other) => isPromotedBy(other, rule, memberOf, left === 0));
  if (promoting === undefined) return [];
  const gap =
    left === 0
      ? `under other tags than ${textsOf(tags ?? [])}`
      : left === rights.create
        ? 'to new tags'
        : 'over tags that exist';
  const message = `holds back ${listed(actionsOf(set & pushes))} for some time, but promotions ${gap} go on (rule "${promoting.name}")`;
  return [finding(rule, 'leaky-freeze', message, 'deny push or promote there, without `tags`')];
}

/** Whether the rule lets somebody promote what the freeze is about, and who is not in its `except`. */
function isPromotedBy(rule: Rule, freeze: Rule, memberOf: Membership, isByTags: boolean): boolean {
  if (rule.effect !== 'allow' || rule.mode === 'shadow' || (rule.rights & rights.promote) === 0) return false;
  const except = new Set(freeze.except.map(formatSubject));
  const concerned = rule.subjects.filter((subject) => {
    const isExcepted = generalisationsOf(subject, memberOf).some((general) => except.has(general));
    return !isExcepted && freeze.subjects.some((each) => canBeOne(each, subject, memberOf));
  });
  if (concerned.length === 0) return false;
  if (isByTags && rule.tags !== undefined && areCovered(rule.tags, freeze.tags ?? [])) return false;
  return rule.repositories.some((one) =>
    freeze.repositories.some((other) => meetingOf(one, other, filler) !== undefined),
  );
}

function areCovered(inner: readonly TagPattern[], outer: readonly TagPattern[]): boolean {
  return inner.every((narrow) => outer.some((broad) => coversTag(broad, narrow)));
}

function textsOf(patterns: readonly { readonly text: string }[]): string {
  return listed(patterns.map(({ text }) => text));
}
