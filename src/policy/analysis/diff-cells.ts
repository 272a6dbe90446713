/**
 * Two policies asked the same questions. Not every question there is, but one for every way in which the answers could
 * differ: a caller of every kind, a name for every pattern and for every two patterns that overlap, a tag and a time alike.
 */
import { parseRepositoryName } from '../../distribution/reference.ts';
import {
  covers,
  exampleOf,
  exampleOfTag,
  filler,
  meetingOf,
  meetingOfTags,
  representativeCircumstances,
} from './witness.ts';
import type { Circumstances, Conditions } from '../conditions.ts';
import { type PolicyByName, compileByName } from '../by-name.ts';
import type { Decision, Question } from '../question.ts';
import { rightsHere } from '../verdict.ts';
import { type Policy, type Rights, type Rule, decidingRights, formatSubject, judgesTag, rights } from '../model.ts';
import { type RepositoryPattern, type TagPattern, matchesRepository } from '../pattern.ts';
import { accountNameOf } from '../principal.ts';
import { grouped } from '../grouped.ts';
import { type Probe, probesOf, strangerPrefix, strangersFor, withUsers } from './diff-probes.ts';
import { type State, stateOf, withExample } from './diff-states.ts';

/** Repositories that some patterns match, by one name among them. */
export interface Region {
  /** The same for every caller, whatever `${account}` stands for. */
  readonly id: string;
  /** One pattern, or two that both match. */
  readonly patterns: readonly RepositoryPattern[];
  readonly repository: string;
}

/**
 * What is asked about, each with a bit. Promoting is told apart by what it comes to: a new tag, or another image under a
 * tag that exists.
 */
export const diffRights = { ...rights, promoteOver: 512 } as const;
export type DiffRight = keyof typeof diffRights;

export interface Cell {
  readonly probe: Probe;
  readonly region: Region;
  readonly right: DiffRight;
  /** The tag pattern asked about; `other` for tags that no pattern names, `no tag` for what none leads to; undefined where no rule speaks of tags. */
  readonly tag: string | undefined;
  readonly before: State;
  readonly after: State;
  readonly isChanged: boolean;
  /** Of a right to pull that is gone: the right to push still lets one read. */
  readonly staysReadable: boolean;
}

export interface CompareOptions {
  /** Milliseconds since 1970. */
  readonly now: number;
  /** Questions and comparisons of patterns; a few million take seconds. */
  readonly maxWork: number;
}

export const otherTags = 'other';
/** Layers, and manifests that no tag leads to: no tag can be called so. */
export const noTag = 'no tag';
const otherTag = 'zz0';

/** Segments that stand for `**` beside one: more than patterns in use tell apart. */
const deep = 4;
/** Names for one caller. */
const maxRegions = 5_000;
const maxTags = 24;

/** Not complete when there was more to ask than `maxWork`; what was asked is true all the same. */
export function comparePolicies(before: Policy, after: Policy, options: CompareOptions) {
  return new Comparing(before, after, options).run();
}

interface PatternRules {
  readonly pattern: RepositoryPattern;
  readonly rules: readonly Rule[];
  /** Subjects of all these rules. */
  readonly subjects: ReadonlySet<string>;
}

class Comparing {
  readonly #before: PolicyByName;
  readonly #after: PolicyByName;
  readonly #probes: readonly Probe[];
  readonly #patterns: readonly PatternRules[];
  /** Patterns without and with `${account}`. */
  readonly #shared: readonly PatternRules[];
  readonly #personal: readonly PatternRules[];
  readonly #changedPatterns: ReadonlySet<string>;
  readonly #options: CompareOptions;
  readonly #circumstances = new Map<string, readonly Circumstances[]>();
  /** Of patterns that match alike for everybody. */
  readonly #matches = new Map<string, readonly PatternRules[]>();
  readonly #cells: Cell[] = [];
  #work = 0;
  #isComplete = true;

