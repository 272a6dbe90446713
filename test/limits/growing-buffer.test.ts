import fc from 'fast-check';
import { expect, test } from 'vitest';
import { GrowingBuffer } from '../../src/limits/growing-buffer.ts';
import { createMemoryBudget } from '../../src/limits/memory-budget.ts';

const open = (total: number): GrowingBuffer =>
  new GrowingBuffer(createMemoryBudget({ total, each: total }).open('dana'), 100_000);

test('holds what came, in whatever pieces', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 9000 }), { maxLength: 10 }), (pieces) => {
      const buffer = open(1_000_000);
      for (const piece of pieces) expect(buffer.add(Buffer.from(piece))).toBeUndefined();
      expect(buffer.content.equals(Buffer.concat(pieces))).toBe(true);
    }),
  );
});

test('keeps nothing of a chunk whose memory is used again', () => {
  const buffer = open(1_000_000);
  const chunk = Buffer.from('one');
  buffer.add(chunk);
  chunk.fill(0);
  expect(buffer.content.toString()).toBe('one');
});

test('says what does not fit: more than it may hold, or more than there is room for', () => {
  expect(open(1_000_000).add(Buffer.alloc(100_001))).toBe('too_large');
  expect(open(1_000_000).add(Buffer.alloc(100_000))).toBeUndefined();
  const short = open(40_000);
  expect(short.add(Buffer.alloc(30_000))).toBeUndefined();
  expect(short.add(Buffer.alloc(10_000))).toBe('no_memory');
  expect(short.content.length).toBe(0);
});

test('is counted by what is set aside, not by what arrived', () => {
  const budget = createMemoryBudget({ total: 32_768, each: 32_768 });
  const [one, two, three] = ['a', 'b', 'c'].map((who) => new GrowingBuffer(budget.open(who), 100_000));
  expect([one, two, three].map((buffer) => buffer?.add(Buffer.from('x')))).toEqual([undefined, undefined, 'no_memory']);
});
