/** What every store of terminals' logins promises. */
import { beforeEach, describe, expect, test } from 'vitest';
import type { DeviceLogins } from '../../src/ports.ts';

export interface DeviceLoginsUnderTest {
  /** The same store, as two processes have it. */
  readonly processes: readonly [DeviceLogins, DeviceLogins];
  /** Lets time pass, as the store measures it. */
  readonly elapse: (ms: number) => Promise<void>;
}

export function describeDeviceLogins(open: () => Promise<DeviceLoginsUnderTest>): void {
  describe('as every other', () => {
    let a: DeviceLogins;
    let b: DeviceLogins;
    let elapse: DeviceLoginsUnderTest['elapse'];
    beforeEach(async () => {
      const under = await open();
      [a, b] = under.processes;
      ({ elapse } = under);
    });

    const codes = { deviceHash: 'd'.repeat(64), userCode: 'BCDFGHJK' };
    const asked = { tokenHash: 't'.repeat(64), address: '192.0.2.1', userAgent: 'portcullis "ü"\n', asked: 1000 };
    const granted = { account: 'dana', id: 'i', expires: 5000 };
    const unknown = { ok: false, reason: 'unknown' };

    test('what one process begins another finds, whole, and answers; the first tells it once', async () => {
      expect(await a.begin(codes, asked)).toEqual({ ok: true });
      expect(await a.poll(codes.deviceHash)).toEqual({ ok: false, reason: 'pending' });
      expect(await b.look(codes.userCode, 'dana')).toEqual({ ok: true, asked });
      expect(await b.claim(codes.userCode, 'dana')).toEqual({ ok: true, asked });
      expect(await b.settle(codes.userCode, granted)).toEqual({ ok: true });
      expect(await a.poll(codes.deviceHash)).toEqual({ ok: true, granted });
      for (const store of [a, b]) expect(await store.poll(codes.deviceHash)).toEqual({ ok: false, reason: 'used' });
    });

    test('one that was refused says so, once', async () => {
      await a.begin(codes, { tokenHash: 'x', asked: 1 });
      expect(await a.look(codes.userCode, 'dana')).toEqual({ ok: true, asked: { tokenHash: 'x', asked: 1 } });
      await b.claim(codes.userCode, 'dana');
      await b.settle(codes.userCode, 'denied');
      expect(await a.poll(codes.deviceHash)).toEqual({ ok: false, reason: 'denied' });
      expect(await a.poll(codes.deviceHash)).toEqual({ ok: false, reason: 'used' });
    });

    test('is answered once, by whoever looked last, and by nobody who did not look', async () => {
      await a.begin(codes, asked);
      expect(await b.claim(codes.userCode, 'dana')).toEqual(unknown);
      expect(await b.settle(codes.userCode, granted)).toEqual(unknown);
      await a.look(codes.userCode, 'dana');
      await b.look(codes.userCode, 'otto');
      expect(await a.claim(codes.userCode, 'dana')).toEqual(unknown);
      const claims = await Promise.all(
        Array.from({ length: 8 }, (_, at) => (at % 2 ? a : b).claim(codes.userCode, 'otto')),
      );
      expect(claims.filter(({ ok }) => ok)).toHaveLength(1);
      expect(await a.look(codes.userCode, 'otto')).toEqual(unknown);
      expect(await a.poll(codes.deviceHash)).toEqual({ ok: false, reason: 'pending' });
      expect(await a.settle(codes.userCode, granted)).toEqual({ ok: true });
      expect(await b.settle(codes.userCode, { ...granted, account: 'otto' })).toEqual(unknown);
      const told = await Promise.all(Array.from({ length: 8 }, (_, at) => (at % 2 ? a : b).poll(codes.deviceHash)));
      expect(told.filter(({ ok }) => ok)).toEqual([{ ok: true, granted }]);
    });

    test('a user code has one login at a time', async () => {
      await a.begin(codes, asked);
      expect(await b.begin({ ...codes, deviceHash: 'e'.repeat(64) }, asked)).toEqual({ ok: false, reason: 'taken' });
      expect(await b.poll('e'.repeat(64))).toEqual(unknown);
    });

    test('whoever asks too soon is told to ask less often, and each time less', async () => {
      await a.begin(codes, asked);
      const poll = async (store: DeviceLogins) => {
        const polled = await store.poll(codes.deviceHash);
        return polled.ok ? 'granted' : polled.reason;
      };
      expect(await poll(a)).toBe('pending');
      await elapse(5000);
      expect([await poll(b), await poll(a)]).toEqual(['pending', 'slow_down']);
      await elapse(5000);
      expect(await poll(b)).toBe('slow_down');
    });

    test('nothing is known of what nobody began', async () => {
      for (const text of ['', 'BCDFGHJL', '*', 'x'.repeat(1000)]) {
        expect(await a.look(text, 'dana')).toEqual(unknown);
        expect(await a.claim(text, 'dana')).toEqual(unknown);
        expect(await a.settle(text, 'denied')).toEqual(unknown);
        expect(await a.poll(text)).toEqual(unknown);
      }
    });
  });
}
