/** Valid but surely not meant: what does nothing or opens far too much (problems), and what is to be known (notes). */
import { type Problem, sortProblems } from '../../document/problem.ts';
import { actionsOf, describeRule, formatInstant, formatPlace, formatSubjects, listed } from '../describe.ts';
import { type Membership, canBeOne, generalisationsOf, membership } from './generals.ts';
import { aboutLooking, idleAdministering, overBroad } from './lint-broad.ts';
import { finding, kindOf } from './lint-finding.ts';
import { lintGates } from './lint-gates.ts';
import { lintPeople } from './lint-people.ts';
import { lintWorkloads } from './lint-workloads.ts';
import {
  type Limit,
  type Policy,
  type Rights,
  type Rule,
  type Subject,
  emptyGroupsOf,
  formatSubject,
  judgesTag,
  pushes,
  rights,
} from '../model.ts';
import type { RepositoryPattern } from '../pattern.ts';
import { covers, coversTag, meetingOf } from './witness.ts';
import { grouped } from '../grouped.ts';

interface Lint {
  /** Codes: shadowed, duplicate, unreachable, over-broad, workload-open. */
  readonly problems: readonly Problem[];
  /** Codes: shadow-rule, shadow-limit, no-members, expired, over-broad, idle-deny, tags-ignored, idle-administer, and those of `lintPeople`, `lintGates` and `lintWorkloads`. */
  readonly notes: readonly Problem[];
}

/** `now` in milliseconds since 1970 tells expired rules. */
export function lintPolicy(policy: Policy, now: number): Lint {
  const index = new CoverIndex(policy, policy.rules);
  const denials = new CoverIndex(
    policy,
    policy.rules.filter(({ effect }) => effect === 'deny'),
  );
  const memberOf = membership(policy);
  // Who is in the groups of login sources no file says.
  const isFromFiles = (name: string): boolean => policy.groups.get(name)?.from === undefined;
  const empty = new Set(
    emptyGroupsOf(policy)
      .filter(({ name }) => isFromFiles(name))
      .map(formatSubject),
  );
  const problems: Problem[] = [];
  const notes: Problem[] = [];
  for (const rule of policy.rules) {
    if (rule.mode === 'shadow') notes.push(inShadow(rule));
    const dead = unreachable(policy, rule) ?? overruled(denials, rule) ?? repeated(index, rule);
    if (dead !== undefined) problems.push(dead);
    const broad = overBroad(rule, policy.rules);
    if (broad?.isProblem === true) problems.push(broad.finding);
    else if (broad !== undefined) notes.push(broad.finding);
    const looking = aboutLooking(rule);
    if (looking !== undefined) notes.push(looking);
    const idle = expired(rule, now) ?? withoutMembers(rule, empty) ?? idleDeny(policy.rules, rule, memberOf);
    if (idle !== undefined) notes.push(idle);
  }
  for (const limit of policy.limits) {
    if (limit.mode === 'shadow') notes.push(inShadow(limit));
    const dead = excepted(limit, memberOf) ?? outdone(policy.limits, limit, memberOf);
    if (dead !== undefined) problems.push(dead);
    const idle = withoutMembers(limit, empty);
    if (idle !== undefined) notes.push(idle);
  }
  const gates = lintGates(policy, now);
  const workloads = lintWorkloads(policy);
  return {
    problems: sortProblems([...problems, ...gates.problems, ...workloads.problems]),
    notes: sortProblems([...notes, ...lintPeople(policy), ...gates.notes, ...workloads.notes]),
  };
}

function inShadow(about: Rule | Limit): Problem {
  const kind = kindOf(about);
  const does = {
    rule: 'decides nothing, and only logs what it would have changed',
    limit: 'refuses nobody, and only logs whom it would have refused',
  };
  return finding(about, `shadow-${kind}`, `is in shadow mode: it ${does[kind]}`);
}

function expired(rule: Rule, now: number): Problem | undefined {
  const before = rule.when?.before;
  if (before === undefined || now < before) return undefined;
  const message = `applied only before ${formatInstant(before)} and has no effect any more`;
  return finding(rule, 'expired', message, 'remove it');
}

function withoutMembers(about: Rule | Limit, empty: ReadonlySet<string>): Problem | undefined {
  if (!about.subjects.every((subject) => empty.has(formatSubject(subject)))) return undefined;
  const verb = about.subjects.length === 1 ? 'has' : 'have';
  return finding(about, 'no-members', `is for nobody yet: ${formatSubjects(about.subjects)} ${verb} no members`);
}

