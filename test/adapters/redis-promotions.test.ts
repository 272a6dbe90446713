import { expect, test } from 'vitest';
import { createRedisPromotions } from '../../src/adapters/redis/promotions.ts';
import { describeWithPrograms } from '../support/programs.ts';
import { connectRedis, openRedis } from '../support/redis-connections.ts';
import { redisForAll } from '../support/redis-for-all.ts';
import { day, describePromotions, promotionAt } from './promotions.contract.ts';

const unavailable = { ok: false, reason: 'unavailable' } as const;

describeWithPrograms(['redis-server'], 'promotions on Redis', () => {
  const server = redisForAll();

  describePromotions(async () => ({
    processes: [
      createRedisPromotions(await connectRedis(server.url), 5),
      createRedisPromotions(await connectRedis(server.url), 5),
    ],
  }));

  test('end by themselves, each and their index', async () => {
    const store = createRedisPromotions(await connectRedis(server.url));
    await store.record(promotionAt(Date.now(), 'one'));
    const keys = (await server.admin.keys('*')).sort();
    expect(keys).toEqual(['portcullis:{promotions}:all', 'portcullis:{promotions}:id:one']);
    for (const key of keys) {
      expect(await server.admin.pttl(key)).toBeGreaterThan(90 * day - 10_000);
      expect(await server.admin.pttl(key)).toBeLessThanOrEqual(90 * day);
    }
  });

  test('with a time that is none are left out', async () => {
    const store = createRedisPromotions(await connectRedis(server.url));
    await store.record(promotionAt(Date.now(), 'one'));
    const key = 'portcullis:{promotions}:id:one';
    await server.admin.set(key, ((await server.admin.get(key)) ?? '').replace(/"at":\d+/, '"at":1e300'));
    expect(await store.find('one')).toEqual({ ok: true, promotion: undefined });
    expect(await store.latest(5, 0)).toEqual({ ok: true, promotions: [] });
  });

  test('that another version wrote are left out', async () => {
    const store = createRedisPromotions(await connectRedis(server.url));
    await store.record(promotionAt(Date.now(), 'one'));
    await store.record(promotionAt(Date.now(), 'two'));
    await server.admin.set('portcullis:{promotions}:id:one', '{"id":"one","shape":2}');
    const page = await store.latest(10, 0);
    expect(page.ok && page.promotions.map(({ id }) => id)).toEqual(['two']);
    expect(await store.find('one')).toEqual({ ok: true, promotion: undefined });
  });

  test('are unavailable while Redis is away, never unknown', async () => {
    const store = createRedisPromotions(openRedis('redis://127.0.0.1:1'));
    expect(await store.record(promotionAt(0, 'one'))).toEqual(unavailable);
    expect(await store.find('one')).toEqual(unavailable);
    expect(await store.latest(10, 0)).toEqual(unavailable);
  });
});
