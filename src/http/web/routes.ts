/** Which page, form or door a request is for, and what comes of it. */
import type { VNode } from 'preact';
import { mayAnywhere } from '../../operations/anywhere.ts';
import { ask } from '../../operations/ask.ts';
import { isCsrfToken, isFromOwnPage } from './csrf.ts';
import { readForm } from './form-body.ts';
import { type LoginParts, loginPath, logoutPath, postLogin, postLogout, showLogin, showLogout } from './login.ts';
import { exchangeFacts, isAwaited } from '../front/exchange.ts';
import { isSentWritten } from '../front/written-first.ts';
import { who } from '../registry/audit-facts.ts';
import type { Form, Page } from './page.ts';
import {
  type PageRefusal,
  loginNeeded,
  methodRefused,
  notFromHere,
  outcomeRefusal,
  pageUnknown,
  unwritten,
} from './refusals.ts';
import { type Door, type Step, type StepRecord, refusing } from './step.ts';
import type { Visit } from './visit.ts';

export interface RouteParts<Parts> extends LoginParts {
  /** What nobody in particular sees: what anonymous callers may pull, or the login only. */
  readonly anonymous: 'auto' | 'never';
  readonly pages: readonly Page<Parts>[];
  readonly forms: readonly Form<Parts>[];
  /** What their operations work with. */
  readonly parts: Parts;
}

const seen: StepRecord = { event: 'access', decision: 'allow', reason: 'authenticated' };

/** The way of a request that counts and whose cookie was looked at. */
export function createRoutes<Parts>(web: RouteParts<Parts>): (visit: Visit, path: string) => Promise<Step> {
  const doors: readonly Door[] = [
    { path: loginPath, open: (visit, query) => showLogin(web, visit, query) },
    { path: logoutPath, open: (visit) => showLogout(visit) },
    { path: '/ui', open: () => ({ record: seen, to: '/ui/', cookies: [] }) },
    ...web.doors,
  ];
  const takesForm = (path: string): boolean =>
    path === loginPath || path === logoutPath || web.forms.some((form) => form.path === path);

  return async (visit, path) => {
    if (!isPlain(path)) return refusing(pageUnknown);
    const { method } = visit.exchange;
    const door = doors.find((each) => each.path === path);
    const page = door === undefined ? pageAt(web.pages, path) : undefined;
    const [isRead, isPosted] = [door !== undefined || page !== undefined, takesForm(path)];
    if (method === 'POST' && isPosted) return post(web, visit, path);
    if (!isRead && !isPosted) return unknown(web, visit);
    if (!isRead || (method !== 'GET' && method !== 'HEAD'))
      return refusing(methodRefused([...(isRead ? ['GET', 'HEAD'] : []), ...(isPosted ? ['POST'] : [])]));
    if (door !== undefined) return door.open(visit, queryOf(visit));
    return page === undefined ? refusing(pageUnknown) : show(web, visit, page);
  };
}

/** Segments of what names are made of. No dots that browsers resolve, nothing escaped, no empty segment but the last. */
function isPlain(path: string): boolean {
  const segments = path.split('/').slice(1);
  return segments.every(
    (segment, at) =>
      (segment === '' && at === segments.length - 1) || (/^[\w.~:@+-]+$/.test(segment) && !/^\.{1,2}$/.test(segment)),
  );
}

function queryOf({ exchange: { target } }: Visit): URLSearchParams {
  const mark = target.indexOf('?');
  return new URLSearchParams(mark === -1 ? '' : target.slice(mark + 1));
}

interface FoundPage<Parts> {
  readonly page: Page<Parts>;
  readonly rest: string;
}

function pageAt<Parts>(pages: readonly Page<Parts>[], path: string): FoundPage<Parts> | undefined {
  const page =
    pages.find((each) => each.path === path) ??
    pages.find((each) => each.path !== '/ui/' && each.path.endsWith('/') && path.startsWith(each.path));
  return page && { page, rest: path.slice(page.path.length) };
}

/** To the login, and back from there. */
function toLogin({ exchange, refused }: Visit): Step {
  const why = refused === undefined ? '' : '&why=ended';
  return {
    record: { event: 'access', decision: 'deny', reason: 'login_needed' },
    to: `${loginPath}?next=${encodeURIComponent(exchange.target)}${why}`,
    cookies: [],
  };
}

