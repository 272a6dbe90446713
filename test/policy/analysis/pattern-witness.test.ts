import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  type RepositoryPattern,
  type TagPattern,
  matchPieces,
  matchesRepository,
  parseRepositoryPattern,
  parseTagPattern,
} from '../../../src/policy/pattern.ts';
import { covers, coversTag, exampleOf, meetingOf, meetingOfTags } from '../../../src/policy/analysis/witness.ts';
import { sized } from '../../support/size.ts';

function repository(text: string): RepositoryPattern {
  const pattern = parseRepositoryPattern(text);
  if ('problem' in pattern) throw new Error(pattern.problem);
  return pattern;
}

function tag(text: string): TagPattern {
  const pattern = parseTagPattern(text);
  if ('problem' in pattern) throw new Error(pattern.problem);
  return pattern;
}

const segment = fc.constantFrom('a', 'b', 'ab', '*', '**', 'a*', '*b', 'a*b', '*a*', '${account}', '${account}-*');
const patterns = fc.array(segment, { minLength: 1, maxLength: 4 }).map((segments) => repository(segments.join('/')));
const parts = ['a', 'b', 'ab', 'aab', 'ba', 'dana', 'dana-x'];
const names = fc.array(fc.constantFrom(...parts), { minLength: 1, maxLength: 5 }).map((list) => list.join('/'));
const account = 'dana';

describe('a pattern is said to cover another one', () => {
  const cases: readonly (readonly [broad: string, narrow: string, covered: boolean])[] = [
    ['**', 'a/b/**', true],
    ['a/**', 'a/*', true],
    ['a/*', 'a/**', false],
    ['a/**', 'a', false],
    ['*/b', 'a/b', true],
    ['a*', 'ab*c', true],
    ['ab*c', 'a*', false],
    ['p/*', 'p/${account}', true],
    ['p/${account}', 'p/dana', false],
    ['p/${account}/**', 'p/${account}/x', true],
    ['**/b', 'a/**/b', true],
    ['**/**', '**', false],
  ];
  test.each(cases)('%s over %s: %s', (broad, narrow, covered) => {
    expect(covers(repository(broad), repository(narrow))).toBe(covered);
  });

  test('only when every name of the one is a name of the other', () => {
    fc.assert(
      fc.property(patterns, patterns, names, (broad, narrow, name) => {
        const isKept = !matchesRepository(narrow, name, account) || matchesRepository(broad, name, account);
        expect(covers(broad, narrow) && !isKept).toBe(false);
      }),
      { numRuns: sized(3000) },
    );
  });

  test('also among tags', () => {
    expect([coversTag(tag('v*'), tag('v1.*')), coversTag(tag('v1.*'), tag('v*'))]).toEqual([true, false]);
  });
});

describe('the meeting of two patterns', () => {
  test('is a name that both match, and is found when there is one', () => {
    fc.assert(
      fc.property(patterns, patterns, names, (left, right, name) => {
        const met = meetingOf(left, right, account);
        if (met !== undefined) {
          expect([met, matchesRepository(left, met, account), matchesRepository(right, met, account)]).toEqual([
            met,
            true,
            true,
          ]);
        } else {
          expect(matchesRepository(left, name, account) && matchesRepository(right, name, account)).toBe(false);
        }
      }),
      { numRuns: sized(1000) },
    );
  });

  test('of tags is a tag that both match', () => {
    const met = meetingOfTags(tag('v*'), tag('*-rc*'), undefined) ?? '';
    expect([matchPieces(tag('v*').pieces, met, undefined), matchPieces(tag('*-rc*').pieces, met, undefined)]).toEqual([
      true,
      true,
    ]);
    expect(meetingOfTags(tag('v*'), tag('w*'), undefined)).toBeUndefined();
  });
});

test('an example is a name that the pattern matches, unless it needs an account and there is none', () => {
  fc.assert(
    fc.property(patterns, fc.integer({ min: 1, max: 4 }), (pattern, depth) => {
      const example = exampleOf(pattern, account, depth) ?? '';
      expect(matchesRepository(pattern, example, account)).toBe(true);
      expect(exampleOf(pattern, undefined, depth) === undefined).toBe(pattern.text.includes('${account}'));
    }),
  );
});
