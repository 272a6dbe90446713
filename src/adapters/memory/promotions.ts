/** Promotions of one process, the latest of them. */
import type { Clock, Promotion, Promotions } from '../../ports.ts';
import { maxPromotions, promotionsMs } from '../bounds.ts';

/** Forgotten when the process ends: the log keeps them. `most` for tests. */
export function createMemoryPromotions(clock: Clock, most = maxPromotions): Promotions {
  /** In the order in which they were done. */
  const kept = new Map<string, Promotion>();
  const isKept = ({ at }: Promotion): boolean => at > clock() - promotionsMs;
  return {
    record(promotion) {
      kept.set(promotion.id, promotion);
      for (const [id, oldest] of kept) {
        if (kept.size <= most && isKept(oldest)) break;
        kept.delete(id);
      }
      return Promise.resolve({ ok: true });
    },
    find(id) {
      const promotion = kept.get(id);
      return Promise.resolve({
        ok: true,
        promotion: promotion !== undefined && isKept(promotion) ? promotion : undefined,
      });
    },
    latest(count, skip, since = 0) {
      const found = [...kept.values()].filter((each) => isKept(each) && each.at >= since);
      found.sort((left, right) => right.at - left.at);
      return Promise.resolve({ ok: true, promotions: found.slice(skip, skip + count) });
    },
  };
}
