/** What every store of promotions promises. */
import { beforeEach, describe, expect, test } from 'vitest';
import type { Promotion, Promotions } from '../../src/ports.ts';

export interface PromotionsUnderTest {
  /** The same store, as two processes have it. */
  readonly processes: readonly [Promotions, Promotions];
}

export const day = 24 * 3600 * 1000;

export function promotionAt(at: number, id: string, more: Partial<Promotion> = {}): Promotion {
  return {
    ...{ id, at, account: 'rita', kind: 'user', digest: `sha256:${'0'.repeat(64)}` },
    source: { repository: 'integration/app', reference: '1.0' },
    target: { repository: 'release/app', reference: 'v1.0' },
    reason: undefined,
    ...{ manifests: 1, blobs: 2, mounted: 2, bytes: 0, durationMs: 12 },
    ...more,
  };
}

export function describePromotions(open: () => Promise<PromotionsUnderTest>): void {
  describe('as every other', () => {
    let a: Promotions;
    let b: Promotions;
    beforeEach(async () => {
      [a, b] = (await open()).processes;
    });
    const now = Date.now();
    const idsOf = async (...given: Parameters<Promotions['latest']>): Promise<readonly string[]> => {
      const page = await b.latest(...given);
      return page.ok ? page.promotions.map(({ id }) => id) : ['unavailable'];
    };

    test('what one process records another finds, whole', async () => {
      const promotion = promotionAt(now, 'one', { reason: 'a "reason" with ünïcode', kind: 'robot', bytes: 7 });
      expect(await a.record(promotion)).toEqual({ ok: true });
      expect(await b.find('one')).toEqual({ ok: true, promotion });
      const plain = promotionAt(now, 'plain');
      await a.record(plain);
      const found = await b.find('plain');
      expect(found.ok && found.promotion).toMatchObject({ id: 'plain', account: 'rita' });
    });

    test.each(['', 'none', '__proto__', '*', 'a'.repeat(5000)])('nothing is found under %s', async (id) => {
      await a.record(promotionAt(now, 'one'));
      expect(await b.find(id)).toEqual({ ok: true, promotion: undefined });
    });

    test('the latest come first, page by page, none from before what was asked', async () => {
      for (const [id, ago] of [
        ['c', 1],
        ['e', 3],
        ['a', 0],
        ['d', 2],
      ] as const)
        await a.record(promotionAt(now - ago * 1000, id));
      expect(await idsOf(10, 0)).toEqual(['a', 'c', 'd', 'e']);
      expect(await idsOf(2, 1)).toEqual(['c', 'd']);
      expect(await idsOf(10, 4)).toEqual([]);
      expect(await idsOf(10, 0, now - 2000)).toEqual(['a', 'c', 'd']);
    });

    test('they are bounded in number: the oldest go', async () => {
      for (let number = 0; number < 8; number++) await a.record(promotionAt(now - 8 + number, `n${number}`));
      expect(await idsOf(100, 0)).toEqual(['n7', 'n6', 'n5', 'n4', 'n3']);
    });

    test('after 90 days they are gone', async () => {
      await a.record(promotionAt(now - 91 * day, 'old'));
      await a.record(promotionAt(now, 'new'));
      expect(await idsOf(10, 0)).toEqual(['new']);
    });
  });
}