  constructor(before: Policy, after: Policy, options: CompareOptions) {
    this.#options = options;
    const groups = [...new Set([...before.groups.keys(), ...after.groups.keys()])].sort();
    const taken = new Set([before, after].flatMap((policy) => [...policy.users.keys()]));
    const strangers = strangersFor(groups, taken);
    this.#before = compileByName(withUsers(before, strangers));
    this.#after = compileByName(withUsers(after, strangers));
    this.#probes = probesOf(before, after, strangers);
    const enforced = [before, after].map((policy) => policy.rules.filter((rule) => rule.mode === 'enforce'));
    const pairs = enforced.flat().flatMap((rule) => rule.repositories.map((pattern) => ({ rule, pattern })));
    this.#patterns = [...grouped(pairs, ({ pattern }) => pattern.text).values()].map((group) => {
      const rules = group.map(({ rule }) => rule);
      const subjects = new Set(rules.flatMap((rule) => rule.subjects.map(formatSubject)));
      return { pattern: group[0].pattern, rules, subjects };
    });
    this.#shared = this.#patterns.filter(({ pattern }) => !isPersonal(pattern));
    this.#personal = this.#patterns.filter(({ pattern }) => isPersonal(pattern));
    const [old = [], young = []] = enforced;
    const changed = [...missing(old, young), ...missing(young, old)];
    this.#changedPatterns = new Set(changed.flatMap((rule) => rule.repositories.map((pattern) => pattern.text)));
  }

  run(): { readonly cells: readonly Cell[]; readonly isComplete: boolean } {
    for (const probe of this.#probes) {
      for (const region of this.#regionsFor(probe)) {
        if (this.#work > this.#options.maxWork) {
          return { cells: this.#cells, isComplete: false };
        }
        this.#compare(probe, region);
      }
    }
    return { cells: this.#cells, isComplete: this.#isComplete };
  }

  #subjectsOf({ principal }: Probe): readonly string[] {
    return [...new Set([this.#before, this.#after].flatMap((each) => each.subjectsOf(principal) ?? []))];
  }

  #regionsFor(probe: Probe): readonly Region[] {
    const accountName = accountNameOf(probe.principal);
    const subjects = this.#subjectsOf(probe);
    const all = this.#patterns
      .filter((entry) => subjects.some((subject) => entry.subjects.has(subject)))
      .map(({ pattern }) => pattern);
    const bases = probe.isTouched ? all : all.filter((pattern) => this.#changedPatterns.has(pattern.text));
    this.#work += bases.length * all.length;
    const found = new Map<string, Region>();
    const add = (id: string, patterns: readonly RepositoryPattern[], repository: string | undefined): void => {
      if (repository === undefined || !isName(repository, accountName)) return;
      const known = found.get(repository);
      if (known !== undefined && !isNarrower(patterns, known.patterns)) return;
      if (known === undefined && found.size >= maxRegions) this.#isComplete = false;
      else found.set(repository, { id, patterns, repository });
    };
    const addExamples = (pattern: RepositoryPattern): void => {
      add(`${pattern.text} 1`, [pattern], exampleOf(pattern, accountName, 1));
      add(`${pattern.text} ${deep}`, [pattern], exampleOf(pattern, accountName, deep));
    };
    for (const base of bases) addExamples(base);
    for (const base of bases) {
      for (const other of all) {
        if (other === base || found.size >= maxRegions) continue;
        if (covers(base, other)) addExamples(other);
        else if (!covers(other, base))
          add(`${base.text} ${other.text}`, [base, other], meetingOf(base, other, accountName));
      }
    }
    return [...found.values()];
  }

  #compare(probe: Probe, region: Region): void {
    const rules = this.#rulesFor(probe, region);
    if (rules.length === 0) return;
    for (const right of Object.keys(diffRights) as DiffRight[]) {
      const concerned = rules.filter((rule) => (rightsHere(rule, questionOf(right)) & rightsFor(rule, right)) !== 0);
      if (concerned.length === 0) continue;
      const circumstances = this.#circumstancesFor(concerned.flatMap(({ when }) => when ?? []));
      const patterns = right === 'promoteOver' || judgesTag(right) ? concerned.flatMap(({ tags }) => tags ?? []) : [];
      for (const { label, tag } of this.#tagsFor(patterns, accountNameOf(probe.principal))) {
        this.#ask({ probe, region, right, label, tag, circumstances });
      }
      if (right === 'delete' && patterns.length > 0) {
        this.#ask({ probe, region, right, label: noTag, tag: undefined, circumstances });
      }
    }
  }

  #ask({ probe, region, right, label, tag, circumstances }: Asked): void {
    const { principal } = probe;
    const { repository } = region;
    const ask = (compiled: PolicyByName): readonly Decision[] => {
      this.#work += circumstances.length;
      return circumstances.map((each) =>
        compiled.decide({ ...each, principal, ...questionOf(right), repository, tag }),
      );
    };
    const before = ask(this.#before);
    const after = ask(this.#after);
    const firstDifference = before.findIndex(({ allowed }, index) => allowed !== after[index]?.allowed);
    const [old, young] = [stateOf(before), stateOf(after)];
    const example = circumstances[firstDifference];
    const isAlike = old.kind === young.kind && old.words === young.words && example !== undefined;
    const stays = (each: Circumstances): boolean =>
      this.#after.decide({ ...each, principal, ...questionOf(right), repository, tag, readWhilePushing: true }).allowed;
    this.#cells.push({
      probe,
      region,
      right,
      tag: label,
      before: old,
      after: isAlike ? withExample(young, example, after[firstDifference]?.allowed === true) : young,
      isChanged: firstDifference !== -1,
      staysReadable: right === 'pull' && young.kind === 'never' && circumstances.every(stays),
    });
  }

  /** Of both policies, in force, about this caller and this name. */
  #rulesFor(probe: Probe, { repository }: Region): readonly Rule[] {
    const subjects = new Set(this.#subjectsOf(probe));
    const accountName = accountNameOf(probe.principal);
    let shared = this.#matches.get(repository);
    if (shared === undefined) {
      shared = this.#shared.filter(({ pattern }) => matchesRepository(pattern, repository, undefined));
      this.#matches.set(repository, shared);
    }
    const personal = this.#personal.filter(({ pattern }) => matchesRepository(pattern, repository, accountName));
    return [...shared, ...personal]
      .flatMap(({ rules }) => rules)
      .filter((rule) => rule.subjects.some((subject) => subjects.has(formatSubject(subject))));
  }

  #circumstancesFor(whens: readonly Conditions[]): readonly Circumstances[] {
    const distinct = [...new Map(whens.map((when) => [JSON.stringify(when), when]))].sort(([a], [b]) =>
      a < b ? -1 : 1,
    );
    const key = distinct.map(([text]) => text).join('\n');
    const known = this.#circumstances.get(key);
    if (known !== undefined) return known;
    const found = representativeCircumstances(
      distinct.map(([, when]) => when),
      this.#options.now,
    );
    if (!found.isComplete) this.#isComplete = false;
    this.#circumstances.set(key, found.circumstances);
    return found.circumstances;
  }

  #tagsFor(
    patterns: readonly TagPattern[],
    accountName: string | undefined,
  ): readonly { readonly label: string | undefined; readonly tag: string | undefined }[] {
    const distinct = [...new Map(patterns.map((pattern) => [pattern.text, pattern])).values()];
    if (distinct.length === 0) return [{ label: undefined, tag: undefined }];
    const found = new Map<string, string>([[otherTag, otherTags]]);
    const add = (label: string, tag: string | undefined): void => {
      if (tag === undefined || found.has(tag)) return;
      if (found.size >= maxTags) this.#isComplete = false;
      else found.set(tag, label);
    };
    for (const pattern of distinct) add(pattern.text, exampleOfTag(pattern, accountName));
    for (const [index, left] of distinct.entries()) {
      for (const right of distinct.slice(index + 1)) {
        add(`${left.text} and ${right.text}`, meetingOfTags(left, right, accountName));
      }
    }
    return [...found].map(([tag, label]) => ({ label, tag }));
  }
}

