/** What every store of budgets promises, and a model of a few lines that each of them agrees with. */
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Budget, RateLimiter } from '../../src/ports.ts';

export interface RateLimiterUnderTest {
  readonly limiter: RateLimiter;
  /** Lets time pass, as the store measures it. */
  readonly elapse: (seconds: number) => Promise<void>;
  /** Counters that the store keeps. */
  readonly kept: () => Promise<number>;
  readonly clear: () => Promise<void>;
  readonly close: () => Promise<void>;
}

/** One request is worth whole seconds: what really passes during a test decides nothing. */
export function budgetOf(counter: string, seconds: number, burst: number, isEnforced = true): Budget {
  return { counter: `limit\naccount\n${counter}`, intervalUs: seconds * 1_000_000, burst, isEnforced };
}

export async function admittedOf(limiter: RateLimiter, times: number, ...budgets: readonly Budget[]): Promise<number> {
  const outcomes = await Promise.all(Array.from({ length: times }, () => limiter.charge(budgets)));
  return outcomes.filter(({ admitted }) => admitted).length;
}

export function describeRateLimiter(open: () => Promise<RateLimiterUnderTest>): void {
  describe('as every other', () => {
    let under: RateLimiterUnderTest;
    let limiter: RateLimiter;
    beforeEach(async () => {
      under = await open();
      ({ limiter } = under);
    });
    afterEach(() => under.close());

    test('lets exactly the burst through, however many come at once', async () => {
      expect(await admittedOf(limiter, 200, budgetOf('dana', 60, 50))).toBe(50);
    });

    test('says what is left, and how long until one fits', async () => {
      const budget = budgetOf('dana', 60, 2);
      const [first] = (await limiter.charge([budget])).balances;
      expect(first).toMatchObject({ fits: true, remaining: 1, waitUs: 0 });
      expect(first?.debtUs).toBeGreaterThan(59_000_000);
      await limiter.charge([budget]);
      const refused = await limiter.charge([budget]);
      expect(refused).toMatchObject({ admitted: false, balances: [{ fits: false, remaining: 0 }] });
      expect(refused.balances[0]?.waitUs).toBeGreaterThan(59_000_000);
      expect(refused.balances[0]?.waitUs).toBeLessThanOrEqual(60_000_000);
    });

    test('lets one more through for each interval that passes, and never more than the burst', async () => {
      const budget = budgetOf('dana', 60, 5);
      await admittedOf(limiter, 10, budget);
      await under.elapse(60);
      expect(await admittedOf(limiter, 10, budget)).toBe(1);
      await under.elapse(180);
      expect(await admittedOf(limiter, 10, budget)).toBe(3);
      await under.elapse(86_400);
      expect(await admittedOf(limiter, 10, budget)).toBe(5);
    });

    test('counts each counter for itself', async () => {
      await admittedOf(limiter, 10, budgetOf('dana', 60, 2));
      expect(await admittedOf(limiter, 10, budgetOf('rita', 60, 2))).toBe(2);
    });

    test('counts a request in all of its budgets or, when one has no room, in none', async () => {
      const [wide, narrow] = [budgetOf('wide', 60, 10), budgetOf('narrow', 60, 3)];
      expect(await admittedOf(limiter, 8, wide, narrow)).toBe(3);
      const [left] = await limiter.peek([wide]);
      expect(left?.remaining).toBe(7);
    });

    test('counts in a shadow budget as in another, without refusing', async () => {
      const [shadow, wide] = [budgetOf('shadow', 60, 2, false), budgetOf('wide', 60, 5)];
      const outcomes = [];
      for (let n = 0; n < 6; n++) outcomes.push(await limiter.charge([shadow, wide]));
      expect(outcomes.map(({ admitted }) => admitted)).toEqual([true, true, true, true, true, false]);
      expect(outcomes.map(({ balances }) => balances[0]?.fits)).toEqual([true, true, false, false, false, false]);
    });

    test('does not count in a shadow budget what an enforced one refuses', async () => {
      const [shadow, narrow] = [budgetOf('shadow', 60, 5, false), budgetOf('narrow', 60, 1)];
      await admittedOf(limiter, 4, shadow, narrow);
      const [left] = await limiter.peek([shadow]);
      expect(left?.remaining).toBe(4);
    });

    test('counts nothing when it is only looked at', async () => {
      const budget = budgetOf('dana', 60, 2);
      for (let n = 0; n < 5; n++) expect(await limiter.peek([budget])).toMatchObject([{ fits: true, remaining: 2 }]);
      expect(await admittedOf(limiter, 5, budget)).toBe(2);
    });

    test('keeps nobody waiting longer than all of a limit that was made smaller', async () => {
      await admittedOf(limiter, 100, budgetOf('dana', 3600, 100));
      const smaller = budgetOf('dana', 10, 5);
      const [looked] = await limiter.peek([smaller]);
      const refused = await limiter.charge([smaller]);
      expect(refused.admitted).toBe(false);
      for (const balance of [looked, refused.balances[0]]) {
        expect(balance?.waitUs).toBeLessThanOrEqual(10_000_000);
        expect(balance?.debtUs).toBeLessThanOrEqual(50_000_000);
      }
      await under.elapse(10);
      expect(await admittedOf(limiter, 3, smaller)).toBe(1);
      await under.elapse(50);
      expect(await admittedOf(limiter, 9, smaller)).toBe(5);
    });

    test('keeps a limit that was made smaller from asking back more, also where another limit refuses', async () => {
      const narrow = budgetOf('narrow', 3600, 1);
      await admittedOf(limiter, 1, narrow);
      await admittedOf(limiter, 100, budgetOf('dana', 3600, 100));
      const smaller = budgetOf('dana', 10, 5, false);
      await limiter.charge([smaller, narrow]);
      await under.elapse(20);
      expect(await limiter.charge([smaller])).toMatchObject({ balances: [{ fits: true, remaining: 1 }] });
    });

    test('forgets whoever owes nothing any more', async () => {
      for (let n = 0; n < 20; n++) await limiter.charge([budgetOf(`user-${n}`, 1, 1)]);
      await under.elapse(100);
      await admittedOf(limiter, 1, budgetOf('another', 60, 1));
      expect(await under.kept()).toBeLessThanOrEqual(21);
      expect(await limiter.owing()).toMatchObject({ ok: true, owing: [{ counter: 'limit\naccount\nanother' }] });
    });

    test('lists who owes most of a burst, the longest first', async () => {
      await admittedOf(limiter, 9, budgetOf('near', 60, 10));
      await admittedOf(limiter, 10, budgetOf('spent', 60, 10));
      await admittedOf(limiter, 7, budgetOf('fine', 60, 10));
      const listed = await limiter.owing();
      expect(listed.ok && listed.owing.map(({ counter }) => counter.split('\n')[2])).toEqual(['spent', 'near']);
    });

    test('lists nobody who owed little when last charged', async () => {
      const budget = budgetOf('dana', 60, 10);
      await admittedOf(limiter, 10, budget);
      await under.elapse(300);
      await admittedOf(limiter, 1, budget);
      expect(await limiter.owing()).toEqual({ ok: true, owing: [] });
    });

    test('agrees with the model, whatever is charged, looked at and waited for', async () => {
      const counters = ['a', 'b', 'c'] as const;
      const budget = fc.record({
        counter: fc.constantFrom(...counters),
        seconds: fc.constantFrom(10, 60),
        burst: fc.integer({ min: 1, max: 6 }),
        isEnforced: fc.boolean(),
      });
      const step = fc.oneof(
        {
          weight: 5,
          arbitrary: fc.record({
            charge: fc.uniqueArray(budget, { selector: (each) => each.counter, minLength: 1, maxLength: 3 }),
          }),
        },
        { weight: 2, arbitrary: fc.record({ elapse: fc.constantFrom(10, 20, 60, 300) }) },
      );
      await fc.assert(
        fc.asyncProperty(fc.array(step, { maxLength: 40, size: 'max' }), async (steps) => {
          await under.clear();
          const model = createModel();
          for (const each of steps) {
            if ('elapse' in each) {
              await under.elapse(each.elapse);
              model.elapse(each.elapse);
              continue;
            }
            const budgets = each.charge.map(({ counter, seconds, burst, isEnforced }) =>
              budgetOf(counter, seconds, burst, isEnforced),
            );
            const { admitted, balances } = await limiter.charge(budgets);
            expect({
              admitted,
              fits: balances.map(({ fits }) => fits),
              remaining: balances.map(({ remaining }) => remaining),
            }).toEqual(model.charge(budgets));
          }
        }),
        { numRuns: 60 },
      );
    });
  });
}

/** Budgets as whole seconds that are owed; time passes only when it is told to. */
function createModel() {
  const owed = new Map<string, number>();
  return {
    elapse(seconds: number): void {
      for (const [counter, debt] of owed) owed.set(counter, Math.max(0, debt - seconds));
    },
    charge(budgets: readonly Budget[]): { admitted: boolean; fits: boolean[]; remaining: number[] } {
      const looked = budgets.map(({ counter, intervalUs, burst }) => {
        const [seconds, full] = [intervalUs / 1_000_000, (burst * intervalUs) / 1_000_000];
        const debt = Math.min(owed.get(counter) ?? 0, full);
        return { counter, seconds, full, debt, fits: debt + seconds <= full };
      });
      const admitted = budgets.every(({ isEnforced }, index) => !isEnforced || looked[index]?.fits === true);
      const remaining = looked.map(({ counter, seconds, full, debt, fits }) => {
        const after = admitted && fits ? debt + seconds : debt;
        owed.set(counter, after);
        return Math.floor((full - after) / seconds);
      });
      return { admitted, fits: looked.map(({ fits }) => fits), remaining };
    },
  };
}
