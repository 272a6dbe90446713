import { describe, expect, test } from 'vitest';
import { createMemoryBudgets, createMemoryRateLimiter } from '../../src/adapters/memory/rate-limiter.ts';
import type { Budget } from '../../src/ports.ts';
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

  test('of one /48 push out nobody else’s, however many networks it comes from', () => {
    const budgets = createMemoryBudgets(() => 0, 1000);
    const perAddress = (network: string): Budget => ({
      ...budgetOf('', 3600, 1),
      counter: `pulls\naddress\n${network}`,
    });
    const others = [budgetOf('dana', 3600, 1), perAddress('192.0.2.1'), perAddress('2001:db8:2::/64')];
    for (const budget of others) budgets.charge([budget], 1);
    for (let n = 1; n < 5000; n++) budgets.charge([perAddress(`2001:db8:1:${n.toString(16)}::/64`)], 1);
    for (const { counter } of others) expect(budgets.debtOf(counter)).toBeGreaterThan(0);
    expect(budgets.entries().length).toBeLessThanOrEqual(1000);
    expect(budgets.entries().at(-1)?.counter).toContain((4999).toString(16));
  });

  test('list a thousand at most of those that owe much', async () => {
    const limiter = createMemoryRateLimiter(() => 0);
    for (let n = 0; n < 1200; n++) await limiter.charge([budgetOf(`user-${n}`, 3600, 1)]);
    const listed = await limiter.owing();
    expect(listed.ok && listed.owing.length).toBe(1000);
  });
});
