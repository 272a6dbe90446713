import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { describeRate, describeWait, formatRate, parseRate } from '../../src/policy/rate.ts';

describe('a rate', () => {
  test.each([
    ['100/6h', { amount: 100, seconds: 21_600 }, '100 per 6 hours'],
    ['60/1m', { amount: 60, seconds: 60 }, '60 per minute'],
    ['1/1s', { amount: 1, seconds: 1 }, '1 per second'],
    ['1000000/31d', { amount: 1_000_000, seconds: 2_678_400 }, '1000000 per 31 days'],
    ['5/90s', { amount: 5, seconds: 90 }, '5 per 90 seconds'],
  ])('%s is read, and said in words', (text, rate, words) => {
    expect(parseRate(text)).toEqual(rate);
    expect(describeRate(rate)).toBe(words);
  });

  test.each([
    ['0/1h', 'a rate of nothing would refuse every request; that is what a deny rule is for'],
    ['-5/1h', '"-5/1h" is not a rate; expected an amount and a period as in 100/6h, with s, m, h or d'],
    ['1.5/1h', '"1.5/1h" is not a rate; expected an amount and a period as in 100/6h, with s, m, h or d'],
    ['100', '"100" is not a rate; expected an amount and a period as in 100/6h, with s, m, h or d'],
    ['100/6', '"100/6" is not a rate; expected an amount and a period as in 100/6h, with s, m, h or d'],
    ['100/6w', '"100/6w" is not a rate; expected an amount and a period as in 100/6h, with s, m, h or d'],
    ['100/h', '"100/h" is not a rate; write 100/1h'],
    ['100 per 6h', '"100 per 6h" is not a rate; write 100/6h'],
    ['100/0h', 'the period of a rate is at least one second'],
    ['1000001/1h', 'the amount of a rate is at most 1000000'],
    ['99999999999999999999/1h', 'the amount of a rate is at most 1000000'],
    ['1/32d', 'the period of a rate is at most 31d'],
    ['1/99999999999999999999d', 'the period of a rate is at most 31d'],
    ['', '"" is not a rate; expected an amount and a period as in 100/6h, with s, m, h or d'],
  ])('%s is refused', (text, problem) => {
    expect(parseRate(text)).toEqual({ problem });
  });

  test('is written as it is read', () => {
    const rates = fc.record({
      amount: fc.integer({ min: 1, max: 1_000_000 }),
      seconds: fc.integer({ min: 1, max: 31 * 86_400 }),
    });
    fc.assert(
      fc.property(rates, (rate) => {
        expect(parseRate(formatRate(rate))).toEqual(rate);
      }),
    );
  });

  test('is never read from text with anything else in it', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        const rate = parseRate(text);
        if (!('problem' in rate)) expect(text.trim()).toMatch(/^[0-9]+\/[0-9]+[smhd]$/);
      }),
    );
  });
});

describe('a wait in words', () => {
  test.each([
    [0, '1 second'],
    [0.2, '1 second'],
    [1, '1 second'],
    [59.1, '1 minute'],
    [61, '1 minute 1 second'],
    [216, '3 minutes 36 seconds'],
    [3599.5, '1 hour'],
    [3601, '1 hour 1 minute'],
    [7140, '1 hour 59 minutes'],
    [7141, '2 hours'],
    [86_399, '1 day'],
    [90_000, '1 day 1 hour'],
    [2_678_400, '31 days'],
  ])('of %f s is %s', (seconds, words) => {
    expect(describeWait(seconds)).toBe(words);
  });

  test('is never shorter than the wait, and at most one of its smaller unit longer', () => {
    const sizes: Readonly<Record<string, number>> = { second: 1, minute: 60, hour: 3600, day: 86_400 };
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 3_000_000 }), (seconds) => {
        const parts = [...describeWait(seconds).matchAll(/(\d+) (second|minute|hour|day)s?/g)];
        const told = parts.reduce((sum, [, count, unit]) => sum + Number(count) * (sizes[unit ?? ''] ?? 0), 0);
        expect(told).toBeGreaterThanOrEqual(seconds);
        expect(told - seconds).toBeLessThan(seconds < 3600 ? 1 : seconds < 86_400 ? 60 : 3600);
      }),
    );
  });
});
