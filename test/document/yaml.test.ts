import { describe, expect, test } from 'vitest';
import fc from 'fast-check';
import type { Problem } from '../../src/document/problem.ts';
import { readYaml, type YamlDocument } from '../../src/document/yaml.ts';
import { growth } from '../support/cpu-time.ts';
import { sized } from '../support/size.ts';

function problemsOf(text: string): readonly Problem[] {
  const reading = readYaml('policy.yaml', text);
  return reading.ok ? [] : reading.problems;
}

function documentOf(text: string): YamlDocument {
  const reading = readYaml('policy.yaml', text);
  if (!reading.ok) throw new Error(reading.problems.map((problem) => problem.message).join('\n'));
  return reading.document;
}

describe('what YAML allows and we refuse', () => {
  const cases: readonly (readonly [title: string, text: string, code: string, line: number, column: number])[] = [
    ['a pattern that starts with * and is not in quotes', 'repositories:\n  - *', 'yaml-alias', 2, 5],
    ['an unquoted ** pattern in a list', 'repositories: [a, **/app]', 'yaml-alias', 1, 19],
    ['an alias', 'a: 1\nb: *a', 'yaml-alias', 2, 4],
    ['an anchor', 'a: &x 1', 'yaml-anchor', 1, 4],
    ['an anchor before a list', 'a: &x\n  - 1', 'yaml-anchor', 1, 4],
    ['an unknown tag, which the parser only warns about', 'a: !x', 'yaml-tag', 1, 4],
    ['a known tag', 'a: !!str 1', 'yaml-tag', 1, 4],
    ['a tag on a key', '!!str a: 1', 'yaml-tag', 1, 1],
    ['a tag before a block of text', 'a: !!str |\n  x', 'yaml-tag', 1, 4],
    ['a directive', '%YAML 1.1\n---\na: yes', 'yaml-directive', 1, 1],
    ['a second document', 'a: 1\n---\nb: 1', 'yaml-documents', 2, 1],
    ['a second, empty document', 'a: 1\n---\n', 'yaml-documents', 2, 1],
    ['a merge key', 'a:\n  <<: {b: 1}', 'yaml-merge', 2, 3],
    ['a key that is written twice', 'a: 1\nb: 1\na: 2', 'duplicate-key', 3, 1],
    ['a key that is written twice with other quotes', '{a: 1, "a": 2}', 'duplicate-key', 1, 8],
    ['a number as a key', '1: a', 'bad-key', 1, 1],
    ['null as a key', 'null: a', 'bad-key', 1, 1],
    ['true as a key', 'a:\n  true: b', 'bad-key', 2, 3],
    ['an empty key', ': a', 'bad-key', 1, 1],
    ['a list as a key', '[a]: b', 'bad-key', 1, 1],
    ['the "? key" form', '? a\n: b', 'bad-key', 1, 1],
    ['__proto__ as a key', 'a:\n  __proto__: {admin: true}', 'bad-key', 2, 3],
    ['__proto__ spelled with escapes', '"\\x5f_proto__": 1', 'bad-key', 1, 1],
    ['constructor as a key', '{constructor: 1}', 'bad-key', 1, 2],
    ['prototype as a key', 'prototype: 1', 'bad-key', 1, 1],
    ['a key without a value in { }', '{password: $argon2id$v=19$m=1,t=3}', 'missing-value', 1, 31],
    ['a NUL byte', 'a: b\u0000c', 'bad-character', 1, 5],
    ['an escape sequence for terminals', '# \u001b[2J', 'bad-character', 1, 3],
    ['a NUL byte in escaped form', 'a: "\\u0000"', 'bad-character', 1, 4],
    ['a control character in a key', '"a\\u0007": 1', 'bad-character', 1, 1],
    ['text that shows in another order than it reads', 'a: x\u202ey', 'bad-character', 1, 5],
    ['a lone carriage return, which hides the rest of the line', 'a: 1 # \rb: 2', 'bad-character', 1, 8],
    ['half a character', 'a: \ud800', 'bad-character', 1, 4],
    ['two keys on one line', 'a: b: c', 'yaml-syntax', 1, 4],
    ['an open quote', 'a: "x', 'yaml-syntax', 1, 6],
    ['an open list', 'a: [1, 2', 'yaml-syntax', 1, 9],
    ['a tab as indentation', 'a:\n\t- b', 'yaml-syntax', 2, 1],
    ['a value that starts with @', 'a: @x', 'yaml-syntax', 1, 4],
  ];

  test.each(cases)('%s is refused where it stands', (_title, text, code, line, column) => {
    expect(problemsOf(text)).toContainEqual(expect.objectContaining({ file: 'policy.yaml', code, line, column }));
  });

  test('an unquoted pattern is answered with the quoted one', () => {
    const [problem] = problemsOf('repositories: [**/app]');
    expect(problem?.message).toContain('not in quotes');
    expect(problem?.fix).toBe('put the pattern in quotes: "**/app"');
  });

  test('one place is reported once', () => {
    expect(problemsOf('a: [*, "b"]')).toHaveLength(1);
  });

  test('all problems of a file come together, in the order of the file', () => {
    const problems = problemsOf('a: *\nb: &c 1\n');
    expect(problems.map(({ line, code }) => [line, code])).toEqual([
      [1, 'yaml-alias'],
      [2, 'yaml-anchor'],
    ]);
  });

  test('a file of nothing but faults is answered with a short list', () => {
    expect(problemsOf('- *x\n'.repeat(10_000)).length).toBeLessThanOrEqual(50);
  });

  test('a file above 4 MiB is refused without being parsed', () => {
    expect(problemsOf(`a: ${'x'.repeat(4 * 1024 * 1024)}`)[0]?.code).toBe('too-large');
    expect(problemsOf(`a: ${'é'.repeat(2 * 1024 * 1024)}`)[0]?.code).toBe('too-large');
  });

  test.each([
    ['lists in brackets', '['.repeat(100_000)],
    ['lists of dashes', '- '.repeat(50_000)],
    ['mappings in braces', '{a: '.repeat(50_000)],
    ['indented keys', Array.from({ length: 33 }, (_, depth) => `${' '.repeat(depth)}a:`).join('\n')],
  ])('%s nested beyond reason are refused, not crashed on', (_title, text) => {
    expect(problemsOf(text).map(({ code }) => code)).toContain('too-deep');
  });

  test('32 levels are allowed', () => {
    expect(readYaml('f', `${'['.repeat(32)}${']'.repeat(32)}`).ok).toBe(true);
    expect(readYaml('f', `${'['.repeat(33)}${']'.repeat(33)}`).ok).toBe(false);
  });
});

