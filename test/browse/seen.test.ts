/** What counts as a pull of a tag, by a fixed clock. */
import { beforeEach, describe, expect, test } from 'vitest';
import { createSeen } from '../../src/browse/seen.ts';
import type { Seen } from '../../src/ports.ts';

const [one, two] = ['1', '2'].map((digit) => `sha256:${digit.repeat(64)}`) as [string, string];

let now: number;
let pulls: (readonly [repository: string, tag: string, at: number])[];
let seen: Seen;

beforeEach(() => {
  [now, pulls] = [1_000_000, []];
  const never = (): never => {
    throw new Error('only pulls are noted here');
  };
  seen = createSeen({
    activity: {
      ...{ noteWritten: never, noteDeleted: never, newest: never, of: never, lastWrites: never, close: never },
      notePulled: (...pull) => void pulls.push(pull),
    },
    names: { noteWritten: never, noteDeleted: never },
    forget: never,
    clock: () => now,
  });
});

const look = (tag: string, digest = one, by = 'dana', repository = 'a'): void =>
  seen.resolved(repository, { tag, digest, by });
const get = (digest = one, by = 'dana', repository = 'a'): void => seen.pulled(repository, { digest, by });
const pulled = (): readonly string[] => pulls.map(([repository, tag]) => `${repository}:${tag}`);

describe('a pull of a tag is', () => {
  test('its manifest by the tag', () => {
    seen.pulled('a', { tag: 'v1' });
    expect(pulls).toEqual([['a', 'v1', now]]);
  });

  test('a look at what it is, and the manifest by that digest within ten seconds', () => {
    look('v1');
    now += 10_000;
    get();
    expect(pulls).toEqual([['a', 'v1', now]]);
  });

  test('of each tag that was looked at and is that digest', () => {
    for (const tag of ['v1', 'latest']) look(tag);
    look('other', two);
    get();
    expect(pulled()).toEqual(['a:v1', 'a:latest']);
  });

  test('once more after another look', () => {
    look('v1');
    get();
    now += 60_000;
    get();
    expect(pulled()).toEqual(['a:v1']);
    look('v1');
    get();
    expect(pulled()).toEqual(['a:v1', 'a:v1']);
  });
});

describe('no pull of a tag is', () => {
  test('a look alone, or a digest alone', () => {
    get();
    look('v1');
    expect(pulls).toEqual([]);
  });

  test('a digest that comes later, or after the clock was set back', () => {
    look('v1');
    now += 10_001;
    get();
    now -= 30_000;
    get();
    expect(pulls).toEqual([]);
  });

  test.each([
    ['by another account', one, 'tess', 'a'],
    ['by nobody in particular', one, '', 'a'],
    ['of another repository', one, 'dana', 'b'],
    ['of another digest', two, 'dana', 'a'],
  ])('a digest %s', (_what, digest, by, repository) => {
    look('v1');
    get(digest, by, repository);
    expect(pulls).toEqual([]);
  });
});

test('what was looked at is bounded, in tags of one digest and in all: the latest are known', () => {
  for (let at = 0; at < 5000; at++) look(`t${at}`);
  get();
  expect(pulled()).toEqual(Array.from({ length: 8 }, (_, at) => `a:t${4992 + at}`));
  pulls = [];
  const digestOf = (at: number): string => `sha256:${String(at).padStart(64, '0')}`;
  for (let at = 0; at < 5000; at++) look(`t${at}`, digestOf(at));
  for (let at = 0; at < 5000; at++) get(digestOf(at));
  expect(pulls.length).toBeGreaterThanOrEqual(1000);
  expect(pulls.length).toBeLessThanOrEqual(2000);
  expect(pulled().at(-1)).toBe('a:t4999');
});
