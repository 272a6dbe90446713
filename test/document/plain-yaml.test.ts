import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { readPlainYaml } from '../../src/document/plain-yaml.ts';
import { type Planted, Findings, readWholeYaml } from '../../src/document/whole-yaml.ts';
import { nearPlainYaml } from './near-plain-yaml.ts';
import { sized } from '../support/size.ts';

const shipped = new URL('../../policies/', import.meta.url).pathname;
const policies = readdirSync(shipped)
  .filter((name) => name.endsWith('.yaml'))
  .map((name) => readFileSync(join(shipped, name), 'utf8'));

const everyForm = `# comment
a: 1   # number
b-c.d: text with spaces # comment
'quoted key': 'it is: "so"'
"double": "x # y"
empty:
words: [~, null, true, False, 007, 12, text, 2027-01-01, 10.0.0.0/8, -x, a:b, a#b, ]
nested:
  deeper: {}
  list:
    # before
    - one
    - name: two
      rights: [ 'pull', "push" ]
      when: { after: 2026-12-24T00:00:00Z, tags: [v*, "*"], none: [] }

    # between
    - three: {a: b}
    - {a: b, c: {d: e}}
    - [a, [b, c]]
  # behind
same:
- x
- y: z
  w: v
last: end
`;

interface Place {
  readonly value: unknown;
  readonly offset: number;
  readonly keyOffset: number;
  readonly children: readonly (readonly [string | number, Place])[];
}

/** A value with where everything in it stands. */
function placesOf({ value, offset, keyOffset, children }: Planted): Place {
  const entries: readonly (readonly [string, Planted])[] = Object.entries(children ?? {});
  return { value, offset, keyOffset, children: entries.map(([key, child]) => [key, placesOf(child)] as const) };
}

/** What both readers make of it; `plain` is undefined where the quick one leaves it to the other. */
function readBoth(text: string): { readonly plain: Place | undefined; readonly whole: Place | 'refused' } {
  const plain = readPlainYaml(text)?.root;
  const whole = readWholeYaml(text, new Findings('', () => ({ line: 0, column: 0 })));
  return { plain: plain && placesOf(plain), whole: whole === undefined ? 'refused' : placesOf(whole) };
}

describe('the quick reader', () => {
  test.each([...policies, everyForm.replace('007', '7')])('reads what policy files are made of', (text) => {
    const { plain, whole } = readBoth(text);
    expect(plain).toBeDefined();
    expect(plain).toEqual(whole);
  });

  test.each([
    ['a key that is written twice', 'a: 1\na: 2\n'],
    ['an alias', 'a: *b\n'],
    ['a pattern without quotes', 'a: [**/x]\n'],
    ['a tag', 'a: !x y\n'],
    ['a bare word in braces', 'a: { p: $argon2id$m=1,t=2 }\n'],
    ['a second document', 'a: 1\n---\nb: 1\n'],
    ['a key that is a number', '1: a\n'],
    ['a merge key', '<<: { a: b }\n'],
    ['a prototype', 'constructor: 1\n'],
    ['an escape', 'a: "\\u0000"\n'],
    ['two keys in a line', 'a: b: c\n'],
    ['an open list', 'a: [b\n'],
    ['wrong indentation', 'a:\n    b: 1\n  c: 1\n'],
    ['text after a list', 'a: [b] c\n'],
    ['text over two lines', 'a: b\n  c\n'],
    ['nothing', ''],
    ['comments', '# x\n'],
    ['a list', '- a\n'],
  ])('leaves %s to the whole one', (_title, text) => {
    expect(readPlainYaml(text)).toBeUndefined();
  });

  const lines = everyForm.split('\n');
  const pieces = [
    ...':#-?,[]{}\'"!&*|>%@`\\ \n~$.0',
    ': ',
    ' #',
    '- ',
    '  ',
    '\n  ',
    '\n- ',
    'a: b',
    '---\n',
    '...\n',
    '<<: ',
    '{a: b}',
    'null',
    '1e3',
    '0x1f',
    '.5',
    '\u00e9',
  ];
  const change = fc.record({
    at: fc.nat(),
    removed: fc.oneof(fc.constant(0), fc.nat(3), fc.nat(40)),
    put: fc.oneof(
      fc.constant(''),
      fc.constantFrom(...pieces),
      fc.constantFrom(...lines).map((line) => `\n${line}`),
    ),
  });
  const changed = (whole: string, changes: readonly { at: number; removed: number; put: string }[]): string =>
    changes.reduce((text, { at, removed, put }) => {
      const offset = at % (text.length + 1);
      return text.slice(0, offset) + put + text.slice(offset + removed);
    }, whole);

  test('says the same as the whole one about every text that it answers for, to the offset', () => {
    const [areas = '', ...others] = policies;
    const start = fc.constantFrom(
      everyForm.replace('007', '7'),
      ...others,
      areas.slice(-3000),
      'a: b\n',
      'a:\n  - b: c\n    d: [e]\n',
    );
    const text = fc.oneof(
      fc
        .tuple(start, fc.array(change, { minLength: 1, maxLength: 4 }))
        .map(([from, changes]) => changed(from, changes)),
      fc.array(fc.constantFrom(...pieces, ...lines), { maxLength: 8 }).map((parts) => parts.join('')),
      fc.array(fc.constantFrom(...lines), { maxLength: 8 }).map((parts) => parts.join('\n')),
    );
    fc.assert(
      fc.property(fc.oneof(text, nearPlainYaml), (given) => {
        const { plain, whole } = readBoth(given);
        if (plain !== undefined) expect(plain).toEqual(whole);
      }),
      { numRuns: Number(process.env['RUNS'] ?? sized(3000)) },
    );
  });
});