interface Asked {
  readonly probe: Probe;
  readonly region: Region;
  readonly right: DiffRight;
  readonly label: string | undefined;
  readonly tag: string | undefined;
  readonly circumstances: readonly Circumstances[];
}

function questionOf(right: DiffRight): Pick<Question, 'action' | 'writes'> {
  if (right === 'promote') return { action: 'promote', writes: 'create' };
  return right === 'promoteOver' ? { action: 'promote', writes: 'overwrite' } : { action: right };
}

/** What a rule must be about to matter. */
function rightsFor({ effect }: Rule, right: DiffRight): Rights {
  const { action, writes } = questionOf(right);
  return writes === undefined || effect === 'allow' ? decidingRights(effect, action) : rights.promote | rights[writes];
}

/** A name that two patterns match stands for the narrower one. */
function isNarrower(patterns: readonly RepositoryPattern[], known: readonly RepositoryPattern[]): boolean {
  const [one, ...others] = patterns;
  const [other, ...rest] = known;
  if (one === undefined || other === undefined || others.length + rest.length > 0) return false;
  return covers(other, one) && !covers(one, other);
}

function isPersonal({ text }: RepositoryPattern): boolean {
  return text.includes('${account}');
}

/** Whether some registry could have it; a made-up account name counts as possible. */
function isName(repository: string, accountName: string | undefined): boolean {
  const isMadeUp = accountName !== undefined && accountName.startsWith(strangerPrefix);
  return parseRepositoryName(isMadeUp ? repository.replaceAll(accountName, filler) : repository) !== undefined;
}

/** Rules that say what no rule of `others` says; names and places aside. */
function missing(rules: readonly Rule[], others: readonly Rule[]): readonly Rule[] {
  const known = new Set(others.map(meaningOf));
  return rules.filter((rule) => !known.has(meaningOf(rule)));
}

function meaningOf({ effect, subjects, except, repositories, rights: set, tags, when }: Rule): string {
  const texts = (patterns: readonly { readonly text: string }[]): readonly string[] =>
    patterns.map(({ text }) => text).sort();
  return JSON.stringify([
    effect,
    subjects.map(formatSubject).sort(),
    except.map(formatSubject).sort(),
    texts(repositories),
    set,
    tags === undefined ? null : texts(tags),
    when ?? null,
  ]);
}
