import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { checkDocument } from '../../src/document/check.ts';
import { readYaml } from '../../src/document/yaml.ts';
import { growth } from '../support/cpu-time.ts';

const rule = z.strictObject({
  name: z.string(),
  effect: z.enum(['allow', 'deny']).optional(),
  actions: z.array(z.enum(['pull', 'push', 'delete'])).min(1),
  count: z.number().int().max(10).optional(),
  code: z
    .string()
    .regex(/^[a-z]+$/, 'must be lower-case letters')
    .optional(),
  strict: z.boolean().optional(),
  as: z.union([z.string(), z.strictObject({ user: z.string(), address: z.string().optional() })]).optional(),
  either: z.union([z.literal('on'), z.literal('off')]).optional(),
  when: z
    .discriminatedUnion('kind', [
      z.strictObject({ kind: z.literal('days'), days: z.array(z.string()) }),
      z.strictObject({ kind: z.literal('hours'), hours: z.string() }),
    ])
    .optional(),
  custom: z
    .string()
    .superRefine((_text, context) => {
      context.addIssue({ code: 'custom', message: 'not today', params: { code: 'too-early', fix: 'wait' } });
    })
    .optional(),
  worded: z.string({ error: 'expected a duration such as 15m' }).optional(),
});

const schema = z.strictObject({
  rules: z.array(rule).optional(),
  users: z
    .record(
      z.string().regex(/^[a-z]+$/, 'a user name has lower-case letters only'),
      z.strictObject({ groups: z.array(z.string()) }),
    )
    .optional(),
});

function problemsOf(text: string) {
  const reading = readYaml('p.yaml', text);
  if (!reading.ok) throw new Error(reading.problems[0]?.message);
  const checked = checkDocument(reading.document, schema);
  return checked.ok
    ? []
    : checked.problems.map(({ line, column, code, message, fix }) => ({ at: `${line}:${column}`, code, message, fix }));
}

/** One rule that is right but for what is added. */
function withRule(more: string): string {
  return `rules:\n  - name: a\n    actions: [pull]\n    ${more}\n`;
}

describe('every kind of mistake has a position, a path and plain words', () => {
  const cases: readonly (readonly [title: string, text: string, at: string, code: string, message: string])[] = [
    [
      'a value outside a choice',
      'rules: [{name: a, actions: [pull, psuh]}]',
      '1:35',
      'invalid-value',
      'rules[0].actions[1]: expected one of pull, push, delete — did you mean "push"?',
    ],
    [
      'a number in place of a choice',
      withRule('effect: 3'),
      '4:13',
      'invalid-value',
      'rules[0].effect: expected one of allow, deny, got the number 3',
    ],
    ['an unknown key at the top', 'ruels: []', '1:1', 'unknown-key', 'unknown key "ruels" — did you mean "rules"?'],
    [
      'an unknown key further in',
      withRule('efect: deny'),
      '4:5',
      'unknown-key',
      'rules[0]: unknown key "efect" — did you mean "effect"?',
    ],
    [
      'an unknown key below a free name',
      'users:\n  dana: {groups: [], gruops: []}',
      '2:22',
      'unknown-key',
      'users.dana: unknown key "gruops"',
    ],
    ['a missing key', 'rules:\n  - name: a\n', '2:5', 'missing-key', 'rules[0]: the key "actions" is missing'],
    ['an empty value', withRule('code:'), '4:5', 'invalid-value', 'rules[0].code: expected text, got nothing'],
    [
      'a number in place of text',
      'rules: [{name: 1, actions: [pull]}]',
      '1:16',
      'invalid-value',
      'rules[0].name: expected text, got the number 1',
    ],
    [
      'text in place of a list',
      'rules: [{name: a, actions: pull}]',
      '1:28',
      'invalid-value',
      'rules[0].actions: expected a list, got text',
    ],
    [
      'a list in place of a mapping',
      'users: [a]',
      '1:8',
      'invalid-value',
      'users: expected a mapping (key: value), got a list',
    ],
    [
      'text in place of a boolean',
      withRule('strict: yes'),
      '4:13',
      'invalid-value',
      'rules[0].strict: expected true or false, got text',
    ],
    [
      'an empty list',
      'rules: [{name: a, actions: []}]',
      '1:28',
      'too-small',
      'rules[0].actions: must have at least 1 entry',
    ],
    ['a number that is too big', withRule('count: 11'), '4:12', 'too-large', 'rules[0].count: must be at most 10'],
    [
      'a fraction',
      withRule('count: 1.5'),
      '4:12',
      'invalid-value',
      'rules[0].count: expected a whole number, got the number 1.5',
    ],
    [
      'text of the wrong shape',
      withRule('code: A'),
      '4:11',
      'invalid-value',
      'rules[0].code: must be lower-case letters',
    ],
    [
      'a bad name as a key',
      'users:\n  Dana: {groups: []}',
      '2:3',
      'bad-key',
      'users.Dana: a user name has lower-case letters only',
    ],
    [
      'a mistake inside one form of a choice of forms',
      withRule('as: {user: a, adress: b}'),
      '4:19',
      'unknown-key',
      'rules[0].as: unknown key "adress" — did you mean "address"?',
    ],
    [
      'a value that fits no form',
      withRule('as: 3'),
      '4:9',
      'invalid-value',
      'rules[0].as: expected text or a mapping (key: value), got the number 3',
    ],
    [
      'a word outside several literals',
      withRule('either: onn'),
      '4:13',
      'invalid-value',
      'rules[0].either: expected one of on, off — did you mean "on"?',
    ],
    [
      'an unknown form',
      withRule('when: {kind: day}'),
      '4:18',
      'invalid-value',
      'rules[0].when.kind: expected one of days, hours — did you mean "days"?',
    ],
    [
      'a mistake in a known form',
      withRule('when: {kind: days}'),
      '4:11',
      'missing-key',
      'rules[0].when: the key "days" is missing',
    ],
    ['a check of the schema itself', withRule('custom: x'), '4:13', 'too-early', 'rules[0].custom: not today'],
    [
      'a type the schema has its own words for',
      withRule('worded: 900'),
      '4:13',
      'invalid-value',
      'rules[0].worded: expected a duration such as 15m',
    ],
    [
      'an empty document in place of a mapping',
      '',
      '1:1',
      'invalid-value',
      'expected a mapping (key: value), got nothing',
    ],
  ];

  test.each(cases)('%s', (_title, text, at, code, message) => {
    expect(problemsOf(text)).toEqual([
      expect.objectContaining({ at, code, message: expect.stringContaining(message) as string }),
    ]);
  });
});

