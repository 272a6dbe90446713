import { describe, expect, test } from 'vitest';
import { loginHeld, tooBusy } from '../../src/http/front/respond.ts';

describe('more logins than can be hashed', () => {
  test('are 429 with a short wait; in an upload 503, which clients take as a pause', () => {
    expect(tooBusy()).toMatchObject({ status: 429, headers: { 'Retry-After': '3' } });
    expect(tooBusy(true)).toMatchObject({ status: 503, headers: { 'Retry-After': '3' } });
  });
});

describe('a login that is held back', () => {
  test.each([
    [1, '1', '1 second'],
    [999, '1', '1 second'],
    [1001, '2', '2 seconds'],
    [61_000, '61', '1 minute 1 second'],
    [900_000, '900', '15 minutes'],
  ])('for %i ms is told %s', (waitMs, seconds, words) => {
    const { status, headers, body } = loginHeld(waitMs);
    expect([status, headers?.['Retry-After']]).toEqual([429, seconds]);
    expect(body).toContain(`try again in ${words}"`);
  });
});
