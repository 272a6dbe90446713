import { describe, expect, test } from 'vitest';
import { createMemoryPromotions } from '../../src/adapters/memory/promotions.ts';
import { day, describePromotions, promotionAt } from './promotions.contract.ts';

describe('promotions in one process', () => {
  describePromotions(() => {
    const store = createMemoryPromotions(Date.now, 5);
    return Promise.resolve({ processes: [store, store] });
  });

  test('are forgotten when their time is over, whether or not another one comes', async () => {
    let now = Date.now();
    const store = createMemoryPromotions(() => now);
    await store.record(promotionAt(now, 'one'));
    now += 90 * day;
    expect(await store.find('one')).toEqual({ ok: true, promotion: undefined });
    expect(await store.latest(10, 0)).toEqual({ ok: true, promotions: [] });
  });
});
