/** Promotions that were done, as far as somebody may know of them. */
import type { Caller } from '../../identity/identify.ts';
import type { CompiledPolicy } from '../../policy/evaluate.ts';
import type { Clock, Promotion, Promotions } from '../../ports.ts';
import { type Visible, type Viewer, nameOf, readListQuery, showPromotion } from '../../promotion/visible.ts';
import type { Exchange } from '../front/exchange.ts';
import type { ApiReply } from './caller.ts';
import { document, problem } from './problems.ts';

interface ListParts {
  readonly promotions: Promotions;
  readonly clock: Clock;
}

interface Called {
  readonly caller: Caller;
  readonly policy: CompiledPolicy;
}

/** Read from the store at a time, and looked at for one list. */
const pageSize = 200;
const maxLooked = 10_000;

/** The latest first. */
export async function listPromotions(parts: ListParts, called: Called, exchange: Exchange): Promise<ApiReply> {
  const mark = exchange.target.indexOf('?');
  const query = readListQuery(mark === -1 ? '' : exchange.target.slice(mark + 1), parts.clock());
  if (!query.ok)
    return {
      answer: problem('request-invalid', query.problem),
      record: { decision: 'deny', reason: 'request_malformed' },
    };
  const viewer = viewerOf(parts, called, exchange);
  const shown: unknown[] = [];
  for (let skip = 0; skip < maxLooked && shown.length < query.limit; skip += pageSize) {
    const page = await parts.promotions.latest(pageSize, skip, query.since);
    if (!page.ok) return storeAway;
    for (const promotion of page.promotions) {
      const visible = showPromotion(viewer, promotion);
      const isWanted = query.repository === undefined || visible?.repositories.includes(query.repository) === true;
      if (visible !== undefined && isWanted && shown.length < query.limit) shown.push(viewOf(promotion, visible));
    }
    if (page.promotions.length < pageSize) break;
  }
  return { answer: document(200, { promotions: shown }), record: {} };
}

/** One that may not be seen is one that does not exist. */
export async function onePromotion(parts: ListParts, called: Called, exchange: Exchange): Promise<ApiReply> {
  const id = exchange.target.split('?', 1)[0]?.split('/').at(-1) ?? '';
  const found = await parts.promotions.find(id);
  if (!found.ok) return storeAway;
  const { promotion } = found;
  const visible = promotion === undefined ? undefined : showPromotion(viewerOf(parts, called, exchange), promotion);
  if (promotion === undefined || visible === undefined)
    return { answer: problem('promotion-unknown', 'there is no such promotion that you may see'), record: {} };
  return { answer: document(200, viewOf(promotion, visible)), record: {} };
}

const storeAway: ApiReply = {
  answer: problem('busy', 'the store of promotions cannot be reached; try again', { headers: { 'Retry-After': '3' } }),
  record: { decision: 'error', reason: 'store_unavailable' },
};

function viewerOf({ clock }: ListParts, { caller, policy }: Called, { address }: Exchange): Viewer {
  return { caller, policy, principal: caller.principal, circumstances: { address, now: clock() } };
}

function viewOf(promotion: Promotion, { source, target, isWhole }: Visible): unknown {
  const { id, at, digest, account, kind, reason, manifests, blobs, mounted, bytes, durationMs } = promotion;
  return {
    id,
    time: new Date(at).toISOString(),
    digest,
    ...(source && { source: nameOf(source) }),
    ...(target && { target: nameOf(target) }),
    ...(isWhole ? { account, kind, reason } : {}),
    ...{ manifests, blobs, mounted, bytes, durationMs },
  };
}
