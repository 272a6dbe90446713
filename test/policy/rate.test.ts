import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Rate, describeRate, describeWait, formatRate, maxAmount, parseRate } from '../../src/policy/rate.ts';

describe('a rate', () => {
  const valid: readonly (readonly [text: string, rate: Rate, words: string, written: string])[] = [
    ['100/6h', { amount: 100, seconds: 21_600 }, '100 per 6 hours', '100/6h'],
    ['60/1m', { amount: 60, seconds: 60 }, '60 per minute', '60/1m'],
    ['60/60s', { amount: 60, seconds: 60 }, '60 per minute', '60/1m'],
    ['1/1s', { amount: 1, seconds: 1 }, '1 per second', '1/1s'],
    ['2/61s', { amount: 2, seconds: 61 }, '2 per 61 seconds', '2/61s'],
    ['5/90m', { amount: 5, seconds: 5400 }, '5 per 90 minutes', '5/90m'],
    ['24/1d', { amount: 24, seconds: 86_400 }, '24 per day', '24/1d'],
    ['7/36h', { amount: 7, seconds: 129_600 }, '7 per 36 hours', '7/36h'],
    ['1000000/31d', { amount: 1_000_000, seconds: 2_678_400 }, '1000000 per 31 days', '1000000/31d'],
    ['007/06h', { amount: 7, seconds: 21_600 }, '7 per 6 hours', '7/6h'],
  ];
  test.each(valid)('%s is read, said in words and written again', (text, rate, words, written) => {
    expect(parseRate(text)).toEqual(rate);
    expect(describeRate(rate)).toBe(words);
    expect(formatRate(rate)).toBe(written);
  });

  const shape = 'is not a rate; expected an amount and a period as in 100/6h, with s, m, h or d';
  const invalid: readonly (readonly [what: string, text: string, said: string])[] = [
    ['nothing at all', '', shape],
    ['a word', 'fast', shape],
    ['no period', '100', shape],
    ['a period without its unit', '100/6', shape],
    ['a unit without a number', '100/h', 'write 100/1h'],
    ['words', '100 per 6h', 'write 100/6h'],
    ['blanks', '100 / 6h', 'write 100/6h'],
    ['blanks around it', ' 5/1m ', 'write 5/1m'],
    ['a unit that is none here', '100/1w', shape],
    ['milliseconds', '100/500ms', shape],
    ['a unit written out', '100/6hours', shape],
    ['a unit in capitals', '100/6H', shape],
    ['a negative amount', '-5/6h', shape],
    ['a negative period', '5/-6h', shape],
    ['a fraction', '1.5/6h', shape],
    ['a fraction of a period', '100/1.5h', shape],
    ['an exponent', '1e3/6h', shape],
    ['digits of another script', '١٠٠/6h', shape],
    ['a second line', '100/6h\n7', shape],
    ['an amount of zero', '0/6h', 'that is what a deny rule is for'],
    ['a period of zero', '100/0h', 'at least one second'],
    ['an amount above a million', '1000001/1s', 'the amount of a rate is at most 1000000'],
    ['an amount beyond all numbers', `${'9'.repeat(400)}/6h`, 'the amount of a rate is at most 1000000'],
    ['a period above 31 days', '100/32d', 'the period of a rate is at most 31d'],
    ['a period beyond all numbers', `100/${'9'.repeat(400)}d`, 'the period of a rate is at most 31d'],
  ];
  test.each(invalid)('with %s is refused: %j', (_what, text, said) => {
    expect(parseRate(text)).toMatchObject({ problem: expect.stringContaining(said) as string });
  });

  test('that is read comes back from what is written for it', () => {
    const rates = fc.record({
      amount: fc.integer({ min: 1, max: maxAmount }),
      seconds: fc.integer({ min: 1, max: 2_678_400 }),
    });
    fc.assert(fc.property(rates, (rate) => void expect(parseRate(formatRate(rate))).toEqual(rate)));
  });

  test('is read from any text or refused with a sentence, and never throws', () => {
    const texts = fc.oneof(fc.string(), fc.stringMatching(/^[0-9]{0,9} ?(\/|per) ?[0-9.-]{0,9}[smhdw]?$/));
    fc.assert(
      fc.property(texts, (text) => {
        const rate = parseRate(text);
        if ('problem' in rate) return rate.problem !== '';
        return rate.amount >= 1 && rate.amount <= maxAmount && rate.seconds >= 1 && rate.seconds <= 2_678_400;
      }),
    );
  });
});

describe('a wait in words', () => {
  const cases: readonly (readonly [seconds: number, words: string])[] = [
    [0, '1 second'],
    [0.2, '1 second'],
    [1, '1 second'],
    [1.2, '2 seconds'],
    [59, '59 seconds'],
    [59.5, '1 minute'],
    [61, '1 minute 1 second'],
    [216, '3 minutes 36 seconds'],
    [3599, '59 minutes 59 seconds'],
    [3600, '1 hour'],
    [3601, '1 hour 1 minute'],
    [3661, '1 hour 2 minutes'],
    [7199, '2 hours'],
    [86_399, '1 day'],
    [90_000, '1 day 1 hour'],
    [172_799, '2 days'],
    [31 * 86_400, '31 days'],
  ];
  test.each(cases)('of %f seconds is %s', (seconds, words) => {
    expect(describeWait(seconds)).toBe(words);
  });

  test('is never shorter than the wait, and longer by less than one of its smaller unit', () => {
    const size = { second: 1, minute: 60, hour: 3600, day: 86_400 };
    const inSeconds = (words: string): { total: number; smallest: number } => {
      const parts = [...words.matchAll(/(\d+) (second|minute|hour|day)s?/g)];
      const sizes = parts.map(([, , unit]) => size[unit as keyof typeof size]);
      const total = parts.reduce((sum, [, count], index) => sum + Number(count) * (sizes[index] ?? 0), 0);
      return { total, smallest: total < 60 ? 1 : total < 3600 ? 1 : total < 86_400 ? 60 : 3600 };
    };
    fc.assert(
      fc.property(fc.double({ min: 0.001, max: 31 * 86_400, noNaN: true }), (seconds) => {
        const { total, smallest } = inSeconds(describeWait(seconds));
        return total >= seconds && total - seconds < Math.max(1, smallest);
      }),
    );
  });
});
