/**
 * `/ui`: pages, forms, assets, and everything that may be wrong with a request for them. Who asks is known by the cookie
 * alone; nothing is changed by a GET.
 */
import type { IncomingMessage } from 'node:http';
import { ask } from '../../operations/ask.ts';
import { mayAnywhere } from '../../operations/anywhere.ts';
import type { Asset, AssetName } from '../../page-assets.ts';
import type { AuditRecord, RateLimiter } from '../../ports.ts';
import { type Exchange, exchangeFacts } from '../front/exchange.ts';
import type { Front } from '../front/front.ts';
import { send } from '../front/respond.ts';
import { who } from '../registry/audit-facts.ts';
import { createAssets } from './assets.ts';
import { isCsrfToken, isFromOwnPage } from './csrf.ts';
import { type Drawn, draw, sendTo, takesGzip } from './draw.ts';
import { readForm } from './form-body.ts';
import { createPageLimiter } from './limiter.ts';
import { type LoginParts, type LoginStep, postLogin, postLogout, showLogin, showLogout } from './login.ts';
import type { Form, Page } from './page.ts';
import {
  type PageRefusal,
  drawnRefusal,
  loginNeeded,
  methodRefused,
  notFromHere,
  outcomeRefusal,
  pageFailed,
  pageUnknown,
  tooManyPages,
  uncheckable,
} from './refusals.ts';
import { dropCookie, sessionCookie } from './session-cookie.ts';
import { type Visit, beginVisit } from './visit.ts';

export interface WebParts<Parts> extends LoginParts {
  readonly front: Front;
  readonly limiter: Pick<RateLimiter, 'charge'>;
  /** Whether the gateway itself ends TLS. */
  readonly endsTls: boolean;
  /** What nobody in particular sees: what anonymous callers may pull, or the login only. */
  readonly anonymous: 'auto' | 'never';
  readonly assets: readonly (Asset & { readonly name: AssetName })[];
  readonly pages: readonly Page<Parts>[];
  readonly forms: readonly Form<Parts>[];
  /** What their operations work with. */
  readonly parts: Parts;
}

export interface Web {
  /** Whether a request is for the page: everything below `/ui`, and `/` of a browser. */
  takes(path: string, request: IncomingMessage): boolean;
  /** Answers and writes down; what goes wrong inside is answered, too. */
  handle(exchange: Exchange): Promise<void>;
}

type Result = LoginStep;
type Record = Result['record'];

/** One value for the whole gateway. */
export function createWeb<Parts>(web: WebParts<Parts>): Web {
  const { front, endsTls } = web;
  const assets = createAssets(web.assets, web);
  const waitOf = createPageLimiter(web.limiter);
  const router = createRouter(web);

  async function answer(exchange: Exchange): Promise<void> {
    const path = exchange.target.split('?', 1)[0] ?? '';
    const isReading = exchange.method === 'GET' || exchange.method === 'HEAD';
    if (path === '/' || path === '/ui')
      return void sendTo(exchange, '/ui/', endsTls, path === '/' ? { Vary: 'Accept' } : {});
    const asset = isReading ? assets.answer(path, takesGzip(exchange)) : undefined;
    if (asset !== undefined) return void send(exchange, asset);
    const visit = await beginVisit(web, assets, exchange);
    const { viewer, refused } = visit;
    if (refused?.reason === 'store_unavailable' || refused?.reason === 'source_unavailable')
      return finish(visit, refusing(uncheckable(refused.reason), 'error'));
    const wait = await waitOf(viewer.caller.principal, exchange.address);
    if (wait > 0) return finish(visit, refusing(tooManyPages(wait)));
    return finish(visit, await router(visit, path));
  }

  async function finish(visit: Visit, result: Result): Promise<void> {
    const { exchange, viewer, frame } = visit;
    const status = await reply(exchange, visit, result);
    const place = `${exchange.method} ${exchange.target.split('?', 1)[0] ?? ''}`.slice(0, 200);
    const facts = { ...exchangeFacts(exchange, front.clock()), route: 'ui', status } as const;
    front.audit.record({
      ...(frame.viewer.isKnown ? who(viewer.caller) : {}),
      detail: place,
      ...result.record,
      ...facts,
    });
  }

  function reply(exchange: Exchange, { frame, refused }: Visit, result: Result): Promise<number> | number {
    // A cookie that stands for nothing is not to be sent again.
    const stale = refused === undefined ? [] : [dropCookie(sessionCookie)];
    if ('to' in result) return sendTo(exchange, result.to, endsTls, cookieHeader([...stale, ...result.cookies]));
    const drawn: Drawn = 'refusal' in result ? drawnRefusal(result.refusal, frame, exchange.requestId) : result.drawn;
    return draw(exchange, drawn, endsTls);
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
        await failed(web, assets, exchange);
      }
    },
  };
}

function cookieHeader(cookies: readonly string[]): { readonly 'Set-Cookie'?: readonly string[] } {
  return cookies.length === 0 ? {} : { 'Set-Cookie': cookies };
}

