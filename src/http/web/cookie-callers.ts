/** Who calls `/api/v1` with the page's cookie. */
import type { Identity } from '../../identity/identify.ts';
import type { CookieCallers } from '../api/viewer.ts';
import { isFromOwnPage } from './csrf.ts';
import { identifyCookie } from './session-cookie.ts';

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
