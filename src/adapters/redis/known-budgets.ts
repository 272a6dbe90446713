/** What this process knows of budgets in Redis: what Redis said last, and what was counted here that Redis may have missed. */
import { toForget } from '../../limits/forgetting.ts';
import type { Budget } from '../../ports.ts';
import { createMemoryBudgets } from '../memory/rate-limiter.ts';
import { Recent } from '../recent.ts';
import type { RedisCalls } from './connection.ts';
import { budgetKey } from './keys.ts';
import { raiseBudgets } from './limit-scripts.ts';

/** As many as this process keeps. */
const maxAhead = 50_000;
const maxTold = 10_000;
const raisedAtOnce = 500;

export class KnownBudgets {
  readonly #local = createMemoryBudgets(() => Math.floor(performance.now() * 1000));
  /** Counters of which Redis may know less than this process -> µs of a full burst, the most that it is told. */
  readonly #ahead = new Map<string, number>();
  /** Counter -> when Redis last told its balance. */
  readonly #told = new Recent<number>(maxTold);

  readonly charge = this.#local.charge;
  readonly peek = this.#local.peek;

  get isAhead(): boolean {
    return this.#ahead.size > 0;
  }

  /** What Redis is to be told of a counter when it is asked about it: µs, 0 where it knows. */
  beyond(counter: string): number {
    return this.#ahead.has(counter) ? this.#local.debtOf(counter) : 0;
  }

  /** Whether Redis has told the balances of all of them within the last `ageMs`. */
  isFresh(budgets: readonly Budget[], ageMs: number): boolean {
    const now = performance.now();
    return budgets.every(({ counter }) => now - (this.#told.get(counter) ?? -Infinity) < ageMs);
  }

  /** Redis' answer. `sentUs`: what it was told with the question. */
  learn(counter: string, debtUs: number, sentUs = 0): void {
    // Counted here since it was asked: this answer is too old.
    if (this.#ahead.has(counter) && this.#local.debtOf(counter) > sentUs) return;
    this.#local.learn(counter, debtUs);
    this.#ahead.delete(counter);
    this.#told.set(counter, performance.now());
  }

  /** Redis did not count these. */
  miss(budgets: readonly Budget[]): void {
    for (const { counter, intervalUs, burst } of budgets) this.#miss(counter, intervalUs * burst);
  }

  /** Redis may have lost everything. What was not charged since is what it said, which is no more than a burst. */
  missAll(): void {
    for (const { counter } of this.#local.entries()) this.#miss(counter, this.#ahead.get(counter) ?? Infinity);
  }

  #miss(counter: string, fullUs: number): void {
    this.#ahead.set(counter, fullUs);
    if (this.#ahead.size <= maxAhead) return;
    for (const forgotten of toForget([...this.#ahead.keys()], Math.floor(maxAhead * 0.9)))
      this.#ahead.delete(forgotten);
  }

  /** Tells Redis what it missed. False when it does not answer. Whoever is charged meanwhile stays missed. */
  async tell(calls: RedisCalls): Promise<boolean> {
    while (this.#ahead.size > 0) {
      const part = [...this.#ahead].slice(0, raisedAtOnce).map(([counter, fullUs]) => {
        const debtUs = this.#local.debtOf(counter);
        return { counter, debtUs, sentUs: Math.min(debtUs, fullUs) };
      });
      const keys = part.map(({ counter }) => budgetKey(counter));
      const values = part.map(({ sentUs }) => sentUs);
      if (!(await calls.run(raiseBudgets, keys, values)).ok) return false;
      for (const { counter, debtUs, sentUs } of part) {
        const now = this.#local.debtOf(counter);
        if (now > debtUs) continue;
        this.#ahead.delete(counter);
        this.#local.learn(counter, Math.min(now, sentUs));
      }
    }
    return true;
  }
}
