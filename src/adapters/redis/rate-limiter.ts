/**
 * Budgets in Redis, for any number of gateways: one command a request. What Redis said last is kept here as well. While it
 * is away this process goes on from there and counts each request once for every gateway known, so that all of them
 * together let through no more than the limit. When Redis is back, what was counted here is the least that it may say:
 * neither an outage nor a Redis that has lost its memory gives anybody a fresh budget.
 */
import { toForget } from '../../limits/forgetting.ts';
import type { Balance, Budget, RateLimiter } from '../../ports.ts';
import { balanceOf, createMemoryBudgets } from '../memory/rate-limiter.ts';
import type { RedisConnection } from './connection.ts';
import { budgetKey, owingKey } from './keys.ts';
import { chargeBudgets, listOwing, raiseBudgets, readBudgets } from './limit-scripts.ts';
import { createTelling } from './telling.ts';

export interface RedisRateLimiterOptions {
  /** How many gateways there are, as far as is known. */
  readonly gateways: () => number;
}

const raisedAtOnce = 500;
/** As many as this process keeps. */
const maxAhead = 50_000;
/** A balance that is shown, not charged, may be this old. */
const peekMs = 5000;

/** Never rejects: without Redis the balances are of this process. */
export function createRedisRateLimiter(
  connection: Pick<RedisConnection, 'calls' | 'onReady'>,
  { gateways }: RedisRateLimiterOptions,
): RateLimiter & { /** Requests counted by this process alone. */ readonly fallbacks: () => number } {
  const calls = connection.calls();
  const local = createMemoryBudgets(() => Math.floor(performance.now() * 1000));
  /** Counters of which Redis may know less than this process -> µs of a full burst, the most that it is told. */
  const ahead = new Map<string, number>();
  /** Counter -> when Redis last told its balance. */
  const told = new Map<string, number>();
  const telling = createTelling(raise);
  let isAway = false;
  let fallbacks = 0;

  /** `sentUs`: what Redis was told with the question. */
  function learn({ counter }: Budget, debtUs: number, sentUs = 0): void {
    // Counted here since it was asked: this answer is too old.
    if (ahead.has(counter) && local.debtOf(counter) > sentUs) return;
    local.learn(counter, debtUs);
    ahead.delete(counter);
    told.delete(counter);
    told.set(counter, performance.now());
    const [oldest] = told;
    if (told.size > 10_000 && oldest !== undefined) told.delete(oldest[0]);
  }

  function markAhead(counter: string, fullUs: number): void {
    ahead.set(counter, fullUs);
    if (ahead.size <= maxAhead) return;
    for (const forgotten of toForget([...ahead.keys()], Math.floor(maxAhead * 0.9))) ahead.delete(forgotten);
  }

  /** What was not charged since is what Redis said, which is no more than a burst. */
  function markAllAhead(): void {
    for (const { counter } of local.entries()) markAhead(counter, ahead.get(counter) ?? Infinity);
  }

  /** What Redis may have missed or lost. False when it does not answer. */
  async function raise(): Promise<boolean> {
    while (ahead.size > 0) {
      const counters = [...ahead.keys()].slice(0, raisedAtOnce);
      const debts = counters.map((counter) => local.debtOf(counter));
      const sent = debts.map((debtUs, index) => Math.min(debtUs, ahead.get(counters[index] ?? '') ?? Infinity));
      if (!(await calls.run(raiseBudgets, counters.map(budgetKey), sent)).ok) return false;
      for (const [index, counter] of counters.entries()) {
        if (local.debtOf(counter) > (debts[index] ?? 0)) continue;
        ahead.delete(counter);
        local.learn(counter, Math.min(local.debtOf(counter), sent[index] ?? 0));
      }
    }
    return true;
  }

  connection.onReady(() => {
    markAllAhead();
    telling.now();
  });

  return {
    async charge(budgets) {
      const sent = budgets.map(({ counter }) => (ahead.has(counter) ? local.debtOf(counter) : 0));
      const values = budgets.flatMap(({ counter, intervalUs, burst, isEnforced }, index) => [
        counter,
        intervalUs,
        burst,
        isEnforced ? 1 : 0,
        sent[index] ?? 0,
      ]);
      const keys = [...budgets.map(({ counter }) => budgetKey(counter)), owingKey];
      const answer = await calls.run(chargeBudgets, keys, values);
      const numbers = answer.ok && Array.isArray(answer.reply) ? answer.reply.map(Number) : [];
      if (numbers.length !== 1 + 2 * budgets.length) {
        fallbacks += 1;
        // A node of a cluster goes and comes back empty while the connection as a whole stays ready.
        if (!isAway && calls.isCut()) {
          isAway = true;
          markAllAhead();
        }
        for (const { counter, intervalUs, burst } of budgets) markAhead(counter, intervalUs * burst);
        telling.soon();
        return local.charge(budgets, gateways());
      }
      isAway = false;
      if (ahead.size > 0) telling.now();
      const balances = budgets.map((budget, index): Balance => {
        const debtUs = numbers[2 + 2 * index] ?? 0;
        learn(budget, debtUs, sent[index]);
        return balanceOf(numbers[1 + 2 * index] === 1, debtUs, budget, 1);
      });
      return { admitted: numbers[0] === 1, balances };
    },

    async peek(budgets) {
      const now = performance.now();
      const isFresh = budgets.every(({ counter }) => now - (told.get(counter) ?? -Infinity) < peekMs);
      if (isFresh) return local.peek(budgets, 1);
      const answer = await calls.run(
        readBudgets,
        budgets.map(({ counter }) => budgetKey(counter)),
      );
      const debts = answer.ok && Array.isArray(answer.reply) ? answer.reply.map(Number) : undefined;
      if (debts === undefined) return local.peek(budgets, gateways());
      for (const [index, budget] of budgets.entries()) learn(budget, debts[index] ?? 0);
      return local.peek(budgets, 1);
    },

    async owing() {
      const answer = await calls.run(listOwing, [owingKey]);
      if (!answer.ok || !Array.isArray(answer.reply)) return { ok: false, reason: 'unavailable' };
      const flat: readonly unknown[] = answer.reply;
      return {
        ok: true,
        owing: flat.flatMap((counter, at) =>
          at % 2 === 0 ? [{ counter: String(counter), debtUs: Number(flat[at + 1]) }] : [],
        ),
      };
    },

    fallbacks: () => fallbacks,
  };
}
