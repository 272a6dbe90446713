/** What a change of policy does to limits, in words. A limit is known by its name; places never make a difference. */
import { describeLimit, listed } from '../describe.ts';
import { type Limit, type Policy, type Subject, formatSubject } from '../model.ts';

export interface LimitChange {
  readonly kind: 'added' | 'removed' | 'changed';
  /** As it is now; a removed one as it was. */
  readonly limit: Limit;
  /** Without the sign and the place. */
  readonly sentence: string;
}

/** More than elsewhere: the one that changed should be among them. */
const shownSubjects = 12;

/** In order of names; the same name before and after is the same limit. */
export function limitChanges(before: Policy, after: Policy): readonly LimitChange[] {
  const old = new Map(before.limits.map((limit) => [limit.name, limit]));
  const young = new Map(after.limits.map((limit) => [limit.name, limit]));
  const names = [...new Set([...old.keys(), ...young.keys()])].sort();
  return names.flatMap((name): readonly LimitChange[] => {
    const [was, is] = [old.get(name), young.get(name)];
    if (is !== undefined && was === undefined) {
      return [{ kind: 'added', limit: is, sentence: `limit "${name}" is new: ${inWords(is)}` }];
    }
    if (was !== undefined && is === undefined) {
      return [{ kind: 'removed', limit: was, sentence: `limit "${name}" is gone: ${inWords(was)}` }];
    }
    const changes = was === undefined || is === undefined ? [] : changesOf(was, is);
    if (is === undefined || changes.length === 0) return [];
    return [{ kind: 'changed', limit: is, sentence: `limit "${name}" ${changes.join('; ')}` }];
  });
}

/** `group:devs, 60 pushes per minute for each account, at most 20 at once`. */
function inWords(limit: Limit): string {
  return `${who(limit)}, ${describeLimit(limit)}${limit.mode === 'shadow' ? ', in shadow mode' : ''}`;
}

function who({ subjects, except }: Limit): string {
  const texts = (each: readonly Subject[]): string => listed(each.map(formatSubject), shownSubjects);
  return `${texts(subjects)}${except.length === 0 ? '' : ` (but not ${texts(except)})`}`;
}

function changesOf(was: Limit, is: Limit): readonly string[] {
  const amounts = [was, is].map((limit) => describeLimit(limit));
  return [
    ...(was.mode === is.mode
      ? []
      : [is.mode === 'shadow' ? 'refuses nobody any more: it is in shadow mode' : 'is enforced now']),
    ...(amounts[0] === amounts[1] ? [] : [`is now ${amounts[1] ?? ''} (before: ${amounts[0] ?? ''})`]),
    ...(isSameSet(was.subjects, is.subjects) && isSameSet(was.except, is.except)
      ? []
      : [`is now for ${who(is)} (before: ${who(was)})`]),
  ];
}

function isSameSet(left: readonly Subject[], right: readonly Subject[]): boolean {
  const [a, b] = [left, right].map((subjects) => [...new Set(subjects.map(formatSubject))].sort().join(' '));
  return a === b;
}
