/** Recorded traffic judged by another policy, line by line: what comes of it is counted by consequence. */
import type { EpochMs } from '../time.ts';
import { type Comparison, type Policies, compare, mayLogIn } from './compare.ts';
import { type Matter, type Unsure, mattersOf } from './matters.ts';
import { type Recorded, type Whom, readRecorded } from './recorded.ts';
import { type Consequence, Tally, actionOf, subjectOf } from './tally.ts';

export interface ReplayTerms extends Policies {
  /** Older records are left out. */
  readonly since: EpochMs | undefined;
}

export interface Example {
  readonly subject: string;
  readonly action: string;
  readonly repository: string | undefined;
  /** `file:line`, as whoever reads the lines says it. */
  readonly place: string;
}

export interface Replayed {
  /** The most frequent first. */
  readonly lost: readonly Consequence[];
  readonly gained: readonly Consequence[];
  readonly unsure: readonly { readonly about: Unsure; readonly count: number; readonly example: Example }[];
  /** Rules of the new policy in shadow mode that would have turned it, by name. */
  readonly shadow: ReadonlyMap<string, number>;
  /** Each thing that a record asks is judged for itself. */
  readonly judged: number;
  readonly same: number;
  /** Records in which no rule decided. */
  readonly undecided: number;
  /** Lines that are no records of decisions. */
  readonly others: number;
  readonly unreadable: number;
  readonly first: EpochMs | undefined;
  readonly last: EpochMs | undefined;
  /** Consequences for which there was no more room, by their number of times. */
  readonly beyond: number;
}

export interface Replay {
  /** One line; `place` is asked only where it is to be named. */
  add(bytes: Buffer, place: () => string): void;
  result(): Replayed;
}

/** Holds what is different, not what was read. */
export function createReplay(terms: ReplayTerms): Replay {
  const tally = new Tally();
  const unsure = new Map<Unsure, { count: number; readonly example: Example }>();
  const shadow = new Map<string, number>();
  const counts = { judged: 0, same: 0, undecided: 0, others: 0, unreadable: 0 };
  let first: EpochMs | undefined;
  let last: EpochMs | undefined;

  const cannotSay = (about: Unsure, record: Recorded, matter: Matter | undefined, place: () => string): void => {
    const known = unsure.get(about);
    if (known !== undefined) known.count++;
    else unsure.set(about, { count: 1, example: exampleOf(record, matter, place()) });
  };
  const count = (comparison: Comparison, record: Recorded, who: Whom, matter: Matter, place: () => string): void => {
    if (comparison.kind === 'silent') return;
    counts.judged++;
    if (comparison.kind === 'unsure') return cannotSay(comparison.about, record, matter, place);
    const { answer } = comparison.next;
    if (answer !== undefined && answer.kind !== 'unsure')
      for (const { name } of answer.decision?.shadow ?? []) shadow.set(name, (shadow.get(name) ?? 0) + 1);
    if (comparison.kind === 'same') counts.same++;
    else tally.add(comparison, record, who, matter);
  };
  return {
    add(bytes, place) {
      if (bytes.length === 0) return;
      const record = readRecorded(bytes);
      if (record === 'other') return void counts.others++;
      if (record === 'unreadable') return void counts.unreadable++;
      if (terms.since !== undefined && record.ended < terms.since) return;
      first = Math.min(first ?? Infinity, record.ended);
      last = Math.max(last ?? -Infinity, record.ended);
      const matters = mayLogIn(terms, record) ? 'login' : mattersOf(record);
      if (typeof matters === 'string') {
        counts.judged++;
        return cannotSay(matters, record, undefined, place);
      }
      const { who } = record;
      if (who === undefined || matters.length === 0) return void counts.undecided++;
      for (const matter of matters) count(compare(terms, record, who, matter), record, who, matter, place);
    },
    result() {
      const found = [...unsure].map(([about, { count: times, example }]) => ({ about, count: times, example }));
      return {
        ...tally.result(),
        unsure: found.sort((one, other) => other.count - one.count),
        shadow,
        ...counts,
        first,
        last,
      };
    },
  };
}

function exampleOf(record: Recorded, matter: Matter | undefined, place: string): Example {
  const { who, action = record.event, repository } = record;
  return {
    subject: who === undefined ? (record.account ?? 'somebody') : subjectOf(who),
    action: matter === undefined ? action : actionOf(matter),
    repository: matter !== undefined && 'repository' in matter ? matter.repository : repository,
    place,
  };
}
