import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Conditions } from '../../src/policy/conditions.ts';
import { holdsAt, nextTurn } from '../../src/policy/turns.ts';
import { sized } from '../support/size.ts';

const at = (text: string): number => Date.parse(text);
const told = (when: Conditions, now: string): string | undefined => {
  const turn = nextTurn(when, at(now));
  return turn === undefined ? undefined : new Date(turn).toISOString().slice(0, 16);
};
const christmas = { after: at('2026-12-24T00:00:00Z'), before: at('2027-01-02T00:00:00Z') };
const night = { from: 20 * 60, until: 6 * 60 };

describe('the next turn of times', () => {
  test.each<[string, Conditions, string, string | undefined]>([
    ['before they begin, their beginning', christmas, '2026-06-01T00:00Z', '2026-12-24T00:00'],
    ['while they hold, their end', christmas, '2026-12-24T00:00Z', '2027-01-02T00:00'],
    ['once they are over, none', christmas, '2027-01-02T00:00Z', undefined],
    ['without an end, none', { after: christmas.after }, '2027-01-02T00:00Z', undefined],
    ['by addresses alone, none', { addresses: ['10.0.0.0/8'] }, '2027-01-02T00:00Z', undefined],
    [
      'with addresses, that of the times',
      { ...christmas, addresses: ['10.0.0.0/8'] },
      '2026-12-25T00:00Z',
      '2027-01-02T00:00',
    ],
    ['of hours over midnight, the morning', { hours: night }, '2026-06-01T23:30Z', '2026-06-02T06:00'],
    ['of hours that are over, the evening', { hours: night }, '2026-06-01T06:00Z', '2026-06-01T20:00'],
    [
      'of hours elsewhere, in their zone',
      { hours: night, zone: 'Europe/Berlin' },
      '2026-06-01T23:30Z',
      '2026-06-02T04:00',
    ],
    ['of a weekend, its Monday', { days: ['sat', 'sun'] }, '2026-06-06T10:00Z', '2026-06-08T00:00'],
    [
      'of hours on some days, also the end of the day',
      { days: ['fri'], hours: night },
      '2026-06-05T21:00Z',
      '2026-06-06T00:00',
    ],
    [
      'of a weekend that an end cuts off, the end',
      { days: ['sat', 'sun'], before: at('2026-06-07T09:30Z') },
      '2026-06-06T10:00Z',
      '2026-06-07T09:30',
    ],
    ['of every day, none', { days: ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'] }, '2026-06-06T10:00Z', undefined],
    [
      'of recurring times that begin later, the first of them',
      { days: ['mon'], after: at('2026-12-24T10:00Z') },
      '2026-06-06T10:00Z',
      '2026-12-28T00:00',
    ],
    [
      'over the night on which clocks go back, by the clock',
      { hours: night, zone: 'Europe/Berlin' },
      '2026-10-24T20:00Z',
      '2026-10-25T05:00',
    ],
    [
      'over the night on which clocks go forward, by the clock',
      { hours: night, zone: 'Europe/Berlin' },
      '2026-03-28T20:00Z',
      '2026-03-29T04:00',
    ],
    [
      'of an hour that the clocks leave out, the next day it is there',
      { hours: { from: 120, until: 180 }, zone: 'Europe/Berlin' },
      '2026-03-29T00:30Z',
      '2026-03-30T00:00',
    ],
  ])('is, %s', (_what, when, now, expected) => {
    expect(told(when, now)).toBe(expected);
  });

  test('is remembered, and right again for an earlier time', () => {
    const when = { ...christmas };
    expect(told(when, '2026-12-25T00:00Z')).toBe('2027-01-02T00:00');
    expect(told(when, '2026-12-26T00:00Z')).toBe('2027-01-02T00:00');
    expect(told(when, '2026-12-01T00:00Z')).toBe('2026-12-24T00:00');
    expect(told(when, '2027-02-01T00:00Z')).toBeUndefined();
  });

  test('is the first minute at which they hold that did not, or the other way round', () => {
    const day = fc.constantFrom('mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun');
    const minute = fc.integer({ min: 0, max: 1439 });
    const whens = fc.record(
      {
        days: fc.uniqueArray(day, { minLength: 1 }),
        hours: fc.record({ from: minute, until: minute }).filter(({ from, until }) => from !== until),
        zone: fc.constantFrom('UTC', 'Europe/Berlin', 'Asia/Kathmandu', 'America/New_York', 'Australia/Lord_Howe'),
        before: fc.constantFrom(at('2026-03-29T03:00:00Z'), at('2026-10-26T00:00:00Z')),
      },
      { requiredKeys: [] },
    );
    const starts = fc.constantFrom(
      '2026-03-07T23:10Z',
      '2026-03-28T22:31Z',
      '2026-06-03T12:00Z',
      '2026-10-24T21:07Z',
      '2026-10-31T20:00Z',
    );
    fc.assert(
      fc.property(whens, starts, (when, start) => {
        const now = at(start);
        const isHolding = holdsAt(when, now);
        let minutes = 1;
        while (minutes < 8 * 1440 && holdsAt(when, now + minutes * 60_000) === isHolding) minutes++;
        const found = nextTurn(when, now);
        if (minutes < 8 * 1440) expect(found).toBe(now + minutes * 60_000);
        else expect(found ?? Infinity).toBeGreaterThanOrEqual(now + minutes * 60_000);
      }),
      { numRuns: sized(60) },
    );
  });
});
