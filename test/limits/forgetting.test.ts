import fc from 'fast-check';
import { expect, test } from 'vitest';
import { toForget } from '../../src/limits/forgetting.ts';

const site = (n: number): string => `pulls\naddress\n2001:db8:1:${n.toString(16)}::/64`;

test('all networks of one site are one owner, whose least recent counters go first', () => {
  const counters = ['pulls\nuser\ndana', site(1), 'pulls\naddress\n192.0.2.1', site(2), site(3)];
  expect(toForget(counters, 4)).toEqual([site(1)]);
  expect(toForget(counters, 3)).toEqual([site(1), site(2)]);
});

test('nothing is forgotten while all fit; of owners with one each the least recent', () => {
  const counters = ['a', 'b', 'c'].map((name) => `pulls\nuser\n${name}`);
  expect(toForget(counters, 3)).toEqual([]);
  expect(toForget(counters, 1)).toEqual(counters.slice(0, 2));
});

test('exactly the excess goes, and nobody pays who has less than an equal share', () => {
  const owner = fc.nat({ max: 6 });
  fc.assert(
    fc.property(fc.array(owner, { maxLength: 60, size: 'max' }), fc.nat({ max: 60 }), (owners, kept) => {
      const counters = owners.map((name, n) => `limit-${n}\nuser\n${name}`);
      const forgotten = toForget(counters, kept);
      expect(forgotten).toHaveLength(Math.max(0, counters.length - kept));
      const share = Math.floor(kept / new Set(owners).size);
      for (const name of new Set(owners)) {
        const own = counters.filter((counter) => counter.endsWith(`\n${name}`));
        const gone = own.filter((counter) => forgotten.includes(counter));
        expect(gone).toEqual(own.slice(0, gone.length));
        expect(own.length - gone.length).toBeGreaterThanOrEqual(Math.min(own.length, share));
      }
    }),
  );
});
