/** Where policy files name an account, or expect something of it, and what to take out of them so that they no longer do. */
import type { Expectation, Policy, PolicyTest, Source, Subject } from '../policy/model.ts';
import type { Place } from './removal.ts';

export interface Mention {
  readonly what: 'rule' | 'limit' | 'gate' | 'test';
  readonly name: string;
  readonly source: Source;
  /** Nothing would be left of it. */
  readonly isWhole: boolean;
  /** In its file. */
  readonly places: readonly Place[];
}

interface Named {
  readonly kind: 'user' | 'robot';
  readonly name: string;
}

/** Rules and limits by subject or exception, gates by exception, and tests that ask as this account. */
export function mentionsOf({ rules, limits, gates, tests }: Policy, account: Named): readonly Mention[] {
  const listed = { rule: [rules, 'rules'], limit: [limits, 'limits'] } as const;
  const inLists = (['rule', 'limit'] as const).flatMap((what) => {
    const [entries, section] = listed[what];
    return entries.flatMap((entry): readonly Mention[] => {
      const top = [section, positionIn(entries, entry)] as const;
      const subjects = positionsOf(entry.subjects, account);
      const except = positionsOf(entry.except, account);
      if (subjects.length + except.length === 0) return [];
      const { name, source } = entry;
      if (subjects.length === entry.subjects.length) return [{ what, name, source, isWhole: true, places: [top] }];
      const places = [
        ...subjects.map((position): Place => [...top, 'subjects', position]),
        ...placesInExcept(entry.except, except, top),
      ];
      return [{ what, name, source, isWhole: false, places }];
    });
  });
  const inGates = gates.flatMap((gate): readonly Mention[] => {
    const except = positionsOf(gate.except, account);
    if (except.length === 0) return [];
    const { name, source } = gate;
    const places = placesInExcept(gate.except, except, ['gates', positionIn(gates, gate)]);
    return [{ what: 'gate', name, source, isWhole: false, places }];
  });
  const asked = tests.filter(({ principal }) => isNamed(principal, account));
  return [
    ...inLists,
    ...inGates,
    ...asked.map((test): Mention => {
      const { name, source } = test;
      return { what: 'test', name, source, isWhole: true, places: [['tests', positionIn(tests, test)]] };
    }),
  ];
}

/** An empty `except` is none, and not allowed. */
function placesInExcept(all: readonly Subject[], positions: readonly number[], top: Place): readonly Place[] {
  const isWhole = positions.length > 0 && positions.length === all.length;
  return isWhole ? [[...top, 'except']] : positions.map((position): Place => [...top, 'except', position]);
}

/** The expectations as parts of their tests; a test that expects nothing else is one whole. */
export function mentionsOfExpectations({ tests }: Policy, unwanted: readonly Expectation[]): readonly Mention[] {
  const gone = new Set(unwanted);
  return tests.flatMap((test): readonly Mention[] => {
    const concerned = test.expectations.filter((expectation) => gone.has(expectation));
    if (concerned.length === 0) return [];
    const { name, source } = test;
    const top = ['tests', positionIn(tests, test)] as const;
    if (concerned.length === test.expectations.length) {
      return [{ what: 'test', name, source, isWhole: true, places: [top] }];
    }
    const places = ([true, false] as const).flatMap((allowed) => placesIn(test, allowed, gone, top));
    return [{ what: 'test', name, source, isWhole: false, places }];
  });
}

/** Places of a file from the last one to the first, so that each still stands where it says when its turn comes. */
export function fromTheEnd(places: readonly Place[]): readonly Place[] {
  return places.toSorted((left, right) => {
    const first = left.findIndex((step, index) => step !== right[index]);
    const [a, b] = [left[first], right[first]];
    return typeof a === 'number' && typeof b === 'number' ? b - a : 0;
  });
}

function placesIn(
  { expectations }: PolicyTest,
  allowed: boolean,
  gone: ReadonlySet<Expectation>,
  top: Place,
): readonly Place[] {
  const key = allowed ? 'allow' : 'deny';
  const all = expectations.filter((each) => each.allowed === allowed);
  const positions = all.flatMap((each, position) => (gone.has(each) ? [position] : []));
  if (positions.length === 0) return [];
  return positions.length === all.length ? [[...top, key]] : positions.map((position) => [...top, key, position]);
}

/** Among the entries of its file, which are read in order. */
function positionIn<T extends { readonly source: Source }>(entries: readonly T[], entry: T): number {
  return entries.filter(({ source }) => source.file === entry.source.file).indexOf(entry);
}

function positionsOf(subjects: readonly Subject[], account: Named): readonly number[] {
  return subjects.flatMap((subject, position) => (isNamed(subject, account) ? [position] : []));
}

function isNamed(subject: { readonly kind: string; readonly name?: string }, { kind, name }: Named): boolean {
  return subject.kind === kind && subject.name === name;
}
