/** `/api/v1` of the main listener: for accounts, by their own rights. */
import type { Asking } from '../../operations/ask.ts';
import type { Front } from '../front/front.ts';
import { type PromotionApiParts, createPromotionApi } from './promotions.ts';
import type { LookLimiter } from './looking.ts';
import { type Api, createApi } from './table.ts';
import { type CookieCallers, type ViewerParts, identifyViewer } from './viewer.ts';

export interface MainApiParts extends PromotionApiParts {
  readonly front: Pick<Front, 'service' | 'onError' | 'audit'>;
  readonly api: {
    readonly asking: Asking;
    readonly version: string;
    readonly showsAnonymous: boolean;
    readonly cookies?: CookieCallers | undefined;
    readonly waitOf?: LookLimiter;
  };
}

/** What is asked here is judged by whoever calls. */
export function createMainApi(all: MainApiParts): Api {
  const { asking, version, showsAnonymous, cookies, waitOf } = all.api;
  const { identity, clock } = all.gate;
  const viewing: ViewerParts = { identity, clock, service: all.front.service, showsAnonymous, cookies };
  return createApi({
    asking,
    ...(waitOf === undefined ? {} : { waitOf }),
    specials: [createPromotionApi(all)],
    version,
    schemes: {
      basic: { type: 'http', scheme: 'basic' },
      token: { type: 'http', scheme: 'bearer', description: 'shows only the repositories in its access' },
      page: { type: 'apiKey', in: 'cookie', name: '__Host-portcullis' },
    },
    async identify(exchange, needs) {
      const viewed = await identifyViewer(viewing, exchange, needs);
      if (!viewed.ok) return viewed;
      const { viewer, cookie } = viewed;
      return { ok: true, viewer, isByCookie: cookie !== undefined, isFromPage: cookie?.isFromPage === true };
    },
    onError: all.front.onError,
    audit: all.front.audit,
  });
}
