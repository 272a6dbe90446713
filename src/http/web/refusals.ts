/** What the page answers instead of what was asked for. */
import { describeWait } from '../../policy/rate.ts';
import type { Exchange } from '../front/exchange.ts';
import { notWrittenDown } from '../front/written-first.ts';
import type { WholeAnswer } from '../front/respond.ts';
import type { Drawn } from './draw.ts';
import type { Frame } from './page.ts';
import { RefusedPage } from './pages/refused.tsx';

export interface PageRefusal {
  readonly status: number;
  /** For the log: a word. */
  readonly reason: string;
  readonly title: string;
  /** A sentence for whoever asked. */
  readonly detail: string;
  readonly headers?: WholeAnswer['headers'];
  /** Nobody can say who it is. */
  readonly isUnchecked?: boolean;
}

/** In the frame of whoever asked. */
export function drawnRefusal(
  refusal: PageRefusal,
  frame: Frame,
  { requestId, trace }: Pick<Exchange, 'requestId' | 'trace'>,
): Drawn {
  const { status, title, detail, headers, isUnchecked = false } = refusal;
  const framed = isUnchecked ? { ...frame, canLogIn: false } : frame;
  const view = RefusedPage({ frame: framed, title, detail, requestId, traceId: trace.id, isUnchecked });
  return headers === undefined ? { status, view } : { status, view, headers };
}

export const pageUnknown: PageRefusal = {
  status: 404,
  reason: 'route_unknown',
  title: 'There is nothing here',
  detail: 'Nothing that you may see has this address.',
};

/** `methods`: those that the address takes. */
export function methodRefused(methods: readonly string[]): PageRefusal {
  const allowed = methods.join(', ');
  return {
    status: 405,
    reason: 'method_not_allowed',
    title: 'Not a way to ask for this',
    detail: `This address takes ${allowed}.`,
    headers: { Allow: allowed },
  };
}

/** A request that another site may have sent, or whose form is an old one. */
export function notFromHere(reason: 'cross_site' | 'form_token_invalid'): PageRefusal {
  const details = {
    cross_site:
      'The request did not come from a page of this registry, so nothing was done. Open the page and try there.',
    form_token_invalid:
      'The form is an old one or of another login, so nothing was done. Go back, reload and try again.',
  };
  return { status: 403, reason, title: 'Nothing was done', detail: details[reason] };
}

/** `seconds` until the next one is taken. */
export function tooManyPages(seconds: number): PageRefusal {
  return {
    status: 429,
    reason: 'page_limit_reached',
    title: 'Too many pages',
    detail: `You have asked for more than 60 pages a minute, answers of /api/v1 among them; go on in ${describeWait(seconds)}. Pulls and pushes are not counted here.`,
    headers: { 'Retry-After': String(seconds) },
  };
}

/** Where the cookie can neither be believed nor refused. */
export function uncheckable(reason: 'store_unavailable' | 'source_unavailable'): PageRefusal {
  const detail =
    reason === 'store_unavailable'
      ? 'The store of logins does not answer. You are not logged out; try again in a few seconds.'
      : 'The server that knows your account does not answer. You are not logged out; try again in a few seconds.';
  const headers = { 'Retry-After': '5' };
  return { status: 503, reason, title: 'Your login cannot be checked now', detail, headers, isUnchecked: true };
}

/** What must be written down first, where it cannot be. */
export const unwritten: PageRefusal = {
  status: 503,
  reason: notWrittenDown.reason,
  title: 'This cannot be done now',
  detail: 'What is done here must be written down first, and that fails at the moment. Try again in a few seconds.',
  headers: { 'Retry-After': String(notWrittenDown.seconds) },
};

/** Its form needs somebody who is logged in. */
export function loginNeeded(service: string): PageRefusal {
  return {
    status: 401,
    reason: 'login_needed',
    title: 'Log in first',
    detail: 'Your login has ended, so nothing was done. Log in and try again.',
    headers: challenge(service),
  };
}

/** No browser asks for a password because of it. */
export function challenge(service: string): Readonly<Record<string, string>> {
  return { 'WWW-Authenticate': `Cookie realm="${service}"` };
}

const outcomes = {
  invalid: [400, 'That cannot be read'],
  unknown: [404, 'There is nothing here'],
  forbidden: [403, 'You may not see or do this'],
  conflict: [409, 'That cannot be done now'],
  unavailable: [503, 'That cannot be told now'],
} as const;

/** What an operation answered instead. */
export function outcomeRefusal(reason: keyof typeof outcomes, detail: string): PageRefusal {
  const [status, title] = outcomes[reason];
  return { status, reason, title, detail, ...(status === 503 ? { headers: { 'Retry-After': '5' } } : {}) };
}

export const pageFailed: PageRefusal = {
  status: 500,
  reason: 'internal_error',
  title: 'The gateway failed',
  detail: 'This is a mistake of the gateway, not yours. Whoever runs it finds the request below in the log.',
  isUnchecked: true,
};