test('each unknown key is a problem of its own, in the order of the file', () => {
  expect(problemsOf('users: {}\nzzz: 1\nruels: []').map(({ at }) => at)).toEqual(['2:1', '3:1']);
});

test('an unknown key near nothing is answered with the keys there are', () => {
  expect(problemsOf('zzzzzz: 1')[0]?.fix).toBe('known here: rules, users');
});

test('a key that is already there is not suggested', () => {
  expect(problemsOf('rules: []\nruels: []')[0]?.message).toBe('unknown key "ruels"');
});

test('a fix comes with what a number or an empty value most likely lacks', () => {
  expect(problemsOf('rules: [{name: 1, actions: [pull]}]')[0]?.fix).toBe('put it in quotes');
  expect(problemsOf('users:')[0]?.fix).toBe('give it a value, or remove the line');
  expect(problemsOf(withRule('custom: x'))[0]?.fix).toBe('wait');
});

test('a valid document yields the schema output', () => {
  const reading = readYaml('p.yaml', withRule('effect: deny'));
  expect(reading.ok && checkDocument(reading.document, schema)).toEqual({
    ok: true,
    value: { rules: [{ name: 'a', actions: ['pull'], effect: 'deny' }] },
  });
});

test('names that every object inherits are unknown keys like others', () => {
  expect(problemsOf('toString: 1\nhasOwnProperty: 2').map(({ code }) => code)).toEqual(['unknown-key', 'unknown-key']);
});

test('a policy of 5,000 rules with a mistake in each is checked in linear time and answered with a short list', () => {
  const broken = (count: number): string => {
    const rules = Array.from(
      { length: count },
      (_, index) =>
        `  - name: rule-${index}\n    actions: [psuh]\n    subjects: [group:developers-${index}]\n    repositories: ["sandbox/team-${index}/**"]`,
    );
    return `rules:\n${rules.join('\n')}\n`;
  };
  const problems = problemsOf(broken(5_000));
  expect(problems.length).toBe(100);
  expect(problems[0]?.at).toBe('3:15');
  const check = (count: number): (() => void) => {
    const text = broken(count);
    return () => problemsOf(text);
  };
  // Six times the rules; each looked up among all would take thirty-six times as long.
  expect(growth(check(250), check(1_500), 5)).toBeLessThan(18);
});
