/**
 * `/api/v1`: one table of operations is the router and the OpenAPI document of a listener. Errors are problem+json (RFC 9457).
 */
import { z } from 'zod';
import { type Asking, ask } from '../../operations/ask.ts';
import { unmetNeed } from '../../operations/needs.ts';
import { type Operation, operation } from '../../operations/operation.ts';
import type { Looker, Viewer } from '../../operations/viewer.ts';
import { describeWait } from '../../policy/rate.ts';
import type { AuditLog, AuditRecord } from '../../ports.ts';
import { type Exchange, exchangeFacts, isAwaited } from '../front/exchange.ts';
import type { Answer } from '../front/respond.ts';
import { isSentWritten, notWrittenDown } from '../front/written-first.ts';
import { who } from '../registry/audit-facts.ts';
import type { ApiReply } from './caller.ts';
import { readGiven } from './given.ts';
import { type LookLimiter, NotedRefreshes, isRefresh } from './looking.ts';
import { type Described, type SecuritySchemes, openApiDocument } from './openapi.ts';
import { type ProblemType, document, problem } from './problems.ts';

/** One that is not asked but answers by itself: it reads its own request, and limits count what it does. */
export interface Special extends Described {
  /** What it is written down as. */
  readonly event: AuditRecord['event'];
  handle(exchange: Exchange, looker: Looker, isWritten: IsWritten): Promise<ApiReply>;
}

/** Before anything is changed: false where that cannot be written down, and must not be done. `about`: what was sent. */
export type IsWritten = (about: Readonly<Record<string, unknown>>) => Promise<boolean>;

/** Whoever calls, or the answer to who may not. `isByCookie`: what a browser sends by itself. */
export type Called =
  | { readonly ok: true; readonly viewer: Viewer; readonly isByCookie?: boolean; readonly isFromPage?: boolean }
  | { readonly ok: false; readonly reply: ApiReply };

export interface ApiParts {
  readonly asking: Asking;
  readonly specials?: readonly Special[];
  readonly identify: (exchange: Exchange, needs: Described['needs']) => Promise<Called>;
  /** Of whoever is no operator. */
  readonly waitOf?: LookLimiter;
  readonly version: string;
  readonly schemes: SecuritySchemes;
  readonly onError: (error: unknown, exchange: Exchange) => void;
  /** Where what changes something is written down before it is done. */
  readonly audit?: AuditLog;
}

export interface Api {
  /** What to answer and to write down, unless it `isNoted`; never rejects. */
  handle(exchange: Exchange): Promise<Handled>;
}

interface Handled extends ApiReply {
  readonly record: AuditRecord;
}

type Method = Described['method'];
type Methods = Partial<Record<Method, Described & { readonly run: Run }>>;
type Run = (exchange: Exchange, id: string | undefined) => Promise<ApiReply>;

const base = '/api/v1';
const idPattern = /^[A-Za-z0-9_-]{1,64}$/;

/** Throws where two operations have the same method and path. */
export function createApi(api: ApiParts): Api {
  const {
    asking: { operations },
    specials = [],
    version,
    schemes,
    onError,
  } = api;
  const self = operation<unknown>()({
    method: 'GET',
    path: '/openapi.json',
    summary: 'This document.',
    needs: 'account',
    input: z.object({}),
    answer: z.record(z.string(), z.unknown()),
    run: () => Promise.resolve({ ok: true, answer: description }),
  });
  const served = [...operations, self];
  const description = openApiDocument([...served, ...specials], { base, version, schemes });
  const routes = new Map<string, Methods>();
  const add = (described: Described, run: Run): void => {
    const path = base + described.path.replace('{id}', '');
    const methods = routes.get(path) ?? {};
    if (methods[described.method] !== undefined) throw new Error(`${described.method} ${path} is there twice`);
    routes.set(path, { ...methods, [described.method]: { ...described, run } });
  };
  const noted = new NotedRefreshes();
  for (const each of served) add(each, (exchange, id) => handleOperation(api, noted, each, exchange, id));
  for (const each of specials) add(each, (exchange) => handleSpecial(api, each, exchange));

  const find = (path: string): { readonly methods: Methods; readonly id: string | undefined } | undefined => {
    const slash = path.lastIndexOf('/') + 1;
    const isFixed = routes.has(path) && slash !== path.length;
    const methods = routes.get(isFixed ? path : path.slice(0, slash));
    const id = isFixed ? undefined : path.slice(slash);
    return methods === undefined || (id !== undefined && !idPattern.test(id)) ? undefined : { methods, id };
  };
  return {
    async handle(exchange) {
      const { target, method } = exchange;
      const path = target.split('?', 1)[0] ?? '';
      const found = find(path);
      const facts = { event: 'access', route: 'api', detail: `${method} ${path.slice(0, maxPath)}` } as const;
      if (found === undefined) return withFacts(nothingThere, facts);
      const named = method === 'HEAD' ? 'GET' : method;
      const run = Object.entries(found.methods).find(([each]) => each === named)?.[1]?.run;
      if (run === undefined) return withFacts(otherMethods(found.methods), facts);
      try {
        return withFacts(await run(exchange, found.id), facts);
      } catch (error) {
        onError(error, exchange);
        return withFacts(failed, facts);
      }
    },
  };
}

