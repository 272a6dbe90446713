import { describe, expect, test } from 'vitest';
import { createMemoryDeviceLogins } from '../../src/adapters/memory/device-logins.ts';
import { describeDeviceLogins } from './device-logins.contract.ts';

describe('logins of terminals in one process', () => {
  describeDeviceLogins(() => {
    let now = 1_000_000;
    const store = createMemoryDeviceLogins(() => now);
    const elapse = (ms: number): Promise<void> => {
      now += ms;
      return Promise.resolve();
    };
    return Promise.resolve({ processes: [store, store], elapse });
  });

  test('are forgotten after ten minutes, and the oldest of too many', async () => {
    let now = 0;
    const store = createMemoryDeviceLogins(() => now);
    const begin = (at: number) =>
      store.begin({ deviceHash: `d${at}`, userCode: `u${at}` }, { tokenHash: '', asked: now });
    await begin(0);
    now = 599_999;
    expect(await store.poll('d0')).toEqual({ ok: false, reason: 'pending' });
    now = 600_000;
    expect(await store.poll('d0')).toEqual({ ok: false, reason: 'unknown' });
    expect(await store.look('u0', 'dana')).toEqual({ ok: false, reason: 'unknown' });
    for (let at = 1; at <= 10_001; at++) await begin(at);
    expect(await store.poll('d1')).toEqual({ ok: false, reason: 'unknown' });
    expect(await store.poll('d2')).toEqual({ ok: false, reason: 'pending' });
  });
});
