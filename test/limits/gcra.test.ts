import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Quota, charge, quotaOf, roomOf } from '../../src/limits/gcra.ts';

const quota = (intervalUs: number, burst: number): Quota => ({ intervalUs, burst });

describe('a budget', () => {
  test.each([
    ['100 in 6 hours', { amount: 100, seconds: 21_600 }, 216_000_000],
    ['60 in a minute', { amount: 60, seconds: 60 }, 1_000_000],
    ['a million in a second', { amount: 1_000_000, seconds: 1 }, 1],
    ['7 in a minute, rounded up', { amount: 7, seconds: 60 }, 8_571_429],
  ])('of %s', (_what, rate, intervalUs) => {
    expect(quotaOf(rate, 3)).toEqual({ intervalUs, burst: 3 });
  });

  test('lets its burst through at once, and then one an interval', () => {
    let debtUs = 0;
    const outcomes: boolean[] = [];
    for (let n = 0; n < 5; n++) {
      const charged = charge(debtUs, quota(10, 3));
      outcomes.push(charged.fits);
      ({ debtUs } = charged);
    }
    expect(outcomes).toEqual([true, true, true, false, false]);
    expect(debtUs).toBe(30);
    expect(charge(21, quota(10, 3)).fits).toBe(false);
    expect(charge(20, quota(10, 3))).toEqual({ fits: true, debtUs: 30 });
  });

  test('that was made smaller keeps nobody waiting longer than all of it', () => {
    expect(charge(1_000_000, quota(10, 3))).toEqual({ fits: false, debtUs: 30 });
    expect(roomOf(1_000_000, quota(10, 3))).toEqual({ remaining: 0, waitUs: 10 });
  });

  test('of which each request costs more than the burst lets one through when it is full', () => {
    expect(charge(0, quota(10, 3), 5)).toEqual({ fits: true, debtUs: 50 });
    expect(charge(1, quota(10, 3), 5)).toEqual({ fits: false, debtUs: 1 });
    expect(roomOf(0, quota(10, 3), 5)).toEqual({ remaining: 1, waitUs: 0 });
    expect(roomOf(50, quota(10, 3), 5)).toEqual({ remaining: 0, waitUs: 50 });
  });

  test('tells how many fit and how long to wait in step with what it lets through', () => {
    const cases = fc.record({
      debtUs: fc.integer({ min: 0, max: 500 }),
      intervalUs: fc.integer({ min: 1, max: 20 }),
      burst: fc.integer({ min: 1, max: 12 }),
      cost: fc.integer({ min: 1, max: 4 }),
    });
    fc.assert(
      fc.property(cases, ({ debtUs, intervalUs, burst, cost }) => {
        const own = quota(intervalUs, burst);
        const { remaining, waitUs } = roomOf(debtUs, own, cost);
        expect(remaining > 0).toBe(waitUs === 0);
        let debt = debtUs;
        for (let n = 0; n < remaining; n++) {
          const charged = charge(debt, own, cost);
          expect(charged.fits).toBe(true);
          debt = charged.debtUs;
        }
        expect(charge(debt, own, cost).fits).toBe(false);
        const later = Math.max(0, Math.min(debtUs, Math.max(burst, cost) * intervalUs) - waitUs);
        expect(charge(later, own, cost).fits).toBe(true);
        if (waitUs > 0) expect(charge(later + 1, own, cost).fits).toBe(false);
      }),
    );
  });

  test('never lets more through in any time than its burst and what the rate adds meanwhile', () => {
    const steps = fc.array(fc.integer({ min: 0, max: 40 }), { maxLength: 80, size: 'max' });
    fc.assert(
      fc.property(
        steps,
        fc.integer({ min: 1, max: 20 }),
        fc.integer({ min: 1, max: 6 }),
        (pauses, intervalUs, burst) => {
          const admitted: number[] = [];
          let [now, fullAt] = [0, 0];
          for (const pause of pauses) {
            now += pause;
            const { fits, debtUs } = charge(Math.max(0, fullAt - now), quota(intervalUs, burst));
            if (fits) {
              admitted.push(now);
              fullAt = now + debtUs;
            }
          }
          const tooMany = admitted.flatMap((from, begin) =>
            admitted
              .slice(begin)
              .map((to, index) => ({ from, to, count: index + 1 }))
              .filter(({ to, count }) => count > burst + Math.floor((to - from) / intervalUs)),
          );
          expect(tooMany).toEqual([]);
        },
      ),
    );
  });
});
