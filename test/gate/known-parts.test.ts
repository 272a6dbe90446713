import { expect, test } from 'vitest';
import { digestOf } from '../../src/distribution/digest.ts';
import { KnownParts } from '../../src/gate/known-parts.ts';

const indexWith = (number: number, mediaType: string): Buffer =>
  Buffer.from(JSON.stringify({ number, manifests: [{ digest: digestOf(Buffer.from('part')), mediaType }] }));

const remembered = (known: KnownParts, indexes: readonly Buffer[]): number =>
  indexes.filter((content) => known.of('app', digestOf(content)) !== undefined).length;

test('parts are remembered of one repository, not of another', () => {
  const known = new KnownParts();
  const index = indexWith(0, 'application/json');
  known.learn('app', index);
  expect(known.of('app', digestOf(index))?.map(({ digest }) => digest)).toEqual([digestOf(Buffer.from('part'))]);
  expect(known.of('other', digestOf(index))).toBeUndefined();
});

test('where there are too many the first are forgotten', () => {
  const known = new KnownParts();
  const parts = Array.from({ length: 999 }, (_, number) => ({
    digest: digestOf(Buffer.from(String(number))),
    mediaType: undefined,
  }));
  for (let number = 0; number < 200; number++) known.remember('app', `index ${number}`, parts);
  const left = Array.from({ length: 200 }, (_, number) => known.of('app', `index ${number}`) !== undefined);
  const forgotten = left.indexOf(true);
  expect(forgotten).toBeGreaterThan(50);
  expect(forgotten).toBeLessThan(100);
  expect(left.lastIndexOf(false)).toBe(forgotten - 1);
});

test('the indexes of a registry are remembered by the thousand', () => {
  const known = new KnownParts();
  const indexes = Array.from({ length: 10_000 }, (_, number) => indexWith(number, 'application/json'));
  for (const index of indexes) known.learn('app', index);
  expect(remembered(known, indexes)).toBe(10_000);
});

test.each([
  ['by a name of a million characters', 'x'.repeat(1_000_000)],
  ['by one of two bytes a character', '\u20ac'.repeat(1_000_000)],
])('indexes that call their parts %s take no more memory than others', (_what, mediaType) => {
  const known = new KnownParts();
  const indexes = Array.from({ length: 30 }, (_, number) => indexWith(number, mediaType));
  for (const index of indexes) known.learn('app', index);
  const left = remembered(known, indexes);
  expect(left).toBeGreaterThan(10);
  expect(left).toBeLessThan(20);
  expect(remembered(known, indexes.slice(-left))).toBe(left);
});
