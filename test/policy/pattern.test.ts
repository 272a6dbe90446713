import { describe, expect, test } from 'vitest';
import fc from 'fast-check';
import {
  type RepositoryPattern,
  matchPieces,
  matchesRepository,
  maxPatternLength,
  parseRepositoryPattern,
  parseTagPattern,
} from '../../src/policy/pattern.ts';
import { growth } from '../support/cpu-time.ts';

function pattern(text: string): RepositoryPattern {
  const parsed = parseRepositoryPattern(text);
  if ('problem' in parsed) throw new Error(`${text}: ${parsed.problem}`);
  return parsed;
}

function problemOf(parsed: object): string {
  return 'problem' in parsed && typeof parsed.problem === 'string' ? parsed.problem : 'none';
}

describe('a repository pattern', () => {
  const cases: readonly (readonly [text: string, matches: readonly string[], others: readonly string[]])[] = [
    ['app', ['app'], ['apps', 'ap', 'team/app', 'app/web']],
    ['team/app', ['team/app'], ['team/app/web', 'team', 'a/team/app']],
    ['*', ['a', 'abc'], ['a/b']],
    ['**', ['a', 'a/b', 'a/b/c/d'], []],
    ['team/*', ['team/a'], ['team', 'team/a/b', 'teams/a']],
    ['team/**', ['team/a', 'team/a/b/c'], ['team', 'teams/a']],
    ['**/app', ['a/app', 'a/b/app'], ['app', 'a/app/b', 'a/xapp']],
    ['a/**/z', ['a/b/z', 'a/b/c/z', 'a/z/z'], ['a/z', 'a/b', 'a/b/z/c']],
    ['**/**', ['a/b', 'a/b/c'], ['a']],
    ['a*c', ['ac', 'abc', 'abbc'], ['a', 'acb', 'a/c']],
    ['a*', ['a', 'ab'], ['ba', 'a/b']],
    ['*b', ['b', 'ab'], ['ba', 'a/b']],
    ['*a*', ['a', 'bab'], ['b', 'b/a']],
    ['a*b*c', ['abc', 'axbxc'], ['acb', 'ab', 'bc']],
    ['aa*aa', ['aaaa', 'aaxaa'], ['aaa', 'aa']],
    ['a.b', ['a.b'], ['axb', 'a/b']],
    ['team-*/app', ['team-a/app', 'team-/app'], ['team-a/b/app']],
    ['home/${account}', ['home/dana'], ['home/tess', 'home/', 'home/dana/a', 'home/${account}']],
    ['${account}-*', ['dana-1', 'dana-'], ['dana', 'xdana-1']],
    ['*${account}*', ['dana', 'xdanay'], ['dan', 'x/dana']],
  ];
  test.each(cases)('%s, anchored at both ends, for the account dana', (text, matches, others) => {
    for (const name of matches) expect([name, matchesRepository(pattern(text), name, 'dana')]).toEqual([name, true]);
    for (const name of others) expect([name, matchesRepository(pattern(text), name, 'dana')]).toEqual([name, false]);
  });

  test('with ${account} matches nothing for a caller without a name', () => {
    for (const text of ['${account}', 'home/${account}', 'x${account}', '*${account}*']) {
      for (const name of ['home/', 'home/x', 'x', 'undefined', 'home/undefined']) {
        expect(matchesRepository(pattern(text), name, undefined)).toBe(false);
        expect(matchesRepository(pattern(text), name, '')).toBe(false);
      }
    }
  });

  test('reads the account’s name as text, never as a pattern', () => {
    expect(matchesRepository(pattern('home/${account}'), 'home/xyz', '*')).toBe(false);
    expect(matchesRepository(pattern('home/${account}'), 'home/a/b', '**')).toBe(false);
    expect(matchesRepository(pattern('home/${account}'), 'home/a/b', 'a/b')).toBe(false);
    expect(matchesRepository(pattern('home/${account}'), 'home/.', '.')).toBe(true);
    expect(matchesRepository(pattern('home/${account}'), 'home/x', '.')).toBe(false);
  });

  const refused: readonly (readonly [text: string, says: string])[] = [
    ['', 'a pattern cannot be empty'],
    ['[ab]', '"[" has no meaning in patterns'],
    ['a]', '"]" has no meaning'],
    ['{a,b}', '"{" has no meaning'],
    ['a,b', '"," has no meaning'],
    ['(a|b)', '"(" has no meaning'],
    ['a|b', '"|" has no meaning'],
    ['a?', '"?" has no meaning'],
    ['!a', '"!" has no meaning'],
    ['a+', '"+" has no meaning'],
    ['^a', '"^" has no meaning'],
    ['a$', '"$" has no meaning'],
    ['a\\*', '"\\" has no meaning'],
    ['${user}', '${user} is not known here; the only placeholder is ${account}'],
    ['a/${account', '${account is not known here'],
    ['${account:1}', '${account:1} is not known here'],
    ['$account', '"$" has no meaning'],
    ['/a', 'neither begins nor ends with "/"'],
    ['a/', 'neither begins nor ends with "/"'],
    ['/', 'neither begins nor ends with "/"'],
    ['a//b', 'no empty segment'],
    ['.', 'no "." segment'],
    ['a/..', 'no ".." segment'],
    ['../a', 'no ".." segment'],
    ['Team/*', 'lower case'],
    ['a**', '"**" stands alone between slashes'],
    ['**a/b', '"**" stands alone'],
    ['a/***', '"**" stands alone'],
    ['a b', '" " cannot occur in a repository name'],
    ['a:b', '":" cannot occur in a repository name'],
    ['a@b', '"@" cannot occur in a repository name'],
    ['café', '"é" cannot occur in a repository name'],
    ['a\n', '"\n" cannot occur in a repository name'],
    ['a'.repeat(maxPatternLength + 1), 'at most 256 characters'],
  ];
  test.each(refused)('%j is refused: %s', (text, says) => {
    expect(problemOf(parseRepositoryPattern(text))).toContain(says);
  });

  // The naive reading as a regular expression; safe here because the texts are short.
  const asExpression = (text: string): RegExp =>
    new RegExp(
      `^${text
        .split('/')
        .map((segment) =>
          segment === '**' ? '[^/]+(?:/[^/]+)*' : segment.replaceAll('.', '\\.').replaceAll('*', '[^/]*'),
        )
        .join('/')}$`,
    );
  const piece = fc.constantFrom('a', 'b', '*', 'ab', 'a*', '*b', 'a*b', '*a*', '**', '.');
  const name = fc
    .array(fc.stringMatching(/^[ab.]{1,4}$/), { minLength: 1, maxLength: 5 })
    .map((parts) => parts.join('/'));

  test('matches exactly what its description says, for any pattern and name', () => {
    const text = fc.array(piece, { minLength: 1, maxLength: 5 }).map((parts) => parts.join('/'));
    fc.assert(
      fc.property(
        text.filter((candidate) => 'segments' in parseRepositoryPattern(candidate)),
        name,
        (given, repository) => {
          expect(matchesRepository(pattern(given), repository, undefined)).toBe(asExpression(given).test(repository));
        },
      ),
      { numRuns: 1000 },
    );
  });

  test.each<[what: string, text: (stars: number) => string, name: string]>([
    ['stars', (stars) => `${'*a'.repeat(stars)}*b`, 'a'.repeat(255)],
    ['stars before the last', (stars) => `${'*a'.repeat(stars)}*b*`, 'a'.repeat(255)],
    ['double stars', (stars) => Array.from({ length: stars }, () => '**').join('/'), 'a/'.repeat(127) + 'a'],
  ])('is matched in linear time, however many %s it has', (_what, text, name) => {
    const match = (stars: number): (() => void) => {
      const hostile = pattern(text(stars));
      return () => {
        for (let run = 0; run < 20; run++) matchesRepository(hostile, name, undefined);
      };
    };
    // Four times the stars; a search that goes back would take at least sixteen times as long.
    expect(growth(match(15), match(60), 20)).toBeLessThan(10);
  });
});

describe('a tag pattern', () => {
  const matches = (text: string, tag: string, account?: string): boolean => {
    const parsed = parseTagPattern(text);
    if ('problem' in parsed) throw new Error(parsed.problem);
    return matchPieces(parsed.pieces, tag, account);
  };

  test('matches from end to end, in the case it is written', () => {
    expect(matches('v*', 'v1.0')).toBe(true);
    expect(matches('v*', 'V1.0')).toBe(false);
    expect(matches('v*', 'dev')).toBe(false);
    expect(matches('*-rc*', '1.0-rc2')).toBe(true);
    expect(matches('Latest', 'Latest')).toBe(true);
    expect(matches('*', '_')).toBe(true);
    expect(matches('${account}-*', 'dana-1', 'dana')).toBe(true);
    expect(matches('${account}-*', 'dana-1', undefined)).toBe(false);
  });

  test.each([
    ['**', 'a tag has no segments'],
    ['a/b', '"/" cannot occur in a tag'],
    ['a:b', '":" cannot occur in a tag'],
    ['[0-9]', '"[" has no meaning in patterns'],
    ['', 'cannot be empty'],
  ])('%j is refused: %s', (text, says) => {
    expect(problemOf(parseTagPattern(text))).toContain(says);
  });
});
