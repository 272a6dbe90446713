/** Promotions that were done, for who may see everything: made they are on the main listener, by an account. */
import type { Clock, Promotion, Promotions } from '../../ports.ts';
import { nameOf, readListQuery } from '../../promotion/visible.ts';
import { promotion as promotionSchema, promotionList } from './admin-types.ts';
import { type Operation, type Result, instant } from './operation.ts';

export interface PromotionsParts {
  readonly promotions: Promotions;
  readonly clock: Clock;
}

/** Looked at for one list. */
const maxLooked = 10_000;
const pageSize = 500;

export const promotionOperations: readonly Operation<PromotionsParts>[] = [
  {
    method: 'GET',
    path: '/api/v1/promotions',
    summary: 'Promotions of the last 90 days, the latest first.',
    query: {
      repository: 'of which it is the source or the target',
      since: 'an instant, or how long ago: 24h, 7d',
      limit: 'at most so many; 100 when left out',
    },
    answer: promotionList,
    run: (parts, { query }) => list(parts, query.toString()),
  },
  {
    method: 'GET',
    path: '/api/v1/promotions/{id}',
    summary: 'One promotion.',
    answer: promotionSchema,
    run: async ({ promotions }, { id }) => {
      const found = await promotions.find(id);
      if (!found.ok) return away;
      const { promotion } = found;
      return promotion === undefined
        ? { ok: false, reason: 'unknown', detail: 'there is no such promotion' }
        : { ok: true, body: viewOf(promotion) };
    },
  },
];

const away: Result = { ok: false, reason: 'unavailable', detail: 'the store of promotions cannot be reached' };

async function list({ promotions, clock }: PromotionsParts, text: string): Promise<Result> {
  const query = readListQuery(text, clock());
  if (!query.ok) return { ok: false, reason: 'invalid', detail: query.problem };
  const { repository, since, limit } = query;
  const shown: Promotion[] = [];
  for (let skip = 0; skip < maxLooked && shown.length < limit; skip += pageSize) {
    const page = await promotions.latest(pageSize, skip, since);
    if (!page.ok) return away;
    const isWanted = ({ source, target }: Promotion): boolean =>
      repository === undefined || [source.repository, target.repository].includes(repository);
    shown.push(...page.promotions.filter(isWanted));
    if (page.promotions.length < pageSize) break;
  }
  return { ok: true, body: { promotions: shown.slice(0, limit).map(viewOf) } };
}

function viewOf({ at, source, target, ...rest }: Promotion): unknown {
  return { ...rest, time: instant(at), source: nameOf(source), target: nameOf(target) };
}
