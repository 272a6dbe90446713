/** Logins of terminals, in Redis: whichever gateway the terminal and the browser come to. What is kept where: keys.ts. */
import { z } from 'zod';
import type { DeviceAsked, DeviceFound, DeviceGranted, DeviceLogins } from '../../ports.ts';
import { cutClient, deviceBounds, unavailable } from '../bounds.ts';
import type { RedisConnection } from './connection.ts';
import { devicesPrefix, nameKey } from './keys.ts';
import { script } from './redis-script.ts';
import { readInstant } from '../../time.ts';

const instant = z.number().refine((at) => readInstant(at) !== undefined);
const stored: z.ZodType<DeviceAsked> = z.object({
  tokenHash: z.string(),
  address: z.string().optional(),
  userAgent: z.string().optional(),
  asked: instant,
});
const granted: z.ZodType<DeviceGranted> = z.object({ account: z.string(), id: z.string(), expires: instant });

/** Where a key lies: all are in one slot. */
const slot = [`${devicesPrefix}slot`];

/** `unavailable` while Redis is away; a login that is lost with it has to be begun again. */
export function createRedisDeviceLogins(connection: Pick<RedisConnection, 'calls'>): DeviceLogins {
  const calls = connection.calls();

  async function take(step: typeof lookAtDevice, userCode: string, account: string): Promise<DeviceFound> {
    const answer = await calls.run(step, slot, [nameKey(userCode), account]);
    if (!answer.ok) return unavailable;
    if (answer.reply === null) return { ok: false, reason: 'unknown' };
    const asked = read(stored, answer.reply);
    return asked === undefined ? unavailable : { ok: true, asked };
  }

  return {
    async begin({ deviceHash, userCode }, asked) {
      const values = [
        deviceHash,
        nameKey(userCode),
        JSON.stringify({ ...asked, ...cutClient({ address: asked.address, userAgent: asked.userAgent }) }),
        deviceBounds.livesMs,
      ];
      const answer = await calls.run(beginDevice, slot, [...values, deviceBounds.intervalMs]);
      if (!answer.ok) return unavailable;
      return answer.reply === 1 ? { ok: true } : { ok: false, reason: 'taken' };
    },
    look: (userCode, account) => take(lookAtDevice, userCode, account),
    claim: (userCode, account) => take(claimDevice, userCode, account),
    async settle(userCode, given) {
      const text = given === 'denied' ? given : JSON.stringify(given);
      const answer = await calls.run(settleDevice, slot, [nameKey(userCode), text]);
      if (!answer.ok) return unavailable;
      return answer.reply === 1 ? { ok: true } : { ok: false, reason: 'unknown' };
    },
    async poll(deviceHash) {
      const { intervalMs, toleranceMs } = deviceBounds;
      const answer = await calls.run(pollDevice, slot, [deviceHash, intervalMs, toleranceMs]);
      if (!answer.ok) return unavailable;
      const reason = (['pending', 'slow_down', 'denied', 'used', 'unknown'] as const).find(
        (one) => one === answer.reply,
      );
      if (reason !== undefined) return { ok: false, reason };
      const found = read(granted, answer.reply);
      return found === undefined ? unavailable : { ok: true, granted: found };
    },
  };
}

/** undefined for what another version of this program wrote. */
function read<T>(schema: z.ZodType<T>, text: unknown): T | undefined {
  try {
    return schema.safeParse(JSON.parse(String(text))).data;
  } catch {
    return undefined;
  }
}

/** ARGV: device hash, user code's name, who asks, ms that it lives, ms between polls. 0 when the user code is taken. */
const beginDevice = script('BeginDevice')`
local user = '${devicesPrefix}user:' .. ARGV[2]
if not redis.call('SET', user, ARGV[1], 'NX', 'PX', ARGV[4]) then return 0 end
local key = '${devicesPrefix}device:' .. ARGV[1]
redis.call('HSET', key, 'asked', ARGV[3], 'state', 'waiting', 'interval', ARGV[5])
redis.call('PEXPIRE', key, ARGV[4])
return 1`;

const waiting = `
local device = redis.call('GET', '${devicesPrefix}user:' .. ARGV[1])
if not device then return nil end
local key = '${devicesPrefix}device:' .. device
if redis.call('HGET', key, 'state') ~= 'waiting' then return nil end
`;

/** ARGV: user code's name, account. Returns who asks, or nil. */
const lookAtDevice = script('LookAtDevice')`${waiting}
redis.call('HSET', key, 'seenBy', ARGV[2])
return redis.call('HGET', key, 'asked')`;

/** The same for whoever looked at it last. */
const claimDevice = script('ClaimDevice')`${waiting}
if redis.call('HGET', key, 'seenBy') ~= ARGV[2] then return nil end
redis.call('HSET', key, 'state', 'claimed')
return redis.call('HGET', key, 'asked')`;

/** ARGV: user code's name, the answer. */
const settleDevice = script('SettleDevice')`
local device = redis.call('GET', '${devicesPrefix}user:' .. ARGV[1])
if not device then return 0 end
local key = '${devicesPrefix}device:' .. device
if redis.call('HGET', key, 'state') ~= 'claimed' then return 0 end
redis.call('HSET', key, 'state', 'settled', 'answer', ARGV[2])
return 1`;

/** ARGV: device hash, ms between polls, ms that one may come early. Returns the answer, or a word. */
const pollDevice = script('PollDevice')`
local key = '${devicesPrefix}device:' .. ARGV[1]
local held = redis.call('HMGET', key, 'state', 'answer', 'polled', 'interval')
if not held[1] then return 'unknown' end
if held[1] == 'used' then return 'used' end
if held[1] == 'settled' then
  redis.call('HSET', key, 'state', 'used')
  redis.call('HDEL', key, 'answer')
  return held[2]
end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('HSET', key, 'polled', string.format('%.0f', now))
if not held[3] or now - held[3] >= held[4] - ARGV[3] then return 'pending' end
redis.call('HINCRBY', key, 'interval', ARGV[2])
return 'slow_down'`;
