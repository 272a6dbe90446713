import { expect, test } from 'vitest';
import { createRedisDeviceLogins } from '../../src/adapters/redis/device-logins.ts';
import { describeWithPrograms } from '../support/programs.ts';
import { connectRedis, openRedis } from '../support/redis-connections.ts';
import { redisForAll } from '../support/redis-for-all.ts';
import { describeDeviceLogins } from './device-logins.contract.ts';

describeWithPrograms(['redis-server'], 'logins of terminals on Redis', () => {
  const server = redisForAll();

  const device = `portcullis:{devices}:device:${'d'.repeat(64)}`;

  describeDeviceLogins(async () => ({
    processes: [
      createRedisDeviceLogins(await connectRedis(server.url)),
      createRedisDeviceLogins(await connectRedis(server.url)),
    ],
    // What it remembers of the last time is that much older.
    elapse: async (ms) => void (await server.admin.hincrby(device, 'polled', -ms)),
  }));

  test('end by themselves, and hold neither the code nor the token', async () => {
    const store = createRedisDeviceLogins(await connectRedis(server.url));
    await store.begin({ deviceHash: 'd'.repeat(64), userCode: 'BCDFGHJK' }, { tokenHash: 't', asked: 1 });
    const keys = await server.admin.keys('*');
    expect(keys).toHaveLength(2);
    for (const key of keys) {
      expect(key).not.toContain('BCDF');
      expect(await server.admin.pttl(key)).toBeGreaterThan(590_000);
      expect(await server.admin.pttl(key)).toBeLessThanOrEqual(600_000);
    }
  });

  test('with a time that is none are shown to nobody', async () => {
    const store = createRedisDeviceLogins(await connectRedis(server.url));
    await store.begin({ deviceHash: 'd'.repeat(64), userCode: 'BCDFGHJK' }, { tokenHash: 't', asked: 1 });
    await server.admin.hset(device, 'asked', '{"tokenHash":"t","asked":1e300}');
    expect((await store.look('BCDFGHJK', 'dana')).ok).toBe(false);
    await server.admin.hset(device, 'state', 'settled', 'answer', '{"account":"dana","id":"a","expires":1e300}');
    expect(await store.poll('d'.repeat(64))).toMatchObject({ ok: false, reason: 'unavailable' });
  });

  test('are unavailable while Redis is away, never unknown', async () => {
    const store = createRedisDeviceLogins(openRedis('redis://127.0.0.1:1'));
    const unavailable = { ok: false, reason: 'unavailable' };
    expect(await store.begin({ deviceHash: 'd', userCode: 'u' }, { tokenHash: 't', asked: 1 })).toEqual(unavailable);
    expect(await store.look('u', 'dana')).toEqual(unavailable);
    expect(await store.claim('u', 'dana')).toEqual(unavailable);
    expect(await store.settle('u', 'denied')).toEqual(unavailable);
    expect(await store.poll('d')).toEqual(unavailable);
  });
});
