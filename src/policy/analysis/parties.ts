/** Those who may do something, told together where one rule lets them in the same way. */
import type { PolicyByName } from '../by-name.ts';
import { grouped } from '../grouped.ts';
import { type GroupMember, type Named, type Rule, formatSubject } from '../model.ts';
import { conditionsOf } from './gates-about.ts';
import type { Permitted } from './worlds.ts';

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
