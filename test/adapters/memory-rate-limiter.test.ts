import { describe, expect, test } from 'vitest';
import { createMemoryBudgets, createMemoryRateLimiter } from '../../src/adapters/memory/rate-limiter.ts';
import { budgetOf, describeRateLimiter } from './rate-limiter.contract.ts';

describe('budgets in this process', () => {
  describeRateLimiter(() => {
    let now = 0;
    let limiter = createMemoryRateLimiter(() => now);
    return Promise.resolve({
      limiter: {
        charge: (budgets) => limiter.charge(budgets),
        peek: (budgets) => limiter.peek(budgets),
        owing: () => limiter.owing(),
      },
      elapse(seconds) {
        now += seconds * 1_000_000;
        return Promise.resolve();
      },
      kept: () => Promise.resolve(0),
      clear() {
        limiter = createMemoryRateLimiter(() => now);
        return Promise.resolve();
      },
      close: () => Promise.resolve(),
    });
  });

  test('are bounded in number: of 100,000 counters the least recently charged are forgotten', () => {
    const budgets = createMemoryBudgets(() => 0);
    for (let n = 0; n < 100_000; n++) budgets.charge([budgetOf(`address-${n}`, 3600, 1)], 1);
    const kept = budgets.entries();
    expect(kept.length).toBeLessThanOrEqual(50_000);
    expect(kept.at(-1)?.counter).toContain('address-99999');
    expect(budgets.debtOf(budgetOf('address-0', 3600, 1).counter)).toBe(0);
  });

  test('forget first whoever owes nothing any more', () => {
    let now = 0;
    const budgets = createMemoryBudgets(() => now, 100);
    const held = budgetOf('held', 3600, 1);
    budgets.charge([held], 1);
    for (let n = 0; n < 1000; n++) {
      now += 2_000_000;
      budgets.charge([budgetOf(`passing-${n}`, 1, 1)], 1);
    }
    expect(budgets.debtOf(held.counter)).toBeGreaterThan(0);
  });

  test('list a thousand at most of those that owe much', async () => {
    const limiter = createMemoryRateLimiter(() => 0);
    for (let n = 0; n < 1200; n++) await limiter.charge([budgetOf(`user-${n}`, 3600, 1)]);
    const listed = await limiter.owing();
    expect(listed.ok && listed.owing.length).toBe(1000);
  });
});
