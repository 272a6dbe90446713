/** How long an access token of one's own lives, as somebody says it. */
import { expect, test } from 'vitest';
import { readTerms } from '../../src/operations/reach-input.ts';

const day = 86_400;

test.each([
  [undefined, 90 * day, 30 * day],
  [undefined, 7 * day, 7 * day],
  ['90s', 7 * day, 90],
  ['90m', 7 * day, 5400],
  ['7d', 7 * day, 7 * day],
])('%s where %d seconds are the longest: %d seconds', (lifetime, longest, seconds) => {
  expect(readTerms({ label: 'ci', lifetime }, longest)).toMatchObject({
    ok: true,
    terms: { lifetimeSeconds: seconds },
  });
});

test('more than the longest is refused, and says how long', () => {
  expect(readTerms({ label: 'ci', lifetime: '8d' }, 7 * day)).toEqual({
    ok: false,
    reason: 'invalid',
    detail: 'lifetime: at most 7d here',
  });
});
