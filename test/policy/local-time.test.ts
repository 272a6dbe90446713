/** Day and minute in a zone, whatever was asked before. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { localTime } from '../../src/policy/conditions.ts';

const minute = 60_000;
const zones = ['UTC', 'Europe/Zurich', 'America/St_Johns', 'Asia/Kathmandu', 'Pacific/Apia', 'Australia/Lord_Howe'];
const names = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'];

/** By the date and time of day in the zone, as people write them. */
function asWritten(now: number, timeZone: string): { readonly day: string | undefined; readonly minute: number } {
  const [date = '', time = ''] = new Date(now).toLocaleString('sv-SE', { timeZone }).split(' ');
  const [hours = 0, minutes = 0] = time.split(':').map(Number);
  return { day: names[new Date(`${date}T00:00:00Z`).getUTCDay()], minute: hours * 60 + minutes };
}

describe('the time in a zone', () => {
  test.each([
    ['2026-10-25T00:59:59.999Z', 'Europe/Zurich', 'sun', 2 * 60 + 59],
    ['2026-10-25T01:00:00.000Z', 'Europe/Zurich', 'sun', 2 * 60],
    ['2026-11-26T18:15:00.000Z', 'Asia/Kathmandu', 'fri', 0],
    ['2026-11-26T18:14:59.999Z', 'Asia/Kathmandu', 'thu', 23 * 60 + 59],
  ])('at %s in %s is %s, minute %d', (at, zone, day, minutes) => {
    expect(localTime(Date.parse(at), zone)).toEqual({ day, minute: minutes });
  });

  test('is that of the instant, though another instant or zone was asked about before', () => {
    const from = Date.parse('2020-01-01T00:00:00Z');
    const near = fc.tuple(fc.integer({ min: 0, max: 5_000_000 }), fc.integer({ min: -2 * minute, max: 2 * minute }));
    fc.assert(
      fc.property(fc.array(fc.tuple(near, fc.constantFrom(...zones)), { minLength: 2, maxLength: 8 }), (asked) => {
        for (const [[minutes, more], zone] of asked)
          for (const now of [from + minutes * minute, from + minutes * minute + more])
            expect(localTime(now, zone)).toEqual(asWritten(now, zone));
      }),
      { numRuns: 300 },
    );
  });
});