/** Whether the visitor sees any page but the login. */
function isShown<Parts>({ anonymous }: RouteParts<Parts>, { frame, viewer }: Visit): boolean {
  return frame.viewer.isKnown || (anonymous === 'auto' && mayAnywhere(viewer, 'pull'));
}

/** Whoever has to log in learns of no page whether it is there. */
function unknown<Parts>(web: RouteParts<Parts>, visit: Visit): Step {
  const isRead = visit.exchange.method === 'GET' || visit.exchange.method === 'HEAD';
  return isRead && !isShown(web, visit) ? toLogin(visit) : refusing(pageUnknown);
}

async function show<Parts>(web: RouteParts<Parts>, visit: Visit, { page, rest }: FoundPage<Parts>): Promise<Step> {
  if (!isShown(web, visit)) return toLogin(visit);
  const asked = { rest, query: queryOf(visit) };
  const outcome = await ask(page.operation, web.parts, visit.viewer, page.input(asked), isAwaited(visit.exchange));
  if (outcome.ok) return { record: seen, drawn: { status: 200, view: page.view(outcome.answer, visit.frame, asked) } };
  const { reason, detail } = outcome;
  if (reason === 'login') return toLogin(visit);
  const view = page.failed?.({ ok: false, reason, detail }, visit.frame, asked);
  return endedOr(visit, refusedWith(outcomeRefusal(reason, detail), view));
}

/** What was not found out because nobody waited for it is no refusal. */
function endedOr({ exchange }: Visit, step: Step): Step {
  if (isAwaited(exchange)()) return step;
  return { ...step, record: { event: 'access', decision: 'error', reason: 'client_gone' } };
}

/** In a page of its own, where there is one. */
function refusedWith(refusal: PageRefusal, view: VNode | undefined): Step {
  const step = refusing(refusal);
  const { status, headers } = refusal;
  return view === undefined ? step : { record: step.record, drawn: { status, view, ...(headers && { headers }) } };
}

/** Nothing is read of a request that another site may have sent, and nothing done without the token of the form. */
async function post<Parts>(web: RouteParts<Parts>, visit: Visit, path: string): Promise<Step> {
  const { exchange, secret } = visit;
  if (!isFromOwnPage(exchange)) return refusing(notFromHere('cross_site'));
  const body = await readForm(exchange);
  if (!body.ok) {
    const { status, detail } = body;
    const headers = { Connection: 'close' };
    return refusing({ status, reason: 'form_unreadable', title: 'The form cannot be read', detail, headers });
  }
  const { fields } = body;
  if (path === loginPath) return postLogin(web, visit, fields);
  if (secret === undefined) return refusing(loginNeeded(web.front.service));
  if (!isCsrfToken(secret, path, fields.get('csrf') ?? '')) return refusing(notFromHere('form_token_invalid'));
  const form = web.forms.find((each) => each.path === path);
  if (!(await isWrittenDown(web, visit, path, form?.input(fields) ?? {}))) return refusing(unwritten, 'error');
  return form === undefined ? postLogout(web, visit, secret) : submit(web, visit, form, fields);
}

/** What a form that is its own sends may change something. */
async function isWrittenDown<Parts>(
  { front: { audit, clock } }: RouteParts<Parts>,
  { exchange, viewer }: Visit,
  path: string,
  about: Readonly<Record<string, unknown>>,
): Promise<boolean> {
  const facts = { ...who(viewer.caller), ...exchangeFacts(exchange, clock()) };
  return isSentWritten(audit, facts, `POST ${path}`, about);
}

async function submit<Parts>(
  web: RouteParts<Parts>,
  visit: Visit,
  form: Form<Parts>,
  fields: URLSearchParams,
): Promise<Step> {
  const { exchange, viewer, frame } = visit;
  const outcome = await ask(form.operation, web.parts, viewer, form.input(fields), isAwaited(exchange));
  if (outcome.ok) {
    const done = form.done(outcome.answer, frame, fields);
    if ('to' in done) return { record: seen, to: done.to, cookies: [] };
    return { record: seen, drawn: { status: 200, view: done.view } };
  }
  const { reason, detail } = outcome;
  if (reason === 'login') return refusing(loginNeeded(web.front.service));
  const view = form.failed?.({ ok: false, reason, detail }, frame, fields);
  return endedOr(visit, refusedWith(outcomeRefusal(reason, detail), view));
}
