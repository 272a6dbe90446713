/** Requests that limits count, and what their replies say about it. */
import type { Admitted } from '../../gate/admit.ts';
import type { LimitState, Limits } from '../../limits/spend.ts';
import type { Exchange } from '../front/exchange.ts';
import { limitRule, shadowLimits } from '../front/limit-audit.ts';
import { limitHeaders } from '../front/limit-headers.ts';
import { limitReached } from '../front/respond.ts';
import type { Outcome } from './outcome.ts';

export interface Passed {
  /** Names of shadow limits that would have refused. */
  readonly shadow: readonly string[];
}

export type Counted = { readonly refusal: Outcome } | Passed;

export const uncounted: Passed = { shadow: [] };

/**
 * Counts what limits count: fetching a manifest and writing one. Asking whether there is one is free and shows the same
 * headers. Uploads are never counted, so none is refused half way.
 */
export async function countRequest(
  limits: Limits,
  exchange: Exchange,
  { route, caller, policy }: Admitted,
): Promise<Counted> {
  if (route.kind !== 'manifest-get' && route.kind !== 'manifest-put') return uncounted;
  const { principal } = caller;
  const spender = { principal, address: exchange.address, repository: route.repository };
  if (exchange.method === 'HEAD') {
    show(exchange, await limits.look(policy, 'pull', spender));
    return uncounted;
  }
  const { admitted, states } = await limits.spend(policy, route.kind === 'manifest-get' ? 'pull' : 'push', spender);
  if (admitted) {
    show(exchange, states);
    return { shadow: shadowLimits(states) };
  }
  const record = { event: 'limit', decision: 'deny', reason: 'limit_reached', ...limitRule(states) } as const;
  return { refusal: { answer: limitReached(principal, states), record } };
}

/** The headers go out with whatever answer follows. */
function show({ response }: Exchange, states: readonly LimitState[]): void {
  if (response.headersSent) return;
  for (const [name, value] of Object.entries(limitHeaders(states))) response.setHeader(name, value);
}