/** Characters of a path that is written down. */
const maxPath = 200;

const failed: ApiReply = {
  answer: problem('internal', 'the gateway failed; its log says why'),
  record: { decision: 'error', reason: 'internal_error' },
};
const nothingThere: ApiReply = {
  answer: problem('unknown', `see ${base}/openapi.json for what there is`),
  record: { decision: 'deny', reason: 'route_unknown' },
};

function otherMethods(methods: Methods): ApiReply {
  const order = ['GET', 'HEAD', 'POST', 'DELETE'];
  const allowed = order.filter((each) => Object.hasOwn(methods, each === 'HEAD' ? 'GET' : each));
  const headers = { Allow: allowed.join(', ') };
  const detail = `use ${allowed.join(' or ')}; see ${base}/openapi.json for what there is`;
  return {
    answer: problem('method-unsupported', detail, { headers }),
    record: { decision: 'deny', reason: 'method_not_allowed' },
  };
}

/** Answers belong to their caller: no cache and no other site gets to see them. */
const apiHeaders = { Vary: 'Authorization, Cookie', 'Cross-Origin-Resource-Policy': 'same-origin' };

function withFacts(
  { answer, record, ...rest }: ApiReply,
  facts: Pick<AuditRecord, 'event' | 'route' | 'detail'>,
): Handled {
  // What a special asked it says itself. Others are written down by what was asked, and by why not, where there is more to it.
  const isSpecial = 'route' in record;
  const detail = isSpecial ? record.detail : [facts.detail, record.detail].filter(Boolean).join(': ');
  return {
    ...rest,
    answer: { ...answer, headers: { ...apiHeaders, ...answer.headers } },
    record: { decision: 'allow', reason: 'authenticated', ...facts, ...record, detail },
  };
}

/** What is answered where nothing was done, since it could not be written down. */
export const unwritten = problem('unavailable', notWrittenDown.sentence, {
  headers: { 'Retry-After': String(notWrittenDown.seconds) },
});

interface Admitted {
  readonly ok: true;
  readonly viewer: Viewer;
  readonly isByCookie: boolean;
  /** Of a request that an open page repeats: the account that looks. */
  readonly refresher: string | undefined;
  readonly refuse: Refuse;
  readonly isWritten: IsWritten;
}
type Refuse = (answer: Answer, reason: string, more?: Partial<AuditRecord>) => ApiReply;

/** In this order: who calls, whether a browser was made to, whether they may ask at all. */
async function admit(
  { identify, audit }: ApiParts,
  { needs, method }: Described,
  exchange: Exchange,
): Promise<Admitted | { readonly ok: false; readonly reply: ApiReply }> {
  const called = await identify(exchange, needs);
  if (!called.ok) return called;
  const { viewer, isByCookie = false, isFromPage = false } = called;
  const facts = viewer.kind === 'operator' ? {} : who(viewer.caller);
  const refuse: Refuse = (answer, reason, more) => ({
    answer,
    record: { ...facts, decision: 'deny', reason, ...more },
  });
  if (isByCookie && method !== 'GET' && !isFromPage)
    return { ok: false, reply: refuse(problem('not-allowed', 'the page itself must ask for this'), 'request_forged') };
  const unmet = unmetNeed(needs, viewer);
  if (unmet !== undefined) return { ok: false, reply: refuse(problem('not-allowed', unmet.detail), `needs_${needs}`) };
  const isWritten: IsWritten = async (about) => {
    const place = `${method} ${exchange.target.split('?', 1)[0] ?? ''}`;
    const record = { ...facts, ...exchangeFacts(exchange, viewer.circumstances.now) };
    return method === 'GET' || audit === undefined || isSentWritten(audit, record, place, about);
  };
  const refresher = isByCookie && isRefresh(exchange) ? (facts.account ?? '') : undefined;
  return { ok: true, viewer, isByCookie, refresher, refuse, isWritten };
}

