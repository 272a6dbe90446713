import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createMemoryBudget } from '../../src/limits/memory-budget.ts';

test('never more than the total, nor more than its share for one account, and all of it is there again at the end', () => {
  const step = fc.record({ account: fc.constantFrom('dana', 'rita', 'tess'), bytes: fc.integer({ min: 1, max: 40 }) });
  fc.assert(
    fc.property(fc.array(fc.oneof(step, fc.constant('close' as const)), { maxLength: 60, size: 'max' }), (steps) => {
      const budget = createMemoryBudget({ total: 100, each: 50 });
      const open: { account: string; bytes: number; close: () => void }[] = [];
      const heldBy = (account?: string): number =>
        open.reduce((sum, share) => sum + (account === undefined || share.account === account ? share.bytes : 0), 0);
      for (const next of steps) {
        if (next === 'close') {
          const share = open.shift();
          share?.close();
          share?.close();
          continue;
        }
        const share = budget.open(next.account);
        const fits = heldBy() + next.bytes <= 100 && heldBy(next.account) + next.bytes <= 50;
        expect(share.grow(next.bytes)).toBe(fits);
        if (fits) open.push({ ...next, close: share.close });
      }
      for (const { close } of open) close();
      expect(budget.open('dana').grow(50)).toBe(true);
      expect(budget.open('rita').grow(50)).toBe(true);
      expect(budget.open('tess').grow(1)).toBe(false);
    }),
  );
});
