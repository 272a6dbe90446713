/** Which subjects stand for others, and which rules are about all that another one is about. */
import { type Policy, type Rule, type Subject, formatSubject } from '../model.ts';
import type { RepositoryPattern } from '../pattern.ts';
import { accountIn } from '../principal.ts';
import { grouped } from '../grouped.ts';
import { covers } from './pattern-witness.ts';

/** Groups of an account; of anybody else none. */
export type Membership = (subject: Subject) => readonly string[];

/** As the policy has it. */
export function membership(policy: Policy): Membership {
  return (subject) => {
    if (!('name' in subject)) return [];
    const { kind, name } = subject;
    return kind === 'group' ? [] : (accountIn(policy, { kind, name })?.groups ?? []);
  };
}

/** Subjects that everybody meant by `subject` answers to. */
export function generalisationsOf(subject: Subject, memberOf: Membership): readonly string[] {
  if (subject.kind === 'everyone') return ['everyone'];
  if (!('name' in subject)) return [subject.kind, 'everyone'];
  const groups = memberOf(subject).map((group) => `group:${group}`);
  return [formatSubject(subject), ...groups, 'authenticated', 'everyone'];
}

/** Whether somebody may answer to both; who is in a group may be in another one tomorrow. */
export function canBeOne(one: Subject, another: Subject, memberOf: Membership): boolean {
  if (one.kind === 'everyone' || another.kind === 'everyone') return true;
  if (one.kind === 'anonymous' || another.kind === 'anonymous') return one.kind === another.kind;
  if (one.kind === 'authenticated' || another.kind === 'authenticated') return true;
  if (one.kind === 'group' && another.kind === 'group') return true;
  const generals = (subject: Subject): readonly string[] => generalisationsOf(subject, memberOf);
  return generals(one).includes(formatSubject(another)) || generals(another).includes(formatSubject(one));
}

/** Finds rules that could cover another, without comparing every rule with every other. */
export class CoverIndex {
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