function excepted(about: Rule | Limit, memberOf: Membership): Problem | undefined {
  const isExcepted = (subject: Subject): boolean =>
    about.except.some((except) => generalisationsOf(subject, memberOf).includes(formatSubject(except)));
  if (!about.subjects.every(isExcepted)) return undefined;
  return finding(about, 'unreachable', 'applies to nobody: `except` takes out every one of its subjects');
}

/** A limit that never answers, because another one counts all the same requests and is used up no later. */
function outdone(limits: readonly Limit[], limit: Limit, memberOf: Membership): Problem | undefined {
  const isTighter = (other: Limit, one: Limit): boolean =>
    other.count === one.count &&
    other.per === one.per &&
    (other.mode === 'enforce' || one.mode === 'shadow') &&
    other.burst <= one.burst &&
    secondsEach(other) >= secondsEach(one) &&
    other.except.every((subject) => one.except.some((each) => formatSubject(each) === formatSubject(subject))) &&
    one.subjects.every((subject) => {
      const generals = generalisationsOf(subject, memberOf);
      return other.subjects.some((each) => generals.includes(formatSubject(each)));
    });
  const other = limits.find(
    (each) => each !== limit && isTighter(each, limit) && (!isTighter(limit, each) || isBefore(each, limit)),
  );
  if (other === undefined) return undefined;
  const named = `limit "${other.name}" (${formatPlace(other.source)})`;
  const less = `never answers: ${named} counts all of it and is at least as tight`;
  return redundant(limit, isTighter(limit, other), named, less);
}

/** One of two of which one is enough; `less` says what is left of it where they do not say the same. */
function redundant(about: Rule | Limit, isSame: boolean, named: string, less: string): Problem {
  const message = isSame ? `says the same as ${named}` : less;
  return finding(about, isSame ? 'duplicate' : 'shadowed', message, 'remove one of the two');
}

function secondsEach({ rate }: Limit): number {
  return rate.seconds / rate.amount;
}

/** One part of a registry name, as the distribution-spec allows it. */
const component = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*$/;

function unreachable(policy: Policy, rule: Rule): Problem | undefined {
  const nobody = excepted(rule, membership(policy));
  if (nobody !== undefined) return nobody;
  const isNameless = rule.subjects.every(({ kind }) => kind === 'anonymous');
  if (isNameless && rule.repositories.every(({ text }) => text.includes('${account}'))) {
    const message = 'matches nothing: anonymous callers have no name that ${account} could stand for';
    return finding(rule, 'unreachable', message);
  }
  const impossible = rule.repositories.find(({ segments }) =>
    segments.some((segment) => segment.kind === 'literal' && !component.test(segment.text)),
  );
  if (impossible !== undefined) {
    return finding(rule, 'unreachable', `names "${impossible.text}", which no repository can be called`);
  }
  if (rule.effect === 'deny' && rule.tags !== undefined && actionsOf(rule.rights).every((each) => !judgesTag(each))) {
    const names = listed(actionsOf(rule.rights));
    return finding(rule, 'unreachable', `denies nothing: ${names} names no tags, so \`tags\` is never judged there`);
  }
  if (rule.effect === 'allow' && rule.rights === rights.administer) {
    const why = idleAdministering(rule);
    if (why !== undefined) return finding(rule, 'unreachable', why);
  }
  return undefined;
}

/** An allowance of which nothing is left: for each subject, pattern and right some unconditional denial takes it back. */
function overruled(denials: CoverIndex, rule: Rule): Problem | undefined {
  if (rule.effect !== 'allow' || rule.mode === 'shadow') return undefined;
  const by = new Set<Rule>();
  for (const subject of rule.subjects) {
    for (const pattern of rule.repositories) {
      for (const right of Object.values(rights)) {
        if ((rule.rights & right) === 0) continue;
        const denial = denials.find(subject, pattern, (other) => keepsBack(other, right) && applies(other, rule));
        if (denial === undefined) return undefined;
        by.add(denial);
      }
    }
  }
  const names = [...by].map(describeRule);
  const message = `never allows anything: ${listed(names, 2)} forbid${names.length === 1 ? 's' : ''} all of it`;
  return finding(rule, 'shadowed', message, 'remove it, or exempt its subjects there with `except`');
}

/** Whether a denial leaves nothing of the right: what may not be written at all may not be promoted. */
function keepsBack({ rights: set }: Rule, right: Rights): boolean {
  return (set & right) !== 0 || (right === rights.promote && (set & pushes) === pushes);
}

/** Whether `other` holds wherever `rule` does, as far as tags, exceptions, conditions and mode go. */
function applies(other: Rule, rule: Rule): boolean {
  if (other.mode === 'shadow' && rule.mode !== 'shadow') return false;
  const excepted = new Set(rule.except.map(formatSubject));
  if (!other.except.every((subject) => excepted.has(formatSubject(subject)))) return false;
  if (other.when !== undefined && JSON.stringify(other.when) !== JSON.stringify(rule.when)) return false;
  if (other.tags === undefined) return true;
  // An allowance with tags also holds where no tag is named; a denial with tags does not.
  if (rule.tags === undefined || other.effect !== rule.effect) return false;
  return rule.tags.every((narrow) => other.tags?.some((broad) => coversTag(broad, narrow)) === true);
}

