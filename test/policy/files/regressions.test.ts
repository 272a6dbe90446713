import { describe, expect, test } from 'vitest';
import { compileByName } from '../../../src/policy/by-name.ts';
import { parsePolicy } from '../../../src/policy/files/parse.ts';
import {
  matchPieces,
  matchesRepository,
  parseRepositoryPattern,
  parseTagPattern,
} from '../../../src/policy/pattern.ts';
import { runTests } from '../../../src/policy/analysis/test-run.ts';

describe('a caller’s own name beside other text is matched as one piece', () => {
  const cases = [
    { pattern: 'x/*${account}b*', name: 'x/bobzzb', matches: false },
    { pattern: 'x/*${account}b*', name: 'x/zzbobbzz', matches: true },
    { pattern: 'x/a*${account}-${account}*', name: 'x/a-bob-bob-', matches: true },
    { pattern: 'x/a*${account}-${account}*', name: 'x/a-bob--x-bob', matches: false },
  ];
  for (const { pattern, name, matches } of cases) {
    test(`${pattern} ${matches ? 'matches' : 'does not match'} ${name} for bob`, () => {
      const parsed = parseRepositoryPattern(pattern);
      expect('segments' in parsed && matchesRepository(parsed, name, 'bob')).toBe(matches);
    });
  }

  test('also in tags', () => {
    const parsed = parseTagPattern('*${account}-rel*');
    if (!('pieces' in parsed)) throw new Error(parsed.problem);
    expect(matchPieces(parsed.pieces, 'xx-bob-foo-rel1', 'bob')).toBe(false);
    expect(matchPieces(parsed.pieces, 'xx-bob-rel1', 'bob')).toBe(true);
  });
});

test('locking somebody out never fails a test about the rules, and still locks them out', () => {
  const reading = parsePolicy([
    {
      file: 'p.yaml',
      text: `
users: { dana: { disabled: true } }
rules: [{ name: read, subjects: [user:dana], repositories: ["a/**"], actions: [pull] }]
tests: [{ name: dana reads, as: user:dana, allow: [pull a/b] }]
`,
    },
  ]);
  if (!reading.ok) throw new Error(JSON.stringify(reading.problems));
  const compiled = compileByName(reading.policy);
  expect(runTests(compiled, 0)).toMatchObject({ passed: 1, failures: [] });
  const asked = { principal: { kind: 'user', name: 'dana' }, action: 'pull', repository: 'a/b', now: 0 } as const;
  expect(compiled.decide(asked).allowed).toBe(false);
});
