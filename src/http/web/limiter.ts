/** Page requests have a budget of their own: looking takes nothing from pulling. */
import { clientNetwork } from '../../limits/client-network.ts';
import type { Principal } from '../../policy/model.ts';
import type { RateLimiter } from '../../ports.ts';

/** Requests a minute, and at once. */
const perMinute = 60;

/** Of an account, or of a network for whoever has none. Seconds to wait; 0 when the request was counted. */
export function createPageLimiter(
  limiter: Pick<RateLimiter, 'charge'>,
): (principal: Principal, address: string | undefined) => Promise<number> {
  return async (principal, address) => {
    const source = 'name' in principal ? `${principal.kind}\n${principal.name}` : `address\n${clientNetwork(address)}`;
    // Counters of limits begin with their name, and no limit has an empty one.
    const counter = `\npage\n${source}`;
    const budget = { counter, intervalUs: 60_000_000 / perMinute, burst: perMinute, isEnforced: true };
    const { admitted, balances } = await limiter.charge([budget]);
    return admitted ? 0 : Math.max(1, Math.ceil((balances[0]?.waitUs ?? 0) / 1_000_000));
  };
}
