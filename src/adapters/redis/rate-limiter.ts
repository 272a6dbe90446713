/**
 * Budgets in Redis, for any number of gateways: one command a request. What Redis said last is kept here as well. While it
 * is away this process goes on from there and counts each request once for every gateway known, so that all of them
 * together let through no more than the limit. When Redis is back, what was counted here is the least that it may say:
 * neither an outage nor a Redis that has lost its memory gives anybody a fresh budget.
 */
import type { Balance, Budget, RateLimiter } from '../../ports.ts';
import { balanceOf } from '../memory/rate-limiter.ts';
import { unavailable } from '../session-limits.ts';
import { type RedisConnection, listOf } from './connection.ts';
import { budgetKey, owingKey } from './keys.ts';
import { KnownBudgets } from './known-budgets.ts';
import { chargeBudgets, listOwing, readBudgets } from './limit-scripts.ts';
import { Runs } from '../runs.ts';

/** A balance that is shown, not charged, may be this old. */
const peekMs = 5000;
/** Something was missed, and nobody knows when the next call comes. */
const retellMs = 1000;

/** Never rejects: without Redis the balances are of this process. `gateways`: how many there are, as far as is known. */
export function createRedisRateLimiter(
  connection: Pick<RedisConnection, 'calls' | 'onReady'>,
  gateways: () => number,
): RateLimiter & { /** Requests counted by this process alone. */ readonly fallbacks: () => number } {
  const calls = connection.calls();
  const known = new KnownBudgets();
  const telling = new Runs(async () => ((await known.tell(calls)) ? undefined : retellMs));
  let isAway = false;
  let fallbacks = 0;

  function chargeAlone(budgets: readonly Budget[]): ReturnType<KnownBudgets['charge']> {
    fallbacks += 1;
    // A node of a cluster goes and comes back empty while the connection as a whole stays ready.
    if (!isAway && calls.isCut()) {
      isAway = true;
      known.missAll();
    }
    known.miss(budgets);
    telling.soon(retellMs);
    return known.charge(budgets, gateways());
  }

  connection.onReady(() => {
    known.missAll();
    void telling.now();
  });

  return {
    async charge(budgets) {
      const sent = budgets.map(({ counter }) => known.beyond(counter));
      const values = budgets.flatMap((budget, index) => valuesOf(budget, sent[index] ?? 0));
      const numbers = listOf(await calls.run(chargeBudgets, [...keysOf(budgets), owingKey], values))?.map(Number);
      if (numbers?.length !== 1 + 2 * budgets.length) return chargeAlone(budgets);
      isAway = false;
      if (known.isAhead) void telling.now();
      const balances = budgets.map((budget, index): Balance => {
        const debtUs = numbers[2 + 2 * index] ?? 0;
        known.learn(budget.counter, debtUs, sent[index]);
        return balanceOf(numbers[1 + 2 * index] === 1, debtUs, budget, 1);
      });
      return { admitted: numbers[0] === 1, balances };
    },

    async peek(budgets) {
      if (known.isFresh(budgets, peekMs)) return known.peek(budgets, 1);
      const debts = listOf(await calls.run(readBudgets, keysOf(budgets)))?.map(Number);
      if (debts === undefined) return known.peek(budgets, gateways());
      for (const [index, { counter }] of budgets.entries()) known.learn(counter, debts[index] ?? 0);
      return known.peek(budgets, 1);
    },

    async owing() {
      const flat = listOf(await calls.run(listOwing, [owingKey]));
      return flat === undefined ? unavailable : { ok: true, owing: readOwing(flat) };
    },

    fallbacks: () => fallbacks,
  };
}

function keysOf(budgets: readonly Budget[]): readonly string[] {
  return budgets.map(({ counter }) => budgetKey(counter));
}

/** As `chargeBudgets` takes them. */
function valuesOf({ counter, intervalUs, burst, isEnforced }: Budget, sentUs: number): readonly (string | number)[] {
  return [counter, intervalUs, burst, isEnforced ? 1 : 0, sentUs];
}

/** The answer of `listOwing`. */
function readOwing(flat: readonly unknown[]): readonly { readonly counter: string; readonly debtUs: number }[] {
  return flat.flatMap((counter, at) =>
    at % 2 === 0 ? [{ counter: String(counter), debtUs: Number(flat[at + 1]) }] : [],
  );
}
