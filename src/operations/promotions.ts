/** Promotions that were done, as far as somebody may know of them. Asking for one is on the main listener alone. */
import { z } from 'zod';
import type { Clock, Promotion, Promotions } from '../ports.ts';
import { type Visible, nameOf, readListQuery, showPromotion } from '../promotion/visible.ts';
import { promotion as promotionSchema, promotionList } from './answers.ts';
import { type Operation, type Outcome, type Refusal, instant, operation } from './operation.ts';
import type { Viewer } from './viewer.ts';

export interface PromotionListParts {
  readonly promotions: Promotions;
  readonly clock: Clock;
}

/** Looked at for one list, and read from the store at a time. */
const maxLooked = 10_000;
const pageSize = 500;

type PromotionView = z.output<typeof promotionSchema>;

const away: Refusal = {
  ok: false,
  reason: 'unavailable',
  detail: 'the store of promotions cannot be reached',
  type: 'busy',
};

export const promotionOperations: readonly Operation<PromotionListParts>[] = [
  operation<PromotionListParts>()({
    method: 'GET',
    path: '/promotions',
    summary: 'Promotions of the last 90 days, the latest first; of each the sides that the caller may pull.',
    needs: 'account',
    input: z.object({
      repository: z.string().optional().describe('of which it is the source or the target'),
      since: z.string().optional().describe('an instant, or how long ago: 24h, 7d'),
      limit: z.string().optional().describe('at most so many; 100 when left out'),
    }),
    answer: promotionList,
    run: (parts, viewer, input) => list(parts, viewer, input),
  }),
  operation<PromotionListParts>()({
    method: 'GET',
    path: '/promotions/{id}',
    summary: 'One promotion, of which the caller may pull one side.',
    needs: 'account',
    input: z.object({ id: z.string() }),
    answer: promotionSchema,
    async run({ promotions }, viewer, { id }) {
      const found = await promotions.find(id);
      if (!found.ok) return away;
      const shown = found.promotion && show(viewer, found.promotion);
      // One that may not be seen is one that does not exist.
      return shown === undefined
        ? {
            ok: false,
            reason: 'unknown',
            detail: 'there is no such promotion that you may see',
            type: 'promotion-unknown',
          }
        : { ok: true, answer: shown.view };
    },
  }),
];

async function list(
  { promotions, clock }: PromotionListParts,
  viewer: Viewer,
  input: { readonly repository?: string | undefined; since?: string | undefined; limit?: string | undefined },
): Promise<Outcome<{ promotions: PromotionView[] }>> {
  const query = readListQuery(input, clock());
  if (!query.ok) return { ok: false, reason: 'invalid', detail: query.problem };
  const shown: PromotionView[] = [];
  for (let skip = 0; skip < maxLooked && shown.length < query.limit; skip += pageSize) {
    const page = await promotions.latest(pageSize, skip, query.since);
    if (!page.ok) return away;
    for (const promotion of page.promotions) {
      const found = show(viewer, promotion);
      const isWanted = query.repository === undefined || found?.repositories.includes(query.repository) === true;
      if (found !== undefined && isWanted && shown.length < query.limit) shown.push(found.view);
    }
    if (page.promotions.length < pageSize) break;
  }
  return { ok: true, answer: { promotions: shown } };
}

function show(
  viewer: Viewer,
  promotion: Promotion,
): { readonly view: PromotionView; readonly repositories: readonly string[] } | undefined {
  const { source, target } = promotion;
  const whole: Visible = { source, target, isWhole: true, repositories: [source.repository, target.repository] };
  const visible =
    viewer.kind === 'operator' ? whole : showPromotion({ ...viewer, principal: viewer.caller.principal }, promotion);
  return visible && { view: viewOf(promotion, visible), repositories: visible.repositories };
}

function viewOf(promotion: Promotion, { source, target, isWhole }: Visible): PromotionView {
  const { id, at, digest, account, kind, reason, manifests, blobs, mounted, bytes, durationMs } = promotion;
  return {
    id,
    time: instant(at),
    digest,
    ...(source && { source: nameOf(source) }),
    ...(target && { target: nameOf(target) }),
    ...(isWhole ? { account, kind, reason } : {}),
    ...{ manifests, blobs, mounted, bytes, durationMs },
  };
}