describe('what a document yields', () => {
  test('plain data of the core schema, where "yes", "no" and dates stay text', () => {
    const { value } = documentOf(
      'a: yes\nb: true\nc: 12\nd: null\ne: 2027-01-01\nf: [x, {g: "1"}]\nh: |\n  two\n  lines\n',
    );
    expect(JSON.parse(JSON.stringify(value))).toEqual({
      a: 'yes',
      b: true,
      c: 12,
      d: null,
      e: '2027-01-01',
      f: ['x', { g: '1' }],
      h: 'two\nlines\n',
    });
  });

  test.each(['', '\n', '# only a comment\n', '---\n', '\ufeff'])('nothing in %j is null', (text) => {
    expect(documentOf(text).value).toBeNull();
  });

  test('objects inherit nothing, so no name is there that was not written', () => {
    const { value } = documentOf('users: {dana: 1}');
    const { users } = value as { users: Record<string, unknown> };
    expect('toString' in users).toBe(false);
    expect(Object.isFrozen(Object.getPrototypeOf(users))).toBe(true);
  });
});

describe('positions', () => {
  const text = [
    '# comment',
    'users:',
    '  dana: { groups: [a, "b"] }',
    'rules:',
    '  - name: x',
    '    when:',
    '  - y',
  ].join('\n');

  test.each([
    [[], 2, 1],
    [['users'], 3, 3],
    [['users', 'dana', 'groups', 1], 3, 23],
    [['rules', 0, 'name'], 5, 11],
    [['rules', 1], 7, 5],
  ])('the value at %j starts in line %i, column %i', (path, line, column) => {
    expect(documentOf(text).at(path)).toEqual({ line, column });
  });

  test.each([
    [['users', 'dana'], 3, 3],
    [['users', 'dana', 'groups'], 3, 11],
    [['rules', 0, 'name'], 5, 5],
    [['rules', 1], 7, 5],
  ])('the key of %j starts in line %i, column %i', (path, line, column) => {
    expect(documentOf(text).keyAt(path)).toEqual({ line, column });
  });

  test('an empty value is pointed at by its key', () => {
    expect(documentOf(text).at(['rules', 0, 'when'])).toEqual({ line: 6, column: 5 });
  });

  test('what is not there is pointed at by the nearest parent that is', () => {
    expect(documentOf(text).at(['rules', 0, 'effect', 'deep'])).toEqual({ line: 5, column: 5 });
  });

  test('a byte order mark and Windows line ends do not shift positions', () => {
    const document = documentOf('\ufeffa: 1\r\nb: 2\r\n');
    expect(document.at(['a'])).toEqual({ line: 1, column: 4 });
    expect(document.at(['b'])).toEqual({ line: 2, column: 4 });
  });

  test('each of 20,000 entries of one list and one mapping is found without searching from the top', () => {
    const findAll = (count: number): (() => void) => {
      const document = documentOf(
        `l:\n${'- x\n'.repeat(count)}m:\n${Array.from({ length: count }, (_, index) => ` k${index}: 1`).join('\n')}`,
      );
      return () => {
        for (let index = 0; index < count; index += 1) {
          const lines = [document.at(['l', index]).line, document.keyAt(['m', `k${index}`]).line];
          if (lines[0] !== index + 2 || lines[1] !== count + index + 3) throw new Error(`${index}: ${lines.join()}`);
        }
      };
    };
    // Eight times the entries; a search through them would take sixty-four times as long.
    expect(growth(findAll(2_500), findAll(20_000))).toBeLessThan(30);
  });
});

test('no text makes the reader throw', () => {
  const piece = fc.constantFrom(
    'a',
    ': ',
    '- ',
    '[',
    ']',
    '{',
    '}',
    ',',
    '\n',
    '  ',
    '*',
    '&',
    '!',
    '|',
    '>',
    '"',
    "'",
    '#',
    '?',
    '%',
    '---',
    '...',
    '<<',
    '\t',
    '\r',
    '\\',
    '\0',
    '\ud800',
  );
  fc.assert(
    fc.property(fc.array(fc.oneof(piece, fc.string()), { maxLength: 40, size: 'max' }), (pieces) => {
      const reading = readYaml('f', pieces.join(''));
      if (!reading.ok) expect(reading.problems.length).toBeGreaterThan(0);
    }),
    { numRuns: sized(1_000) },
  );
});
