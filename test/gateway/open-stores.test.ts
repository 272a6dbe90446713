/** For how long stores remember what has ended. */
import { expect, test } from 'vitest';
import { memoryOf } from '../../src/gateway/open-stores.ts';
import { testConfig } from '../support/gateway.ts';

test('an ended account is remembered as long as the longest thing lives that was issued to it', () => {
  const day = 86_400;
  const { tokens, logins } = testConfig('http://registry.test:5000')('/tmp', '/tmp');
  const oidc = (recheckMs: number) => ({ recheckMs }) as NonNullable<typeof logins.oidc>;
  const memory = (change: Partial<typeof tokens>, recheckMs = 0) =>
    memoryOf({ tokens: { ...tokens, ...change }, logins: { ...logins, oidc: oidc(recheckMs) } }).accountMemorySeconds;
  const short = { refreshTtlSeconds: 60, personalMaxTtlSeconds: 60 };
  expect(memory(short)).toBe(900 + 120 + 6 * 3600);
  expect(memory({ ...short, refreshTtlSeconds: 90 * day })).toBe(90 * day);
  expect(memory({ ...short, personalMaxTtlSeconds: 400 * day })).toBe(400 * day);
  expect(memory(short, 30 * day * 1000)).toBe(30 * day);
});
