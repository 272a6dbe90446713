/** Budgets of one process: the whole of them without Redis, and what is gone on with while Redis is away. */
import { toForget } from '../../limits/forgetting.ts';
import { charge, owedOf, roomOf } from '../../limits/gcra.ts';
import type { Balance, Budget, RateLimiter } from '../../ports.ts';
import { isOwingMuch, maxOwing } from '../bounds.ts';
import { Recent } from '../recent.ts';

/** Counters kept; beyond them those of whoever has the most are forgotten, the least recently charged first. Some ten MiB. */
const maxCounters = 50_000;

/** `nowUs`: microseconds on a clock that nobody sets. */
export function createMemoryBudgets(nowUs: () => number, limit = maxCounters) {
  /** Counter -> when it owes nothing any more; in the order of the last charge. */
  const fullAt = new Map<string, number>();

  function debtOf(counter: string, now: number): number {
    return Math.max(0, (fullAt.get(counter) ?? 0) - now);
  }

  function set(counter: string, until: number, now: number): void {
    fullAt.delete(counter);
    if (until <= now) return;
    fullAt.set(counter, until);
    if (fullAt.size > limit) shrink(now);
  }

  /** A tenth at once, so that it is rare. */
  function shrink(now: number): void {
    for (const [counter, until] of fullAt) if (until <= now) fullAt.delete(counter);
    for (const counter of toForget([...fullAt.keys()], Math.floor(limit * 0.9))) fullAt.delete(counter);
  }

  return {
    /** As `RateLimiter.charge`; each request counts `cost` times. */
    charge: (budgets: readonly Budget[], cost: number) => {
      const now = nowUs();
      const results = budgets.map((budget) => ({ budget, ...charge(debtOf(budget.counter, now), budget, cost) }));
      const admitted = results.every(({ budget, fits }) => fits || !budget.isEnforced);
      const balances = results.map(({ budget, fits, debtUs }) => {
        // Also what did not fit: it owes no more than the limit as it is now.
        if (admitted || !fits) set(budget.counter, now + debtUs, now);
        return balanceOf(fits, debtOf(budget.counter, now), budget, cost);
      });
      return { admitted, balances };
    },
    peek: (budgets: readonly Budget[], cost: number): readonly Balance[] => {
      const now = nowUs();
      return budgets.map((budget) => {
        const debtUs = debtOf(budget.counter, now);
        return balanceOf(charge(debtUs, budget, cost).fits, debtUs, budget, cost);
      });
    },
    /** Takes over what another store says. */
    learn(counter: string, debtUs: number): void {
      const now = nowUs();
      set(counter, now + debtUs, now);
    },
    debtOf: (counter: string) => debtOf(counter, nowUs()),
    /** Every counter that owes something, the least recently charged first. */
    entries() {
      const now = nowUs();
      return [...fullAt].flatMap(([counter, until]) => (until > now ? [{ counter, debtUs: until - now }] : []));
    },
  };
}

/** `debtUs` as after this charge, in microseconds; what a refused charge asked for stays out of it. */
export function balanceOf(fits: boolean, debtUs: number, budget: Budget, cost: number): Balance {
  return { fits, debtUs: owedOf(debtUs, budget, cost), ...roomOf(debtUs, budget, cost) };
}

/** `nowUs`: microseconds that only grow. */
export function createMemoryRateLimiter(nowUs: () => number): RateLimiter {
  const budgets = createMemoryBudgets(nowUs);
  /** Counters that owed much at their last charge. */
  const owing = new Recent<true>(maxOwing);
  return {
    charge(charged) {
      const result = budgets.charge(charged, 1);
      for (const [index, budget] of charged.entries()) {
        if (isOwingMuch(result.balances[index]?.debtUs ?? 0, budget)) owing.set(budget.counter, true);
        else owing.delete(budget.counter);
      }
      return Promise.resolve(result);
    },
    peek: (looked) => Promise.resolve(budgets.peek(looked, 1)),
    owing() {
      const found = [...owing.entries()].map(([counter]) => ({ counter, debtUs: budgets.debtOf(counter) }));
      for (const { counter, debtUs } of found) if (debtUs === 0) owing.delete(counter);
      return Promise.resolve({
        ok: true,
        owing: found.filter(({ debtUs }) => debtUs > 0).sort((left, right) => right.debtUs - left.debtUs),
      });
    },
  };
}