/** The page of a defect, drawn for nobody: whatever broke may break again. */
async function failed<Parts>(
  web: WebParts<Parts>,
  assets: ReturnType<typeof createAssets>,
  exchange: Exchange,
): Promise<void> {
  const identify = { identify: () => Promise.reject(new Error('not asked')) };
  const request = {
    ...exchange,
    request: Object.create(exchange.request, { headers: { value: {} } }) as IncomingMessage,
  };
  const { frame } = await beginVisit({ ...web, identity: identify }, assets, request);
  const status = await draw(
    exchange,
    drawnRefusal({ ...pageFailed, isUnchecked: true }, frame, exchange.requestId),
    web.endsTls,
  );
  const facts = { ...exchangeFacts(exchange, web.front.clock()), route: 'ui', status } as const;
  web.front.audit.record({ event: 'access', decision: 'error', reason: pageFailed.reason, ...facts });
}

function refusing(refusal: PageRefusal, decision: AuditRecord['decision'] = 'deny'): Result {
  return { record: { event: refusal.status === 429 ? 'limit' : 'access', decision, reason: refusal.reason }, refusal };
}

function createRouter<Parts>(web: WebParts<Parts>): (visit: Visit, path: string) => Promise<Result> {
  const { pages, forms, parts, front } = web;
  const seen: Record = { event: 'access', decision: 'allow', reason: 'authenticated' };

  function pageAt(path: string): { readonly page: Page<Parts>; readonly rest: string } | undefined {
    const page =
      pages.find((each) => each.path === path) ??
      pages.find((each) => each.path !== '/ui/' && each.path.endsWith('/') && path.startsWith(each.path));
    return page && { page, rest: path.slice(page.path.length) };
  }

  async function read(visit: Visit, path: string): Promise<Result> {
    const { exchange, viewer, frame } = visit;
    const mark = exchange.target.indexOf('?');
    const query = new URLSearchParams(mark === -1 ? '' : exchange.target.slice(mark + 1));
    if (path === '/ui/login')
      return frame.viewer.isKnown ? { record: seen, to: '/ui/', cookies: [] } : showLogin(visit, query);
    if (path === '/ui/logout') return showLogout(visit);
    const login = (): Result => ({
      record: { event: 'access', decision: 'deny', reason: 'login_needed' },
      to: `/ui/login?next=${encodeURIComponent(exchange.target)}${visit.refused === undefined ? '' : '&why=ended'}`,
      cookies: [],
    });
    const isShown = frame.viewer.isKnown || (web.anonymous === 'auto' && mayAnywhere(viewer, 'pull'));
    if (!isShown) return login();
    const found = pageAt(path);
    if (found === undefined) return refusing(pageUnknown);
    const asked = { rest: found.rest, query };
    const outcome = await ask(found.page.operation, parts, viewer, found.page.input(asked));
    if (outcome.ok)
      return { record: seen, drawn: { status: 200, view: found.page.view(outcome.answer, frame, asked) } };
    return outcome.reason === 'login' ? login() : refusing(outcomeRefusal(outcome.reason, outcome.detail));
  }

  async function post(visit: Visit, path: string, form: Form<Parts> | undefined): Promise<Result> {
    const { exchange, viewer, frame, secret } = visit;
    if (!isFromOwnPage(exchange)) return refusing(notFromHere('cross_site'));
    const body = await readForm(exchange);
    if (!body.ok) {
      const { status, detail } = body;
      return refusing({ status, reason: 'form_unreadable', title: 'The form cannot be read', detail });
    }
    const { fields } = body;
    if (path === '/ui/login') return postLogin(web, visit, fields);
    if (secret === undefined) return refusing(loginNeeded(front.service));
    if (!isCsrfToken(secret, path, fields.get('csrf') ?? '')) return refusing(notFromHere('form_token_invalid'));
    if (form === undefined) return postLogout(web, visit, secret);
    const outcome = await ask(form.operation, parts, viewer, form.input(fields));
    const record = { ...seen, detail: `POST ${path}` };
    if (outcome.ok) {
      const done = form.done(outcome.answer, frame, fields);
      return 'to' in done ? { record, to: done.to, cookies: [] } : { record, drawn: { status: 200, view: done.view } };
    }
    if (outcome.reason === 'login') return refusing(loginNeeded(front.service));
    const refusal = outcomeRefusal(outcome.reason, outcome.detail);
    const view = form.failed?.({ ok: false, reason: outcome.reason, detail: outcome.detail }, frame, fields);
    if (view === undefined) return refusing(refusal);
    return { record: refusing(refusal).record, drawn: { status: refusal.status, view } };
  }

  return async (visit, path) => {
    const { method } = visit.exchange;
    const form = forms.find((each) => each.path === path);
    const takesPost = form !== undefined || path === '/ui/login' || path === '/ui/logout';
    if (method === 'POST' && takesPost) return post(visit, path, form);
    const isRead = path === '/ui/login' || path === '/ui/logout' || pageAt(path) !== undefined;
    if (method === 'GET' || method === 'HEAD') {
      if (isRead || !takesPost) return read(visit, path);
    } else if (!isRead && !takesPost) return refusing(pageUnknown);
    const allowed = [...(isRead ? ['GET', 'HEAD'] : []), ...(takesPost ? ['POST'] : [])].join(', ');
    return refusing(methodRefused(allowed));
  };
}
