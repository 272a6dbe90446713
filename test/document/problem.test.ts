import { describe, expect, test } from 'vitest';
import { growth } from '../support/cpu-time.ts';
import {
  type Problem,
  escapeLines,
  formatProblem,
  onOneLine,
  quote,
  sortProblems,
} from '../../src/document/problem.ts';

function problemAt(line: number, column: number, message = 'no'): Problem {
  return { file: 'p.yaml', line, column, code: 'x', message };
}

describe('formatProblem', () => {
  test('names file, line and column, then the message', () => {
    expect(formatProblem(problemAt(3, 7, 'expected text'))).toBe('p.yaml:3:7: expected text');
  });

  test('leaves out a position that does not apply', () => {
    expect(formatProblem(problemAt(0, 0, 'is missing'))).toBe('p.yaml: is missing');
  });

  test('puts a caret under the column', () => {
    expect(formatProblem(problemAt(2, 4), 'a: 1\nb: *\nc: 1\n').split('\n').slice(1)).toEqual([
      '    2 | b: *',
      '      |    ^',
    ]);
  });

  test('keeps the caret under its column behind tabs', () => {
    expect(formatProblem(problemAt(1, 3), '\t\tx').split('\n').slice(1)).toEqual(['    1 | \t\tx', '      | \t\t^']);
  });

  test('cuts a very long line around the column', () => {
    const [, source, caret] = formatProblem(problemAt(1, 5_001), `${'a'.repeat(5_000)}X${'b'.repeat(5_000)}`).split(
      '\n',
    );
    expect(source?.length).toBeLessThan(200);
    expect(source?.[caret?.indexOf('^') ?? -1]).toBe('X');
  });

  test('shows no line, nor the one below it, that is too long to be looked through for secrets', () => {
    const long = `x: ${' '.repeat(12_000)}`;
    expect(formatProblem(problemAt(1, 3), long)).toBe('p.yaml:1:3: no');
    expect(formatProblem(problemAt(2, 3), `${long}\nb: *`)).toBe('p.yaml:2:3: no');
  });

  test('adds the fix on its own line', () => {
    expect(formatProblem({ ...problemAt(0, 0), fix: 'put it in quotes' })).toBe(
      'p.yaml: no\n    fix: put it in quotes',
    );
  });

  test('survives a line the text does not have', () => {
    expect(formatProblem(problemAt(9, 1), 'a: 1')).toBe('p.yaml:9:1: no');
  });

  test('lets no control character of a file name, message or line reach the terminal', () => {
    const shown = formatProblem(
      { ...problemAt(1, 1, 'bad \u001b[2J\nforged.yaml:1:1: fine'), file: 'x\u009b' },
      'a\u001b[31m',
    );

    expect(shown).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/);
    expect(shown.split('\n')).toHaveLength(3);
  });

  test.each([
    ['a password hash', 'dana: { password: $argon2id$v=19$m=65536,t=3,p=4$c2FsdA$aGFzaA, gruops: [a] }', 'c2FsdA'],
    ['a bcrypt hash', 'dana: $2y$10$abcdefghijklmnopqrstuv', 'abcdef'],
    ['a plain password', 'password: "hunter2, really"', 'hunter2'],
    ...['pasword', 'passwd', 'passwrod', 'Password', 'pass', 'pwd', 'secret'].map((key): [string, string, string] => [
      key,
      `{ username: u, ${key}: hunter2, helper: x }`,
      'hunter2',
    ]),
    ['credentials that are text', 'credentials: "svc:hunter2"', 'hunter2'],
    ['a password behind a user name', '{ username: "svc:hunter2", passwordFile: x }', 'hunter2'],
    ['a robot secret', 'x: pct_0123456789abcdef', '0123456789'],
    ['the hash of a robot secret', '{ sha256: 9f86d081884c7d65, expires: x }', '9f86d081'],
    ['a password in a URL', 'redis: redis://user:hunter2@redis:6379/0', 'hunter2'],
  ])('masks %s in the source line and keeps the caret in place', (_title, line, secret) => {
    const [, source, caret] = formatProblem(problemAt(1, line.length), line).split('\n');
    expect(source).not.toContain(secret);
    expect(source).toHaveLength(line.length + 8);
    expect(caret?.indexOf('^')).toBe(line.length + 7);
  });
});

test('problems sort by file, then position, and the input stays as it was', () => {
  const given = [problemAt(10, 1), { ...problemAt(1, 1), file: 'q.yaml' }, problemAt(2, 9), problemAt(2, 3)];
  const before = [...given];
  expect(sortProblems(given).map(({ file, line, column }) => `${file}:${line}:${column}`)).toEqual([
    'p.yaml:2:3',
    'p.yaml:2:9',
    'p.yaml:10:1',
    'q.yaml:1:1',
  ]);
  expect(given).toEqual(before);
});

test('quoted text is short and printable', () => {
  expect(quote('a"b')).toBe('"a\\"b"');
  expect(quote('x'.repeat(500)).length).toBeLessThan(70);
  expect(quote('\u202e\u009b')).toBe('"\\u202e\\u009b"');
});

describe('words of others', () => {
  test.each([
    ['one\n two \r\n\r\n three\n', 'one two three'],
    ['  \n', ''],
    ['a\u001b[2Jb', 'a\\u001b[2Jb'],
  ])('%j are one line', (text, line) => {
    expect(onOneLine(text)).toBe(line);
  });

  // A pattern that began at each blank anew took seconds for these.
  test('that are blanks for the most part take no time', () => {
    const blanks = (count: number) => () => expect(onOneLine(`a${' '.repeat(count)}b\nc`)).toHaveLength(count + 4);
    expect(growth(blanks(25_000), blanks(300_000), 3)).toBeLessThan(60);
  });

  test('keep their lines where they may have some, and move no cursor', () => {
    expect(escapeLines('one\n  two\r\u202e')).toBe('one\n  two\\u000d\\u202e');
  });
});