/** A rule that says again what one other rule says. Of two that say the same, the later one by place is reported. */
function repeated(index: CoverIndex, rule: Rule): Problem | undefined {
  const [firstSubject] = rule.subjects;
  const [firstPattern] = rule.repositories;
  if (firstSubject === undefined || firstPattern === undefined) return undefined;
  const says = (other: Rule, one: Rule): boolean =>
    other.effect === one.effect &&
    other.mode === one.mode &&
    (one.rights & ~other.rights) === 0 &&
    applies(other, one) &&
    one.subjects.every((subject) => index.coversSubject(other, subject)) &&
    one.repositories.every((pattern) => other.repositories.some((broad) => covers(broad, pattern)));
  const other = index.find(
    firstSubject,
    firstPattern,
    (each) => each !== rule && says(each, rule) && (!says(rule, each) || isBefore(each, rule)),
  );
  if (other === undefined) return undefined;
  const named = describeRule(other);
  const less = `adds nothing: ${named} ${rule.effect === 'allow' ? 'allows' : 'forbids'} all of it`;
  return redundant(rule, says(rule, other), named, less);
}

function isBefore({ source: a, name }: Rule | Limit, { source: b, name: other }: Rule | Limit): boolean {
  if (a.file !== b.file) return a.file < b.file;
  return a.line === b.line ? name < other : a.line < b.line;
}

/** A denial of what no rule allows to anybody: it guards nothing today. */
function idleDeny(rules: readonly Rule[], rule: Rule, memberOf: Membership): Problem | undefined {
  if (rule.effect !== 'deny' || rule.mode === 'shadow') return undefined;
  // Who may push may read what is being pushed; who may not push may not promote, either.
  const reading = (rule.rights & rights.pull) === 0 ? 0 : pushes;
  const promoting = (rule.rights & pushes) === 0 ? 0 : rights.promote;
  const isMet = rules.some(
    (other) =>
      other.effect === 'allow' &&
      (other.rights & (rule.rights | reading | promoting)) !== 0 &&
      rule.subjects.some((one) => other.subjects.some((another) => canBeOne(one, another, memberOf))) &&
      rule.repositories.some((one) =>
        other.repositories.some((another) => meetingOf(one, another, 'zz0') !== undefined),
      ),
  );
  if (isMet) return undefined;
  return finding(rule, 'idle-deny', 'denies what no rule allows, so it changes nothing today');
}

/** Finds rules that could cover another, without comparing every rule with every other. */
class CoverIndex {
  /** Literal beginning of a pattern and a subject -> rules with both. */
  readonly #rules: ReadonlyMap<string, readonly { readonly rule: Rule; readonly pattern: RepositoryPattern }[]>;
  readonly #memberOf: Membership;

  constructor(policy: Policy, rules: readonly Rule[]) {
    this.#memberOf = membership(policy);
    const entries = rules.flatMap((rule) =>
      rule.repositories.flatMap((pattern) => {
        const beginning = literalBeginning(pattern).join('/');
        return rule.subjects.map((subject) => ({ rule, pattern, key: `${beginning} ${formatSubject(subject)}` }));
      }),
    );
    this.#rules = grouped(entries, ({ key }) => key);
  }

  /** A rule about all of `subject` and all of `pattern` that `isMeant` accepts. */
  find(subject: Subject, pattern: RepositoryPattern, isMeant: (rule: Rule) => boolean): Rule | undefined {
    if (this.#rules.size === 0) return undefined;
    const names = literalBeginning(pattern);
    for (let length = 0; length <= names.length; length++) {
      const beginning = names.slice(0, length).join('/');
      for (const general of generalisationsOf(subject, this.#memberOf)) {
        for (const entry of this.#rules.get(`${beginning} ${general}`) ?? []) {
          if (isMeant(entry.rule) && covers(entry.pattern, pattern)) return entry.rule;
        }
      }
    }
    return undefined;
  }

  coversSubject(rule: Rule, subject: Subject): boolean {
    const generals = generalisationsOf(subject, this.#memberOf);
    return rule.subjects.some((each) => generals.includes(formatSubject(each)));
  }
}

function literalBeginning({ segments }: RepositoryPattern): readonly string[] {
  const names: string[] = [];
  for (const segment of segments) {
    if (segment.kind !== 'literal') break;
    names.push(segment.text);
  }
  return names;
}
