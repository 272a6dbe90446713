/** Promotions of all gateways: one key each, and an index of them by time, in one slot. */
import { z } from 'zod';
import type { Promotion, Promotions } from '../../ports.ts';
import { maxPromotions, promotionsMs } from '../bounds.ts';
import { type RedisConnection, listOf } from './connection.ts';
import { promotionKey, promotionsKey, promotionsPrefix } from './keys.ts';
import { script } from './redis-script.ts';
import { readInstant } from '../../time.ts';

const name = z.object({ repository: z.string(), reference: z.string() });
const stored: z.ZodType<Promotion> = z.object({
  id: z.string(),
  at: z.number().refine((at) => readInstant(at) !== undefined),
  account: z.string(),
  kind: z.enum(['user', 'robot', 'workload']),
  digest: z.string(),
  source: name,
  target: name,
  reason: z.string().optional(),
  manifests: z.number(),
  blobs: z.number(),
  mounted: z.number(),
  bytes: z.number(),
  durationMs: z.number(),
});

/** Best effort while Redis is away: a promotion that was not recorded stands in the log. */
export function createRedisPromotions(connection: Pick<RedisConnection, 'calls'>, most = maxPromotions): Promotions {
  const calls = connection.calls();
  return {
    async record(promotion) {
      const { id, at } = promotion;
      const values = [id, Math.floor(at), JSON.stringify(promotion), promotionsMs, most];
      const answer = await calls.run(recordPromotion, [promotionsKey, promotionKey(id)], values);
      return answer.ok ? { ok: true } : answer;
    },
    async find(id) {
      const answer = await calls.run(findPromotion, [promotionKey(id)]);
      return answer.ok ? { ok: true, promotion: read(answer.reply) } : answer;
    },
    async latest(count, skip, since = 0) {
      const answer = await calls.run(
        latestPromotions,
        [promotionsKey],
        [promotionsPrefix, Math.ceil(since), skip, count],
      );
      if (!answer.ok) return answer;
      const promotions = (listOf(answer) ?? []).map(read).filter((promotion) => promotion !== undefined);
      return { ok: true, promotions };
    },
  };
}

/** undefined for nothing, and for what another version of this program wrote. */
function read(text: unknown): Promotion | undefined {
  if (typeof text !== 'string') return undefined;
  try {
    const promotion = stored.safeParse(JSON.parse(text));
    return promotion.success ? promotion.data : undefined;
  } catch {
    return undefined;
  }
}

/** KEYS: the index, the promotion. ARGV: its id, its time, itself, milliseconds that it lives, how many are kept. */
const recordPromotion = script('RecordPromotion')`
redis.call('SET', KEYS[2], ARGV[3], 'PX', ARGV[4])
redis.call('ZADD', KEYS[1], ARGV[2], ARGV[1])
local time = redis.call('TIME')
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', string.format('%.0f', time[1] * 1000 - ARGV[4]))
redis.call('ZREMRANGEBYRANK', KEYS[1], 0, -ARGV[5] - 1)
redis.call('PEXPIRE', KEYS[1], ARGV[4])
return 1`;

/** KEYS: the promotion. */
const findPromotion = script('FindPromotion')`
return redis.call('GET', KEYS[1])`;

/** KEYS: the index. ARGV: what keys of promotions begin with, the earliest time, how many to leave out, how many to give. */
const latestPromotions = script('LatestPromotions')`
local found = {}
local ids = redis.call('ZREVRANGEBYSCORE', KEYS[1], '+inf', ARGV[2], 'LIMIT', ARGV[3], ARGV[4])
for _, id in ipairs(ids) do
  found[#found + 1] = redis.call('GET', ARGV[1] .. id) or ''
end
return found`;
