import { expect, test } from 'vitest';
import fc from 'fast-check';
import { claimNameProblem, claimOf, matchesClaim, textsOf } from '../../src/policy/claims.ts';

test.each([
  ['acme/*', 'acme/app', true],
  ['acme/*', 'acme/', true],
  ['acme/*', 'acme/app/x', false],
  ['acme/*', 'acme', false],
  ['acme/**', 'acme/app/x:y', true],
  ['*', 'a:b', false],
  ['**', '', true],
  ['a*c*e', 'abcde', true],
  ['a*c', 'abcd', false],
  ['***', 'a/b', true],
  ['a.c', 'abc', false],
  ['A', 'a', false],
  ['*é', 'caf\u00e9', true],
  ['', '', true],
])('%j on %j: %s', (pattern, text, expected) => {
  expect(matchesClaim(pattern, text)).toBe(expected);
});

test('a pattern says what a regular expression of the same words says, for any text', () => {
  const letters = fc.string({ unit: fc.constantFrom('a', 'b', '/', ':', '*'), maxLength: 8 });
  fc.assert(
    fc.property(
      letters,
      fc.string({ unit: fc.constantFrom('a', 'b', '/', ':', '*'), maxLength: 10 }),
      (pattern, text) => {
        const source = pattern.replaceAll(/\*\*+|\*/g, (stars) => (stars === '*' ? '[^/:]*' : '[^]*'));
        expect(matchesClaim(pattern, text)).toBe(new RegExp(`^${source}$`).test(text));
      },
    ),
  );
});

// One that tries every way does not come to an end.
test('many stars over a long text are judged', () => {
  expect(matchesClaim('*a'.repeat(200), `${'a'.repeat(8000)}b`)).toBe(false);
});

test('a JSON Pointer leads to what is there, and to nothing that is inherited', () => {
  const claims = { a: { 'b/c': { '~': [10, 20] } }, '': 1, '/a': 'not by a pointer' };
  expect(claimOf(claims, '/a/b~1c/~0/1')).toBe(20);
  expect(claimOf(claims, '/')).toBe(1);
  for (const name of [
    '/a/b/c',
    '/a/b~1c/~0/length',
    '/a/b~1c/~0/01',
    '/a/b~1c/~0/-',
    '/a/constructor',
    'toString',
    '__proto__',
    '/__proto__',
  ])
    expect(claimOf(claims, name)).toBeUndefined();
  expect(claimNameProblem('/a~2')).toContain('JSON Pointer');
  expect(claimNameProblem('a~2')).toBeUndefined();
  expect(claimNameProblem('')).toBeDefined();
});

test('values count as they are written; a number that was not read exactly counts as none', () => {
  expect(textsOf(['a', 1, true, null, {}, ['b'], 1e300, 2 ** 53])).toEqual(['a', '1', 'true']);
  expect(textsOf(JSON.parse('123456789012345678901'))).toEqual([]);
  expect(textsOf(undefined)).toEqual([]);
});