async function handleSpecial(api: ApiParts, each: Special, exchange: Exchange): Promise<ApiReply> {
  const admitted = await admit(api, each, exchange);
  const { answer, record } = !admitted.ok
    ? admitted.reply
    : admitted.viewer.kind === 'operator'
      ? admitted.refuse(problem('not-allowed', 'this takes an account'), 'needs_account')
      : await each.handle(exchange, admitted.viewer, admitted.isWritten);
  return { answer, record: { ...record, event: each.event, route: undefined, detail: record.detail } };
}

/** Whoever may ask is counted before anything is read of what they send. */
async function handleOperation(
  api: ApiParts,
  noted: NotedRefreshes,
  each: Operation<unknown>,
  exchange: Exchange,
  id: string | undefined,
): Promise<ApiReply> {
  const admitted = await admit(api, each, exchange);
  if (!admitted.ok) return admitted.reply;
  const { viewer, isByCookie, refresher, refuse, isWritten } = admitted;
  const wait = await waitFor(api, admitted, exchange);
  if (wait > 0) return refuse(tooMany(wait), 'page_limit_reached', { event: 'limit' });
  const given = await readGiven(exchange, each.method, { id, isByCookie });
  if (!given.ok) return refuse(given.answer, 'request_malformed');
  if (!(await isWritten(given.value))) return refuse(unwritten, notWrittenDown.reason, { decision: 'error' });
  const asked = await ask(each, api.asking.parts, viewer, given.value, isAwaited(exchange));
  if (!asked.ok) {
    const [reason, decision] = isAwaited(exchange)() ? reasonOf(asked.reason) : (['client_gone', 'error'] as const);
    return refuse(refusalOf(asked), reason, { decision });
  }
  const record = viewer.kind === 'operator' ? {} : who(viewer.caller);
  const isNoted = refresher !== undefined && !noted.isDue(refresher, each.path, viewer.circumstances.now);
  return { answer: document(200, asked.answer), record, isNoted };
}

async function waitFor({ waitOf }: ApiParts, { viewer, refresher }: Admitted, { address }: Exchange): Promise<number> {
  if (viewer.kind === 'operator' || waitOf === undefined) return 0;
  return waitOf(viewer.caller.principal, address, refresher !== undefined);
}

function tooMany(seconds: number): Answer {
  const detail = `more than 60 requests a minute, those for pages among them; go on in ${describeWait(seconds)}`;
  return problem('too-many', detail, { headers: { 'Retry-After': String(seconds) } });
}

type Unanswered = Exclude<Awaited<ReturnType<typeof ask>>, { ok: true }>;

const typeOf: Readonly<Record<Unanswered['reason'], ProblemType>> = {
  invalid: 'request-invalid',
  login: 'credentials-refused',
  forbidden: 'not-allowed',
  unknown: 'unknown',
  conflict: 'conflict',
  unavailable: 'unavailable',
};

function refusalOf(asked: Unanswered): Answer {
  const headers = asked.reason === 'unavailable' ? { 'Retry-After': '3' } : {};
  const type = 'type' in asked && asked.type !== undefined ? asked.type : typeOf[asked.reason];
  return problem(type, asked.detail, { headers });
}

function reasonOf(reason: Unanswered['reason']): [reason: string, decision: AuditRecord['decision']] {
  switch (reason) {
    case 'invalid':
      return ['request_malformed', 'deny'];
    case 'unavailable':
      return ['store_unavailable', 'error'];
    // They were let ask; there is nothing that they may see.
    case 'unknown':
      return ['authenticated', 'allow'];
    case 'login':
    case 'forbidden':
    case 'conflict':
      return [reason, 'deny'];
  }
}
