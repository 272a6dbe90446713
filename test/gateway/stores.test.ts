/** The stores as the program opens them. */
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { loadConfig } from '../../src/config/load.ts';
import { openStores } from '../../src/gateway/open-stores.ts';
import type { Stores } from '../../src/gateway/stores.ts';
import { attemptOf, countsOf } from '../adapters/failed-logins.contract.ts';
import { admittedOf, budgetOf } from '../adapters/rate-limiter.contract.ts';
import { makeTempDir, removeTempDir } from '../support/temp-dir.ts';

describe('stores without Redis', () => {
  let dir: string;
  let stores: Stores;
  beforeEach(async () => {
    dir = await makeTempDir('stores');
    const loaded = loadConfig({
      env: { PORTCULLIS_PUBLIC_URL: 'https://registry.example.com', PORTCULLIS_UPSTREAM: 'http://registry:5000' },
      flags: { stateDir: dir },
      cwd: dir,
      tryMode: false,
      readSecret: () => '',
    });
    if (!loaded.ok) throw new Error(loaded.problems.map(({ message }) => message).join('\n'));
    stores = await openStores(loaded.config, Date.now, { info: () => {}, warn: () => {}, error: () => {} });
  });
  afterEach(async () => {
    vi.restoreAllMocks();
    await stores.close();
    await removeTempDir(dir);
  });

  test.each([1, -1])('limit by a clock that nobody sets: %i month of the other one changes nothing', async (months) => {
    const budget = budgetOf('dana', 60, 5);
    expect(await admittedOf(stores.limiter, 9, budget)).toBe(5);
    await stores.failedLogins.fail(attemptOf('dana', 'typo'));
    const jumped = Date.now() + months * 30 * 24 * 3_600_000;
    vi.spyOn(Date, 'now').mockReturnValue(jumped);
    expect(await admittedOf(stores.limiter, 9, budget)).toBe(0);
    expect(await stores.limiter.peek([budget])).toMatchObject([{ fits: false, remaining: 0 }]);
    expect(await countsOf(stores.failedLogins, attemptOf('dana', 'x'))).toEqual([1, 1, 1]);
  });
});
