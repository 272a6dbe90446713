/** Logins of terminals in one process, for as long as they wait. */
import type { Clock, DeviceAsked, DeviceFound, DeviceGranted, DeviceLogins } from '../../ports.ts';
import { deviceBounds } from '../bounds.ts';

interface Held {
  readonly userCode: string;
  readonly asked: DeviceAsked;
  readonly until: number;
  seenBy?: string;
  state: 'waiting' | 'claimed' | 'denied' | 'used' | DeviceGranted;
  polled: number;
  intervalMs: number;
}

/** Forgotten when the process ends. */
export function createMemoryDeviceLogins(clock: Clock): DeviceLogins {
  /** By device hash, in the order in which they began. */
  const held = new Map<string, Held>();
  const byUserCode = new Map<string, Held>();

  function forgetOld(now: number): void {
    for (const [deviceHash, { userCode, until }] of held) {
      if (until > now && held.size < deviceBounds.most) break;
      held.delete(deviceHash);
      byUserCode.delete(userCode);
    }
  }

  function alive(one: Held | undefined): Held | undefined {
    return one === undefined || one.until <= clock() ? undefined : one;
  }

  const found = (one: Held | undefined): DeviceFound =>
    one === undefined ? { ok: false, reason: 'unknown' } : { ok: true, asked: one.asked };

  return {
    begin({ deviceHash, userCode }, asked) {
      const now = clock();
      forgetOld(now);
      if (alive(byUserCode.get(userCode)) !== undefined) return Promise.resolve({ ok: false, reason: 'taken' });
      const until = now + deviceBounds.livesMs;
      const { intervalMs } = deviceBounds;
      const one: Held = { userCode, asked, until, state: 'waiting', polled: -Infinity, intervalMs };
      held.set(deviceHash, one);
      byUserCode.set(userCode, one);
      return Promise.resolve({ ok: true });
    },
    look(userCode, account) {
      const one = alive(byUserCode.get(userCode));
      if (one?.state !== 'waiting') return Promise.resolve(found(undefined));
      one.seenBy = account;
      return Promise.resolve(found(one));
    },
    claim(userCode, account) {
      const one = alive(byUserCode.get(userCode));
      if (one?.state !== 'waiting' || one.seenBy !== account) return Promise.resolve(found(undefined));
      one.state = 'claimed';
      return Promise.resolve(found(one));
    },
    settle(userCode, answer) {
      const one = alive(byUserCode.get(userCode));
      if (one?.state !== 'claimed') return Promise.resolve({ ok: false, reason: 'unknown' });
      one.state = answer;
      return Promise.resolve({ ok: true });
    },
    poll(deviceHash) {
      const one = alive(held.get(deviceHash));
      if (one === undefined) return Promise.resolve({ ok: false, reason: 'unknown' });
      const { state, polled } = one;
      if (state === 'waiting' || state === 'claimed') {
        const now = clock();
        one.polled = now;
        if (now - polled >= one.intervalMs - deviceBounds.toleranceMs)
          return Promise.resolve({ ok: false, reason: 'pending' });
        one.intervalMs += deviceBounds.intervalMs;
        return Promise.resolve({ ok: false, reason: 'slow_down' });
      }
      if (state === 'used') return Promise.resolve({ ok: false, reason: 'used' });
      one.state = 'used';
      return Promise.resolve(state === 'denied' ? { ok: false, reason: state } : { ok: true, granted: state });
    },
  };
}
