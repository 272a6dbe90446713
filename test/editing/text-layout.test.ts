/** What the quick reader says about where things stand is what the whole parser says. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { readYaml } from '../../src/document/yaml.ts';
import { type Value, applySplices, layoutOf, wholeRootOf } from '../../src/editing/layout.ts';
import { tameYaml } from '../document/near-plain-yaml.ts';
import { sized } from '../support/size.ts';

/** With what a scalar would be replaced by in the place of the function that says it. */
function told(value: Value | undefined): unknown {
  if (value === undefined) return undefined;
  if (value.kind === 'scalar') return { value: value.value, splices: value.replaceWith('new') };
  if (value.kind === 'list')
    return { ...value, items: value.items.map((item) => ({ ...item, value: told(item.value) })) };
  return { ...value, entries: value.entries.map((entry) => ({ ...entry, value: told(entry.value) })) };
}

function expectSame(text: string): void {
  const reading = readYaml('', text);
  if (!reading.ok) return;
  expect(told(layoutOf(text).root)).toEqual(told(wholeRootOf(text)));
}

test.each([
  'a: 1\n',
  'users:\n  dana: { groups: [a, b] } # c\n  theo:\n    groups: [x]   # y\n\ngroups: { a: {}, "9": {}, "1": {} }\n',
  'users:\n  dana:\n  theo: # c\nrules:\n- a\n-  b: c\n   d:\n  # deeper\ntests: []\n',
  "'9': a\n'1': b\nlast:",
  'a: \nb:   # c\nc:',
  'a:\n- b:\n# of the list, whose dashes stand under its key\n',
  'a:\n- b:\n# of the list or of c\nc: 1\n',
])('the layout of %j', (text) => {
  expectSame(text);
});

test('what is written where nothing stood is a value of that key', () => {
  for (const text of ['b:', 'b: \nc: 1\n', 'b:   # c\n', "a: 1\n'b':\n# of whom it is\nc: 1\n"]) {
    for (const root of [layoutOf(text).root, wholeRootOf(text)]) {
      const value = root?.entries.find(({ key }) => key === 'b')?.value;
      expect(value?.kind).toBe('scalar');
      const written = value?.kind === 'scalar' ? applySplices(text, value.replaceWith('new')) : '';
      expect(readYaml('', written)).toMatchObject({ ok: true, document: { value: { b: 'new' } } });
    }
  }
});

test('of any text that can be edited', () => {
  fc.assert(fc.property(tameYaml, expectSame), { numRuns: Number(process.env['RUNS'] ?? sized(3000)) });
});
