/** All that one account, group or anonymous caller may do: what rules allow them, less what rules deny them. */
import type { PolicyByName } from '../by-name.ts';
import { byName } from '../evaluate.ts';
import {
  type Gate,
  type GroupMember,
  type Named,
  type Reach,
  type Rights,
  type Rule,
  isMachine,
  pushes,
  rights as bits,
} from '../model.ts';
import { type RepositoryPattern, parseRepositoryPattern } from '../pattern.ts';
import { accountNameOf, isAbout, names } from '../principal.ts';
import { covers, filler, meetingOf, meetingOfTags } from './witness.ts';
import { isExpired } from '../secret-reach.ts';

/** What one rule allows in some repositories, for as long and for as many tags as it says. */
export interface Grant {
  readonly rule: Rule;
  readonly rights: Rights;
  /** With the account's own name in place of `${account}`. */
  readonly repositories: readonly string[];
  /** Rules that take a part of it away: some repositories, some tags, some time. */
  readonly exceptions: readonly Exception[];
  /** What it writes there, or to a part of it, must pass these, shadow ones too. */
  readonly gates: readonly Gate[];
}

export interface Exception {
  readonly rule: Rule;
  readonly rights: Rights;
}

export type AccessList = NonNullable<ReturnType<typeof accessOf>>;

/** With what each secret of a robot leaves of it. Undefined for an account that is disabled. `now` in milliseconds since 1970, for the expiry of secrets only. */
export function accessOf(compiled: PolicyByName, principal: Named | GroupMember, now: number) {
  const subjects = compiled.subjectsOf(principal);
  if (subjects === undefined) return undefined;
  // A group alone stands for members of any name.
  const name = principal.kind === 'group' ? filler : accountNameOf(principal);
  const meant = isMachine(principal) ? ~bits.administer : ~0;
  const own = compiled.policy.rules
    .filter((rule) => rule.mode === 'enforce' && isAbout(rule, subjects))
    .toSorted(byName);
  const denials = own.filter(({ effect }) => effect === 'deny');
  const gates = compiled.policy.gates.filter(({ except }) => !names(except, subjects));
  const grantsWithin = (bounds: readonly RepositoryPattern[] | undefined, rights: Rights): readonly Grant[] =>
    own
      .filter(({ effect }) => effect === 'allow')
      .flatMap((rule) => grantsOf({ ...rule, rights: rule.rights & rights }, { denials, gates, bounds, name }));
  const tokens = principal.kind === 'robot' ? (compiled.policy.robots.get(principal.name)?.tokens ?? []) : [];
  return {
    grants: grantsWithin(undefined, meant),
    /** What a secret of this reach leaves of them. */
    within: ({ repositories, rights = ~0 }: Reach): readonly Grant[] =>
      grantsWithin(ownPatterns(repositories, name), rights & meant),
    secrets: tokens.map((token) => ({
      token,
      isExpired: isExpired(token, now),
      grants: isExpired(token, now)
        ? []
        : grantsWithin(ownPatterns(token.repositories, name), (token.rights ?? ~0) & meant),
    })),
  };
}

interface Bounds {
  readonly denials: readonly Rule[];
  readonly gates: readonly Gate[];
  /** Undefined: everywhere. */
  readonly bounds: readonly RepositoryPattern[] | undefined;
  readonly name: string | undefined;
}

/** One for all repositories of the rule of which the same is left. */
function grantsOf(rule: Rule, { denials, gates, bounds, name }: Bounds): readonly Grant[] {
  const found = new Map<string, Grant>();
  for (const { text, pattern } of within(ownPatterns(rule.repositories, name) ?? [], bounds, name)) {
    let kept: Rights = withWrites(rule.rights);
    const exceptions: Exception[] = [];
    for (const denial of denials) {
      const patterns = ownPatterns(denial.repositories, name) ?? [];
      const denied = denial.rights & withWrites(rule.rights);
      // A request may name no tag, so that a deny with tags never takes all away.
      const isWhole = patterns.some((each) => covers(each, pattern)) && denial.tags === undefined;
      if (isWhole && denial.when === undefined) kept &= ~denied;
      else if (
        denied !== 0 &&
        patterns.some((each) => meetingOf(each, pattern, name) !== undefined) &&
        meetTags(denial, rule, name)
      ) {
        exceptions.push({ rule: denial, rights: denied });
      }
    }
    const isBarred = (kept & pushes) === 0;
    const rights = rule.rights & kept & (isBarred ? ~bits.promote : ~0);
    if (rights === 0) continue;
    const still = withWrites(rights) & kept;
    const left = exceptions.flatMap((each) =>
      (each.rights & still) === 0 ? [] : [{ ...each, rights: each.rights & still }],
    );
    const passed = (rights & (pushes | bits.promote)) === 0 ? [] : gates.filter((gate) => isOver(gate, rule, pattern));
    const key = JSON.stringify([
      rights,
      left.map((each) => [each.rule.name, each.rights]),
      passed.map((gate) => gate.name),
    ]);
    const known = found.get(key);
    const repositories = [...(known?.repositories ?? []), text];
    found.set(key, { rule, rights, repositories, exceptions: left, gates: passed });
  }
  return [...found.values()];
}

/** Who promotes writes: with what is denied of writing, that is denied of promoting. */
function withWrites(rights: Rights): Rights {
  return (rights & bits.promote) === 0 ? rights : rights | pushes;
}

function isOver(gate: Gate, rule: Rule, pattern: RepositoryPattern): boolean {
  const areTagsAlike =
    gate.tags === undefined ||
    rule.tags === undefined ||
    gate.tags.some((one) => rule.tags?.some((other) => meetingOfTags(one, other, filler) !== undefined) === true);
  return areTagsAlike && gate.repositories.some((each) => meetingOf(each, pattern, filler) !== undefined);
}

/** The patterns as far as they are within `bounds`, each with what to call it. */
function within(
  patterns: readonly RepositoryPattern[],
  bounds: readonly RepositoryPattern[] | undefined,
  name: string | undefined,
): readonly { readonly text: string; readonly pattern: RepositoryPattern }[] {
  return patterns.flatMap((pattern) => {
    const { text } = pattern;
    if (bounds === undefined || bounds.some((bound) => covers(bound, pattern))) return [{ text, pattern }];
    return bounds.flatMap((bound) => {
      if (covers(pattern, bound)) return [{ text: bound.text, pattern: bound }];
      if (meetingOf(pattern, bound, name) === undefined) return [];
      return [{ text: `what is in both ${text} and ${bound.text}`, pattern }];
    });
  });
}

/** A name that no repository can have opens nothing. */
function ownPatterns(
  patterns: readonly RepositoryPattern[] | undefined,
  name: string | undefined,
): readonly RepositoryPattern[] | undefined {
  return patterns?.flatMap((pattern) => {
    if (!pattern.text.includes('${account}')) return [pattern];
    if (name === undefined) return [];
    if (name === filler) return [pattern];
    const own = parseRepositoryPattern(pattern.text.replaceAll('${account}', name));
    return 'problem' in own ? [] : [own];
  });
}

function meetTags({ tags }: Rule, inner: Rule, name: string | undefined): boolean {
  if (tags === undefined || inner.tags === undefined) return true;
  return inner.tags.some((tag) => tags.some((each) => meetingOfTags(each, tag, name) !== undefined));
}
