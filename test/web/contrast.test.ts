/** The colours of the style sheet, computed: WCAG 2.2, 1.4.3 for text (4.5) and 1.4.11 for edges (3). */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';

const sheet = readFileSync(new URL('../../src/assets/page.css', import.meta.url), 'utf8');
const themes = [...sheet.matchAll(/:root \{([^}]*)\}/g)].map(
  ([, block = '']) =>
    new Map([...block.matchAll(/--([\w-]+): (#[0-9a-f]{6})/g)].map(([, name = '', colour = '']) => [name, colour])),
);

/** What stands on what. */
const pairs: readonly (readonly [front: string, back: string, least: number])[] = [
  ...['bg', 'raised'].flatMap((back) => ['text', 'muted', 'link'].map((front) => [front, back, 4.5] as const)),
  ...['yes', 'no', 'some'].flatMap((state) => [
    [state, 'bg', 4.5] as const,
    [state, `${state}-bg`, 4.5] as const,
    ['text', `${state}-bg`, 4.5] as const,
    ['link', `${state}-bg`, 4.5] as const,
    ['muted', `${state}-bg`, 4.5] as const,
  ]),
  ['on-accent', 'link', 4.5],
  ['edge', 'bg', 3],
];

function luminance(colour: string): number {
  const [red = 0, green = 0, blue = 0] = [1, 3, 5]
    .map((at) => parseInt(colour.slice(at, at + 2), 16) / 255)
    .map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4));
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

function contrast(left: string, right: string): number {
  const [light = 0, dark = 0] = [luminance(left), luminance(right)].sort((a, b) => b - a);
  return (light + 0.05) / (dark + 0.05);
}

test('there are two themes of the same colours', () => {
  expect(themes).toHaveLength(2);
  expect([...(themes[1]?.keys() ?? [])].sort()).toEqual([...(themes[0]?.keys() ?? [])].sort());
});

describe.each(['light', 'dark'].map((name, at) => ({ name, theme: themes[at] ?? new Map<string, string>() })))(
  'in the $name theme',
  ({ theme }) => {
    test.each(pairs)('%s on %s has at least %d', (front, back, least) => {
      expect(contrast(theme.get(front) ?? '', theme.get(back) ?? '')).toBeGreaterThanOrEqual(least);
    });
  },
);

test('no rule names a colour of its own: both themes would need it', () => {
  const rules = sheet.replace(/:root \{[^}]*\}/g, '').replace(/\/\*.*?\*\//gs, '');
  expect(rules.match(/#[0-9a-f]{3,8}\b|\brgba?\(|\bhsla?\(/gi) ?? []).toEqual([]);
});
