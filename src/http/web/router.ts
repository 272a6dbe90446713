/**
 * `/ui`: pages, forms, assets, and everything that may be wrong with a request for them. Who asks is known by the cookie
 * alone; nothing is changed by a GET.
 */
import type { IncomingMessage } from 'node:http';
import type { Asset, AssetName } from '../../page-assets.ts';
import type { RateLimiter } from '../../ports.ts';
import { type Exchange, exchangeFacts } from '../front/exchange.ts';
import type { Front } from '../front/front.ts';
import { send } from '../front/respond.ts';
import { who } from '../registry/audit-facts.ts';
import { createAssets } from './assets.ts';
import { type Drawn, draw, sendTo, takesGzip } from './draw.ts';
import { createPageLimiter } from './limiter.ts';
import { pageFailed, drawnRefusal, tooManyPages, uncheckable } from './refusals.ts';
import { type RouteParts, createRoutes } from './routes.ts';
import { dropCookie, sessionCookie } from './session-cookie.ts';
import { type Step, refusing } from './step.ts';
import { type Visit, beginVisit, visitOfNobody } from './visit.ts';

export interface WebParts<Parts> extends RouteParts<Parts> {
  readonly front: Front;
  readonly limiter: Pick<RateLimiter, 'charge'>;
  /** Whether the gateway itself ends TLS. */
  readonly endsTls: boolean;
  readonly assets: readonly (Asset & { readonly name: AssetName })[];
}

export interface Web {
  /** Whether a request is for the page: everything below `/ui`, and `/` of a browser. */
  takes(path: string, request: IncomingMessage): boolean;
  /** Answers and writes down; what goes wrong inside is answered, too. */
  handle(exchange: Exchange): Promise<void>;
}

/** One value for the whole gateway. */
export function createWeb<Parts>(web: WebParts<Parts>): Web {
  const { front, endsTls } = web;
  const assets = createAssets(web.assets, web);
  const waitOf = createPageLimiter(web.limiter);
  const routes = createRoutes(web);

  async function answer(exchange: Exchange): Promise<void> {
    const path = exchange.target.split('?', 1)[0] ?? '';
    const isReading = exchange.method === 'GET' || exchange.method === 'HEAD';
    if (isReading && path === '/') return void sendTo(exchange, '/ui/', endsTls, { Vary: 'Accept' });
    const asset = isReading ? assets.answer(path, takesGzip(exchange)) : undefined;
    if (asset !== undefined) return void send(exchange, asset);
    const visit = await beginVisit(web, assets, exchange);
    await finish(visit, await stepOf(visit, path));
  }

  async function stepOf(visit: Visit, path: string): Promise<Step> {
    const { viewer, refused, exchange } = visit;
    if (refused?.reason === 'store_unavailable' || refused?.reason === 'source_unavailable')
      return refusing(uncheckable(refused.reason), 'error');
    const wait = await waitOf(viewer.caller.principal, exchange.address);
    if (wait > 0) return refusing(tooManyPages(wait));
    return routes(visit, path);
  }

  async function finish({ exchange, viewer, frame, refused }: Visit, step: Step): Promise<void> {
    // A cookie that stands for nothing is not to be sent again.
    const stale = refused === undefined || isUnchecked(step) ? [] : [dropCookie(sessionCookie)];
    const status = await reply(exchange, frame, step, stale);
    const place = `${exchange.method} ${exchange.target.split('?', 1)[0] ?? ''}`.slice(0, 200);
    const facts = { ...exchangeFacts(exchange, front.clock()), status };
    front.audit.record({
      ...(frame.viewer.isKnown ? who(viewer.caller) : {}),
      detail: place,
      ...step.record,
      ...facts,
    });
  }

  function reply(
    exchange: Exchange,
    frame: Visit['frame'],
    step: Step,
    stale: readonly string[],
  ): Promise<number> | number {
    if ('to' in step) {
      const cookies = [...stale, ...step.cookies];
      return sendTo(exchange, step.to, endsTls, cookies.length === 0 ? {} : { 'Set-Cookie': cookies });
    }
    const drawn = 'refusal' in step ? drawnRefusal(step.refusal, frame, exchange) : step.drawn;
    return draw(exchange, withCookies(drawn, stale), endsTls);
  }

  /** Drawn for nobody: whatever broke may break again. */
  async function fail(exchange: Exchange): Promise<void> {
    const { frame } = visitOfNobody(web, assets, exchange);
    const status = await draw(exchange, drawnRefusal(pageFailed, frame, exchange), endsTls);
    const facts = { ...exchangeFacts(exchange, front.clock()), status };
    front.audit.record({ event: 'access', decision: 'error', reason: pageFailed.reason, ...facts });
  }

  return {
    takes(path, { method = '', headers }) {
      if (path === '/ui' || path.startsWith('/ui/')) return true;
      return path === '/' && (method === 'GET' || method === 'HEAD') && /\btext\/html\b/i.test(headers.accept ?? '');
    },
    async handle(exchange) {
      try {
        await answer(exchange);
      } catch (error) {
        front.onError(error, exchange);
        await fail(exchange);
      }
    },
  };
}

function withCookies(drawn: Drawn, cookies: readonly string[]): Drawn {
  if (cookies.length === 0) return drawn;
  const { 'Set-Cookie': own = [], ...headers } = drawn.headers ?? {};
  return { ...drawn, headers: { ...headers, 'Set-Cookie': [...cookies, own].flat() } };
}

function isUnchecked(step: Step): boolean {
  return 'refusal' in step && step.refusal.isUnchecked === true;
}
