import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createMinutes } from '../../src/adapters/memory/minutes.ts';

const now = Date.UTC(2026, 10, 26, 12);
const minute = 60_000;
const everybody = (): boolean => true;

describe('the last hour', () => {
  test('has sixty minutes, the oldest first, and nothing of before', () => {
    const minutes = createMinutes();
    minutes.note('request', now - 60 * minute);
    for (let at = 0; at < 3; at++) minutes.note('request', now - 59 * minute);
    minutes.note('refusal', now);
    minutes.noteSent('a', 1, 500, now);
    const hour = minutes.list(now);
    expect(hour).toHaveLength(60);
    expect(hour.map(({ requests }) => requests)).toEqual([3, ...Array<number>(59).fill(0)]);
    expect(hour.at(-1)).toEqual({ requests: 0, refusals: 1, bytesOut: 500, manifestP95: undefined });
    expect(minutes.list(now + 60 * minute).every(({ refusals }) => refusals === 0)).toBe(true);
  });

  test('begins anew when its place comes round again, and takes no notes of an hour ago', () => {
    const minutes = createMinutes();
    minutes.noteSent('old', 1, 7, now - 60 * minute);
    minutes.note('request', now);
    minutes.note('request', now - 60 * minute);
    minutes.noteSent('old', 1, 7, now - 60 * minute);
    expect(minutes.list(now).at(-1)).toMatchObject({ requests: 1, bytesOut: 0 });
    expect(minutes.busiest(now, 10, everybody)).toEqual([]);
  });

  test('says within how many seconds 95 % of the manifests came, a fifth too much at most', () => {
    fc.assert(
      fc.property(fc.array(fc.double({ min: 0.0002, max: 9, noNaN: true }), { minLength: 1 }), (seconds) => {
        const minutes = createMinutes();
        for (const each of seconds) minutes.noteManifestPull(each, now);
        const told = minutes.list(now).at(-1)?.manifestP95 ?? 0;
        const exact = seconds.toSorted((left, right) => left - right)[Math.ceil(0.95 * seconds.length) - 1] ?? 0;
        expect(told).toBeGreaterThanOrEqual(exact * 0.999999);
        expect(told).toBeLessThanOrEqual(exact * 1.2000001);
      }),
    );
  });

  test('names the busiest repositories by pulls, each as of the whole hour, and only those that are shown', () => {
    const minutes = createMinutes();
    for (let at = 0; at < 5; at++) minutes.noteSent('busy', 1, 10, now - at * minute);
    for (let at = 0; at < 9; at++) minutes.noteSent('hidden', 1, 10, now);
    minutes.noteSent('blobs', 0, 9000, now);
    expect(minutes.busiest(now, 2, (name) => name !== 'hidden')).toEqual([
      { repository: 'busy', pulls: 5, bytes: 50 },
      { repository: 'blobs', pulls: 0, bytes: 9000 },
    ]);
    expect(minutes.busiest(now, 1, everybody)).toMatchObject([{ repository: 'hidden', pulls: 9 }]);
  });

  test('keeps 500 names a minute, and counts the bytes of the others', () => {
    const minutes = createMinutes();
    for (let name = 0; name < 2000; name++) minutes.noteSent(`n${name}`, 1, 1, now);
    expect(minutes.busiest(now, 5000, everybody)).toHaveLength(500);
    expect(minutes.list(now).at(-1)?.bytesOut).toBe(2000);
  });
});
