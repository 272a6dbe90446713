/** Who calls `/api/v1` with the page's cookie. */
import type { Caller, Identity } from '../../identity/identify.ts';
import type { CompiledPolicy } from '../../policy/evaluate.ts';
import type { Exchange } from '../front/exchange.ts';
import { isFromOwnPage } from './csrf.ts';
import { identifyCookie } from './session-cookie.ts';

export interface CookieCaller {
  readonly caller: Caller;
  readonly policy: CompiledPolicy;
  /** Whether the browser says that a page of ours sent it: no other site made it do so. */
  readonly isFromPage: boolean;
}

export interface CookieCallers {
  /** undefined: the request shows no cookie of the page, or one that is over. `unavailable`: nobody can tell now. */
  look(exchange: Exchange): Promise<CookieCaller | 'unavailable' | undefined>;
}

/** By the same sessions as the page itself. */
export function createCookieCallers(identity: Pick<Identity, 'identify'>): CookieCallers {
  return {
    async look(exchange) {
      const found = await identifyCookie(identity, exchange);
      if (found.kind === 'none') return undefined;
      if (found.kind === 'identified')
        return { caller: found.caller, policy: found.policy, isFromPage: isFromOwnPage(exchange) };
      const { reason } = found.refusal;
      return reason === 'store_unavailable' || reason === 'source_unavailable' ? 'unavailable' : undefined;
    },
  };
}
