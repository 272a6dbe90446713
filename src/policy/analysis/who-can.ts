/** Who may do something: every declared account and anonymous callers, each with the rule that lets them. */
import { type PolicyByName, compileByName } from '../by-name.ts';
import { type GroupMember, type Named, type Policy, emptyGroupsOf, formatSubject, isMachine } from '../model.ts';
import type { RepositoryPattern } from '../pattern.ts';
import { accountNameOf, accountsOf } from '../principal.ts';
import { isReached } from '../secret-reach.ts';
import { conditionsOf } from './gates-about.ts';
import { covers, exampleOf, filler, meetingOf } from './witness.ts';
import { type Answer, type Permitted, type WhoCanQuestion, type Worlds, judge, without } from './worlds.ts';

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

/** The question of everybody: one repository, or one for each by their own name, where there is one. */
interface Asked extends Omit<WhoCanQuestion, 'repository'> {
  readonly repository: string | ((accountName: string | undefined) => string | undefined);
}

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

/** Every declared account, and anonymous. */
export function principalsOf(policy: Policy): readonly Named[] {
  return [...accountsOf(policy), { kind: 'anonymous' }];
}
