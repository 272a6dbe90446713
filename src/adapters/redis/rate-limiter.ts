/**
 * Budgets in Redis, for any number of gateways: one command for the requests of a turn. What Redis said last is kept here as well. While it
 * is away this process goes on from there and counts each request once for every gateway known, so that all of them
 * together let through no more than the limit. When Redis is back, what was counted here is the least that it may say:
 * neither an outage nor a Redis that has lost its memory gives anybody a fresh budget.
 */
import type { Balance, Budget, RateLimiter } from '../../ports.ts';
import { balanceOf, createMemoryBudgets } from '../memory/rate-limiter.ts';
import { unavailable } from '../bounds.ts';
import { type RedisCalls, type RedisConnection, listOf } from './connection.ts';
import { budgetKey, owingKey } from './keys.ts';
import { chargeBudgets, listOwing, raiseBudgets, readBudgets } from './limit-scripts.ts';
import { Runs } from '../runs.ts';
import { toForget } from '../../limits/forgetting.ts';
import { Recent } from '../recent.ts';

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
  const charges = new Charges(calls, (counter) => known.beyond(counter));
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
      if (budgets.length === 0) return { admitted: true, balances: [] };
      const { sent, numbers } = await charges.add(budgets);
      if (numbers === undefined) return chargeAlone(budgets);
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

/** What came of one request: what Redis was told that each counter owes, and what it answered. */
interface Charged {
  readonly sent: readonly number[];
  /** undefined when it did not count the request, as far as anybody knows. */
  readonly numbers: readonly number[] | undefined;
}

interface Charge {
  readonly budgets: readonly Budget[];
  readonly settle: (charged: Charged) => void;
}

/** Requests counted in one step of Redis, which answers nobody else meanwhile: well under a millisecond. */
const chargedAtOnce = 32;

/** The requests of one turn of the loop, sent together: a command costs this process more than what it is about. */
class Charges {
  readonly #calls: RedisCalls;
  readonly #beyond: (counter: string) => number;
  #waiting: Charge[] = [];

  constructor(calls: RedisCalls, beyond: (counter: string) => number) {
    this.#calls = calls;
    this.#beyond = beyond;
  }

  add(budgets: readonly Budget[]): Promise<Charged> {
    return new Promise((settle) => {
      if (this.#waiting.length === 0) setImmediate(() => this.#send());
      this.#waiting.push({ budgets, settle });
    });
  }

  #send(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (let at = 0; at < waiting.length; at += chargedAtOnce) void this.#run(waiting.slice(at, at + chargedAtOnce));
  }

  async #run(charges: readonly Charge[]): Promise<void> {
    const sent = charges.map(({ budgets }) => budgets.map(({ counter }) => this.#beyond(counter)));
    const keys = charges.flatMap(({ budgets }) => keysOf(budgets));
    const values = charges.flatMap(({ budgets }, index) => [
      budgets.length,
      ...budgets.flatMap((budget, at) => valuesOf(budget, sent[index]?.[at] ?? 0)),
    ]);
    const numbers = listOf(await this.#calls.run(chargeBudgets, [...keys, owingKey], values))?.map(Number);
    const isWhole = numbers?.length === charges.length + 2 * keys.length;
    let begin = 0;
    for (const [index, { budgets, settle }] of charges.entries()) {
      const end = begin + 1 + 2 * budgets.length;
      settle({ sent: sent[index] ?? [], numbers: isWhole ? numbers.slice(begin, end) : undefined });
      begin = end;
    }
  }
}

/** The answer of `listOwing`. */
function readOwing(flat: readonly unknown[]): readonly { readonly counter: string; readonly debtUs: number }[] {
  return flat.flatMap((counter, at) =>
    at % 2 === 0 ? [{ counter: String(counter), debtUs: Number(flat[at + 1]) }] : [],
  );
}

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
