/** How often somebody may look: the budget that the page and `/api/v1` share, and what an open page asks again by itself. */
import type { Principal } from '../../policy/model.ts';
import type { Exchange } from '../front/exchange.ts';

/** Seconds to wait; 0 when the request was counted. */
export type LookLimiter = (principal: Principal, address: string | undefined, isRefresh?: boolean) => Promise<number>;

/** Sent by page.js; the script of another site cannot send it along with the cookie. */
const refreshHeader = 'portcullis-refresh';

/** The one thing that an open page asks again. Of anything else each request is asked for, counted and written down as such. */
const refreshed = '/api/v1/activity';

/** Whether a request that came by the cookie repeats what its page shows, and nobody asked for it. */
export function isRefresh({ method, request, target }: Exchange): boolean {
  return method === 'GET' && request.headers[refreshHeader] === '1' && target.split('?', 1)[0] === refreshed;
}

const apartMs = 60_000;
const maxKnown = 10_000;

/** Refreshes that were written down: one of each viewer and address a minute says as much as twenty. */
export class NotedRefreshes {
  readonly #notedAt = new Map<string, number>();

  /** Whether this one is to be written down; then the next is a minute later. */
  isDue(viewer: string, path: string, now: number): boolean {
    const key = `${viewer}\n${path}`;
    const before = this.#notedAt.get(key);
    if (before !== undefined && Math.abs(now - before) < apartMs) return false;
    this.#notedAt.delete(key);
    if (this.#notedAt.size >= maxKnown) this.#notedAt.delete(this.#notedAt.keys().next().value ?? '');
    this.#notedAt.set(key, now);
    return true;
  }
}
