/** `gates:` as files say them: what is wrong in one is told at its place, with what to write instead. */
import { describe, expect, test } from 'vitest';
import { parsePolicy } from '../../../src/policy/files/parse.ts';
import { readPolicy } from '../../support/policies.ts';

const whole = 'name: g, repositories: ["release/**"], from: ["integration/**"]';
const gates = (...entries: readonly string[]): string =>
  `rules: []\ngates:\n${entries.map((entry) => `  - { ${entry} }\n`).join('')}`;

function problemsOf(...texts: readonly string[]): readonly string[] {
  const reading = parsePolicy(texts.map((text, index) => ({ file: `${index}.yaml`, text })));
  if (reading.ok) return [];
  return reading.problems.map(
    ({ file, line, column, code, message }) => `${file}:${line}:${column} ${code} ${message}`,
  );
}

test('a gate is kept as it is written, with its place', () => {
  const more =
    'tags: ["v*"], except: ["group:g1"], fromTags: ["approved-*"], match: digest, attachments: deny, mode: shadow';
  const [gate] = readPolicy(`groups: { g1: }\n${gates(`${whole}, ${more}`)}`).gates;
  expect(gate).toMatchObject({
    name: 'g',
    mode: 'shadow',
    repositories: [{ text: 'release/**' }],
    tags: [{ text: 'v*' }],
    except: [{ kind: 'group', name: 'g1' }],
    from: [{ text: 'integration/**' }],
    fromTags: [{ text: 'approved-*' }],
    match: 'digest',
    attachments: 'deny',
    source: { file: '0.yaml', line: 4, column: 5 },
  });
});

test('what is left out is the usual: enforced, every push, the same image, attachments pass, nobody excepted', () => {
  const [gate] = readPolicy(gates(whole)).gates;
  expect(gate).toMatchObject({ mode: 'enforce', match: 'image', attachments: 'allow', except: [] });
  expect([gate?.tags, gate?.fromTags]).toEqual([undefined, undefined]);
});

describe('is refused at its place:', () => {
  const at = (key: string, value: string): string => {
    const pattern = new RegExp(`${key}: \\[[^\\]]*\\]`);
    return pattern.test(whole) ? whole.replace(pattern, `${key}: [${value}]`) : `${whole}, ${key}: [${value}]`;
  };
  test.each<[what: string, entry: string, where: string, code: string, message: RegExp]>([
    [
      '${account} where it stands',
      at('repositories', '"release/${account}/**"'),
      '"release/',
      'invalid-pattern',
      /no \$\{account\}/,
    ],
    ['${account} in its tags', at('tags', '"${account}-*"'), '"${account}', 'invalid-pattern', /no \$\{account\}/],
    [
      '${account} in the tags it looks for',
      at('fromTags', '"${account}-*"'),
      '"${account}',
      'invalid-pattern',
      /no \$\{account\}/,
    ],
    [
      '${account} where it looks',
      at('from', '"home/${account}"'),
      '"home',
      'invalid-pattern',
      /looks in one repository/,
    ],
    ['two ** where it stands', at('repositories', '"**/a/**"'), '"**/a', 'invalid-pattern', /at most one \*\*/],
    ['two ** where it looks', at('from', '"**/a/**"'), '"**/a', 'invalid-pattern', /at most one \*\*/],
    [
      'a star where it looks',
      at('from', '"integration/*"'),
      '"integration',
      'invalid-pattern',
      /looks in one repository/,
    ],
    [
      'a ** that stands for nothing',
      at('repositories', '"release/app"'),
      '"release',
      'invalid-pattern',
      /expected one \*\*/,
    ],
    [
      'one of several patterns',
      at('repositories', '"release/**", "other/app"'),
      '"other',
      'invalid-pattern',
      /expected one/,
    ],
    ['no pattern', at('repositories', '"Release/**"'), '"Release', 'invalid-pattern', /lower case/],
    ['no pattern of tags', at('tags', '"v**"'), '"v**', 'invalid-pattern', /single \*/],
    ['nowhere to look', at('from', ''), '[]', 'too-small', /./],
    ['nowhere to stand', at('repositories', ''), '[]', 'too-small', /./],
    ['no tag at all', at('tags', ''), '[]', 'too-small', /./],
    ['an unknown group', at('except', '"group:nobody"'), '"group', 'unknown-name', /nobody/],
    ['an unknown account', at('except', '"user:nobody"'), '"user', 'unknown-name', /nobody/],
    ['another match', `${whole}, match: name`, 'name }', 'invalid-value', /image, digest/],
    ['another mode', `${whole}, mode: audit`, 'audit', 'invalid-value', /enforce, shadow/],
    ['an unknown key', `${whole}, actions: [push]`, 'actions', 'unknown-key', /actions/],
    ['a key that is nearly right', `${whole}, fromTag: ["v*"]`, 'fromTag', 'unknown-key', /did you mean "fromTags"/],
    ['no name', whole.replace('name: g, ', ''), '{', 'missing-key', /name/],
    ['a name of other characters', whole.replace('name: g', 'name: "g/h"'), '"g/h"', 'invalid-value', /letters/],
    ['a key that is written twice', `${whole}, from : ["a/**"]`, 'from :', 'duplicate-key', /from/],
  ])('%s', (_what, entry, where, code, message) => {
    const text = gates(entry);
    const [problem = '', ...others] = problemsOf(text);
    const column = (text.split('\n')[2] ?? '').indexOf(where) + 1;
    expect([problem, others]).toEqual([problem, []]);
    expect(problem.split(' ').slice(0, 2).join(' ')).toBe(`0.yaml:3:${column} ${code}`);
    expect(problem).toMatch(message);
  });

  test('a name that another file has', () => {
    const [problem] = problemsOf(gates(whole), gates(whole));
    expect(problem).toMatch(/^1\.yaml:3:7 duplicate-\S+ .*gate.*"g".*0\.yaml:3/);
  });

  test('a name twice in one file', () => {
    expect(problemsOf(gates(whole, whole))).toEqual([expect.stringMatching(/^0\.yaml:4:7 duplicate/)]);
  });

  test('a map where a list has to be', () => {
    expect(problemsOf(`rules: []\ngates: { g: { ${whole} } }\n`)).toEqual([expect.stringMatching(/^0\.yaml:2:8 /)]);
  });
});

test('a gate and a rule may have the same name', () => {
  const rule = '{ name: g, subjects: [everyone], repositories: [a], actions: [pull] }';
  expect(problemsOf(gates(whole).replace('rules: []', `rules: [${rule}]`))).toEqual([]);
});
