/** Times as people write them. */
import { describe, expect, test } from 'vitest';
import { formatDuration, parseInstant, parseSince, readDuration, within } from '../src/time.ts';

const noon = Date.UTC(2026, 10, 27, 12);

describe('a question of the past', () => {
  test.each([
    ['0', noon],
    ['90s', noon - 90_000],
    ['24h', noon - 86_400_000],
    ['7d', noon - 7 * 86_400_000],
    ['999999999d', 0],
    ['2026-11-26', Date.UTC(2026, 10, 26)],
    ['2026-11-26T06:30Z', Date.UTC(2026, 10, 26, 6, 30)],
    ['2026-11-26T06:30:15+02:00', Date.UTC(2026, 10, 26, 4, 30, 15)],
    ['2026-11-26T06:30:15.250Z', Date.UTC(2026, 10, 26, 6, 30, 15, 250)],
    ['2024-02-29', Date.UTC(2024, 1, 29)],
  ])('from %s begins there', (text, instant) => {
    expect(parseSince(text, noon)).toBe(instant);
  });

  // Date.parse takes the first four for days of the next month.
  test.each([
    ...['2026-02-29', '2026-02-30T00:00:00Z', '2026-04-31T10:00:00.5Z', '2026-11-31', '2026-13-01', '2026-00-10'],
    ...['', ' 24h', '24h ', '24 h', '1e3s', '+1d', '-1d', '0x10s', '24', '1w', 'yesterday', '2026', '2026-11'],
    ...['2026-11-26T06:30', '2026-11-26T06:30:15.Z', '2026-11-26.5', '2026-11-26T25:00:00Z', '٣h'],
  ])('from %j is none', (text) => {
    expect(parseSince(text, noon)).toBeUndefined();
  });
});

test('an instant of files and options has no fraction of a second', () => {
  expect(parseInstant('2026-11-26T06:30:15Z')).toBe(Date.UTC(2026, 10, 26, 6, 30, 15));
  expect(parseInstant('2026-11-26T06:30:15.5Z')).toBeUndefined();
});

test.each([
  [5_400, '90m'],
  [86_400, '1d'],
  [61, '61s'],
  [0, '0s'],
])('%d seconds are written as %s, and read again', (seconds, text) => {
  expect(formatDuration(seconds)).toBe(text);
  expect(readDuration(text)).toBe(seconds);
});

describe('a wait that ends', () => {
  test('gives what came in time, and fails as that failed', async () => {
    expect(await within(60_000, Promise.resolve('answer'), 'late')).toBe('answer');
    await expect(within(60_000, Promise.reject(new Error('broken')), 'late')).rejects.toThrow('broken');
  });

  test('gives up on what comes too late, whose failure then ends no process', async () => {
    let breakOff: (error: Error) => void = () => {};
    const work = new Promise<string>((_, reject) => (breakOff = reject));
    expect(await within(1, work, 'late')).toBe('late');
    breakOff(new Error('afterwards'));
    await new Promise((resolve) => setImmediate(resolve));
  });
});
