/** Requests for the page and for `/api/v1` have a budget of their own: looking takes nothing from pulling. */
import { clientNetwork } from '../../limits/client-network.ts';
import type { Principal } from '../../policy/model.ts';
import type { RateLimiter } from '../../ports.ts';
import type { LookLimiter } from '../api/looking.ts';

/** Requests a minute, and at once. */
const perMinute = 60;

/** Of an account, or of a network for whoever has none. What an open page asks again takes nothing from its person. */
export function createPageLimiter(limiter: Pick<RateLimiter, 'charge'>): LookLimiter {
  return async (principal: Principal, address, isRefresh = false) => {
    const source = 'name' in principal ? `${principal.kind}\n${principal.name}` : `address\n${clientNetwork(address)}`;
    // Counters of limits begin with their name, and no limit has an empty one.
    const counter = `\n${isRefresh ? 'refresh' : 'page'}\n${source}`;
    const budget = { counter, intervalUs: 60_000_000 / perMinute, burst: perMinute, isEnforced: true };
    const { admitted, balances } = await limiter.charge([budget]);
    return admitted ? 0 : Math.max(1, Math.ceil((balances[0]?.waitUs ?? 0) / 1_000_000));
  };
}
