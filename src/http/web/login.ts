/** Logging in and out: by the same accounts, guard and counters as `docker login`. */
import { looksCarried, secretHash } from '../../identity/carried-secret.ts';
import { looksLikeIdToken } from '../../identity/id-token.ts';
import type { Identified } from '../../identity/identify.ts';
import { makeWebSecret, openWebSession } from '../../identity/web-session.ts';
import { clientNetwork } from '../../limits/client-network.ts';
import type { AuditRecord, FailedLogins, SessionStore } from '../../ports.ts';
import type { Front } from '../front/front.ts';
import { personFacts, who } from '../registry/audit-facts.ts';
import { csrfToken, isCsrfToken } from './csrf.ts';
import type { Drawn } from './draw.ts';
import { type LoginProblem, loginProblem, machineCredentials, sessionNotOpened } from './login-words.ts';
import { nextPage } from './next-page.ts';
import { LoginPage, LogoutPage, type LoginView } from './pages/login.tsx';
import { type PageRefusal, challenge, notFromHere, outcomeRefusal } from './refusals.ts';
import { dropCookie, loginCookie, readCookie, sessionCookie, writeCookie } from './session-cookie.ts';
import type { Visit, VisitParts } from './visit.ts';

export interface LoginParts extends VisitParts {
  readonly front: Pick<Front, 'publicUrl' | 'service' | 'clock'>;
  readonly sessions: Pick<SessionStore, 'open' | 'revoke' | 'endedBefore'>;
  readonly failedLogins: Pick<FailedLogins, 'look'>;
}

/** What a step of it comes to. */
export type LoginStep = {
  readonly record: Partial<AuditRecord> & Pick<AuditRecord, 'event' | 'decision' | 'reason'>;
} & (
  | { readonly drawn: Drawn }
  | { readonly to: string; readonly cookies: readonly string[] }
  | { readonly refusal: PageRefusal }
);

const path = '/ui/login';
const seen = { event: 'access', decision: 'allow', reason: 'login_form' } as const;

/** The form, with the cookie that it belongs to. */
export function showLogin({ exchange, frame }: Visit, asked: URLSearchParams): LoginStep {
  const note = asked.get('why') === 'ended' ? 'Your login has ended. Log in again.' : undefined;
  return { record: seen, drawn: formOf(exchange, { frame, next: nextPage(asked.get('next') ?? ''), note }, 200) };
}

/** A form for this browser; several of one browser share a cookie. */
function formOf(
  exchange: Visit['exchange'],
  view: Omit<LoginView, 'csrf'>,
  status: number,
  headers: Readonly<Record<string, string>> = {},
): Drawn {
  const known = readCookie(exchange, loginCookie);
  const secret = known ?? makeWebSecret();
  const isNew = known === undefined && view.frame.canLogIn;
  const cookies = isNew ? { 'Set-Cookie': writeCookie(loginCookie, secret) } : {};
  return {
    status,
    view: LoginPage({ ...view, csrf: csrfToken(secret, path) }),
    headers: { ...headers, ...cookies },
  };
}

/** The origin of the request has been looked at. A new session each time, and the one before it ends. */
export async function postLogin(parts: LoginParts, visit: Visit, fields: URLSearchParams): Promise<LoginStep> {
  const { exchange, frame } = visit;
  const next = nextPage(fields.get('next') ?? '');
  const account = fields.get('account') ?? '';
  const facts = { event: 'login', account: account.slice(0, 128) } as const;
  const again = (
    { status, reason, problem, retryAfter }: LoginProblem,
    decision: 'deny' | 'error' = 'deny',
  ): LoginStep => {
    const wait = retryAfter === undefined ? {} : { 'Retry-After': String(retryAfter) };
    const headers = status === 401 ? challenge(parts.front.service) : wait;
    const drawn = formOf(exchange, { frame, next, account, problem }, status, headers);
    return { record: { ...facts, decision: status === 503 ? 'error' : decision, reason }, drawn };
  };
  if (!frame.canLogIn) {
    const refusal = outcomeRefusal('forbidden', 'There is no login over http.');
    return { record: { ...facts, decision: 'deny', reason: 'login_over_http' }, refusal };
  }
  const form = readCookie(exchange, loginCookie);
  if (form === undefined || !isCsrfToken(form, path, fields.get('csrf') ?? '')) {
    const refusal = notFromHere('form_token_invalid');
    return again({ status: 403, reason: refusal.reason, problem: 'The form was an old one. Try again with this one.' });
  }
  const password = fields.get('password') ?? '';
  if (looksCarried(password) || looksLikeIdToken(password)) return again(machineCredentials);
  const { address, userAgent } = exchange;
  const known = await parts.failedLogins.look({ account, network: clientNetwork(address), fingerprint: '' });
  const found = await parts.identity.identify({ kind: 'basic', account, password }, { address, userAgent });
  if (found.kind === 'refused') return again(loginProblem(found.refusal, known.failures.pair.count));
  if (found.caller.principal.kind !== 'user') return again(machineCredentials);
  return letIn(parts, visit, found, next, again);
}

async function letIn(
  { sessions, front: { clock, service } }: LoginParts,
  { exchange, secret: before }: Visit,
  { caller }: Identified,
  next: string,
  again: (problem: LoginProblem) => LoginStep,
): Promise<LoginStep> {
  const { address, userAgent } = exchange;
  const opened = await openWebSession({ sessions, clock, service }, caller, { address, userAgent });
  if (!opened.ok) return again(sessionNotOpened);
  if (before !== undefined) await sessions.revoke({ tokenHash: secretHash(before) }, clock());
  const { principal, method, evidence } = caller;
  const source = 'name' in principal ? principal.outside?.source : undefined;
  return {
    record: {
      event: 'login',
      decision: 'allow',
      reason: 'granted',
      ...personFacts(principal),
      method,
      source,
      ...evidence,
    },
    to: next,
    cookies: [writeCookie(sessionCookie, opened.secret), dropCookie(loginCookie)],
  };
}

/** What somebody sees who has logged out, or is asked whether to. */
export function showLogout({ frame }: Visit): LoginStep {
  return { record: { ...seen, reason: 'logout_form' }, drawn: { status: 200, view: LogoutPage({ frame }) } };
}

/** Ends the session everywhere, with all that was issued to it. */
export async function postLogout(
  { sessions, front: { clock } }: LoginParts,
  visit: Visit,
  secret: string,
): Promise<LoginStep> {
  const ended = await sessions.revoke({ tokenHash: secretHash(secret) }, clock());
  const record = { ...who(visit.viewer.caller), event: 'session' } as const;
  if (!ended.ok) {
    const refusal = outcomeRefusal(
      'unavailable',
      'Your login could not be ended: the store of logins does not answer. Try again.',
    );
    return { record: { ...record, decision: 'error', reason: 'store_unavailable' }, refusal };
  }
  return {
    record: { ...record, decision: 'allow', reason: 'revoked', detail: visit.viewer.sessionId },
    to: '/ui/logout',
    cookies: [dropCookie(sessionCookie)],
  };
}
