/** Logging in and out: by the same accounts, guard and counters as `docker login`. */
import { looksCarried, secretHash } from '../../identity/carried-secret.ts';
import { looksLikeIdToken } from '../../identity/id-token.ts';
import type { Caller } from '../../identity/identify.ts';
import { makeWebSecret, openWebSession } from '../../identity/web-session.ts';
import { clientNetwork } from '../../limits/client-network.ts';
import type { FailedLogins, SessionStore } from '../../ports.ts';
import { exchangeFacts } from '../front/exchange.ts';
import type { Front } from '../front/front.ts';
import { isWrittenFirst } from '../front/written-first.ts';
import { personFacts, who } from '../registry/audit-facts.ts';
import { csrfToken, isCsrfToken } from './csrf.ts';
import type { Drawn } from './draw.ts';
import {
  type LoginProblem,
  formTooOld,
  loginNotWritten,
  loginProblem,
  machineCredentials,
  sessionNotOpened,
} from './login-words.ts';
import { nextPage } from './next-page.ts';
import { LoginPage, type LoginView, LogoutPage } from './pages/login.tsx';
import { challenge, outcomeRefusal } from './refusals.ts';
import { dropCookie, loginCookie, readCookie, sessionCookie, writeCookie } from './session-cookie.ts';
import type { Door, Step } from './step.ts';
import type { Visit, VisitParts } from './visit.ts';

export interface LoginParts extends VisitParts {
  readonly front: Pick<Front, 'publicUrl' | 'service' | 'clock' | 'audit'>;
  readonly sessions: Pick<SessionStore, 'open' | 'revoke' | 'endedBefore'>;
  readonly failedLogins: Pick<FailedLogins, 'look'>;
  /** Ways of logging in beside the password, those with an offer. */
  readonly doors: readonly Door[];
}

export const loginPath = '/ui/login';
export const logoutPath = '/ui/logout';

const seen = { event: 'access', decision: 'allow', reason: 'login_form' } as const;
/** Characters of what was typed as an account: no name is longer. */
const maxAccount = 128;

/** The form, with the cookie that it belongs to. Whoever is logged in goes on. */
export function showLogin(parts: LoginParts, visit: Visit, asked: URLSearchParams): Step {
  const next = nextPage(asked.get('next') ?? '');
  if (visit.frame.viewer.isKnown) return { record: seen, to: next, cookies: [] };
  const note = asked.get('why') === 'ended' ? 'Your login has ended. Log in again.' : undefined;
  return { record: seen, drawn: formOf(parts, visit, { next, note }, 200) };
}

/** A form for this browser; several of one browser share a cookie. */
function formOf(
  { doors }: Pick<LoginParts, 'doors'>,
  { exchange, frame }: Visit,
  view: Pick<LoginView, 'next' | 'note' | 'problem' | 'account'>,
  status: number,
  headers: Readonly<Record<string, string>> = {},
  dropped: readonly string[] = [],
): Drawn {
  const known = readCookie(exchange, loginCookie);
  const secret = known ?? makeWebSecret();
  const isNew = known === undefined && frame.canLogIn;
  const set = [...(isNew ? [writeCookie(loginCookie, secret)] : []), ...dropped];
  const cookies = set.length === 0 ? {} : { 'Set-Cookie': set };
  const ways = doors.flatMap(({ path, offer }) => (offer === undefined ? [] : [{ path, offer }]));
  const page = LoginPage({ ...view, frame, ways, csrf: csrfToken(secret, loginPath) });
  return { status, view: page, headers: { ...headers, ...cookies } };
}

/** The origin of the request has been looked at. */
export async function postLogin(parts: LoginParts, visit: Visit, fields: URLSearchParams): Promise<Step> {
  const [account, password] = [fields.get('account') ?? '', fields.get('password') ?? ''];
  const next = nextPage(fields.get('next') ?? '');
  const again = (problem: LoginProblem): Step => refused(parts, visit, { next, account }, problem);
  if (!visit.frame.canLogIn) {
    const refusal = outcomeRefusal('forbidden', 'There is no login over http.');
    return { record: { event: 'login', decision: 'deny', reason: 'login_over_http' }, refusal };
  }
  const form = readCookie(visit.exchange, loginCookie);
  if (form === undefined || !isCsrfToken(form, loginPath, fields.get('csrf') ?? '')) return again(formTooOld);
  if (looksCarried(password) || looksLikeIdToken(password)) return again(machineCredentials);
  const { address, userAgent } = visit.exchange;
  // Before the attempt: what it says does not hang on whether the account exists or is closed.
  const known = await parts.failedLogins.look({ account, network: clientNetwork(address), fingerprint: '' });
  const found = await parts.identity.identify({ kind: 'basic', account, password }, { address, userAgent });
  if (found.kind === 'refused') return again(loginProblem(found.refusal, known.failures.pair.count));
  if (found.caller.principal.kind !== 'user') return again(machineCredentials);
  const step = await letIn(parts, visit, found.caller, next);
  return 'problem' in step ? again(step) : step;
}

/** The form again, with what was wrong. `drops`: names of cookies that are of no use any more. */
export function refused(
  parts: Pick<LoginParts, 'doors'> & { readonly front: Pick<Front, 'service'> },
  visit: Visit,
  {
    next,
    account,
    drops = [],
  }: Pick<LoginView, 'next'> & { readonly account: string; readonly drops?: readonly string[] },
  { status, event = 'login', reason, detail, problem, retryAfter }: LoginProblem,
): Step {
  const wait = retryAfter === undefined ? {} : { 'Retry-After': String(retryAfter) };
  const headers = status === 401 ? challenge(parts.front.service) : wait;
  const typed = account.slice(0, maxAccount);
  const decision = status === 503 ? 'error' : 'deny';
  const record = { event, decision, reason, account: typed, ...(detail === undefined ? {} : { detail }) } as const;
  const drawn = formOf(parts, visit, { next, account: typed, problem }, status, headers, drops.map(dropCookie));
  return { record, drawn };
}

/**
 * A new session each time for somebody who has just proved who they are; the one that the browser had before ends. A problem
 * where it cannot be recorded.
 */
export async function letIn(
  { sessions, front: { audit, clock, service } }: Pick<LoginParts, 'sessions' | 'front'>,
  { exchange, secret: before }: Pick<Visit, 'exchange' | 'secret'>,
  caller: Caller,
  next: string,
): Promise<Extract<Step, { readonly to: string }> | LoginProblem> {
  const { address, userAgent } = exchange;
  const facts = { ...personFacts(caller.principal), method: caller.method, ...exchangeFacts(exchange, clock()) };
  if (!(await isWrittenFirst(audit, facts))) return loginNotWritten;
  const opened = await openWebSession({ sessions, clock, service }, caller, { address, userAgent });
  if (!opened.ok) return sessionNotOpened;
  if (before !== undefined) await sessions.revoke({ tokenHash: secretHash(before) }, clock());
  const { principal, method } = caller;
  const source = 'name' in principal ? principal.outside?.source : undefined;
  return {
    record: { event: 'login', decision: 'allow', reason: 'granted', ...personFacts(principal), method, source },
    to: next,
    cookies: [writeCookie(sessionCookie, opened.secret), dropCookie(loginCookie)],
  };
}

/** What somebody sees who has logged out, or is asked whether to. */
export function showLogout({ frame }: Visit): Step {
  return { record: { ...seen, reason: 'logout_form' }, drawn: { status: 200, view: LogoutPage({ frame }) } };
}

/** Ends the session everywhere, with all that was issued to it. */
export async function postLogout(
  { sessions, front: { clock } }: LoginParts,
  { viewer }: Visit,
  secret: string,
): Promise<Step> {
  const ended = await sessions.revoke({ tokenHash: secretHash(secret) }, clock());
  const record = { ...who(viewer.caller), event: 'session' } as const;
  if (!ended.ok) {
    const detail = 'Your login could not be ended: the store of logins does not answer. Try again.';
    const refusal = outcomeRefusal('unavailable', detail);
    return { record: { ...record, decision: 'error', reason: 'store_unavailable' }, refusal };
  }
  return {
    record: { ...record, decision: 'allow', reason: 'revoked', detail: viewer.sessionId },
    to: logoutPath,
    cookies: [dropCookie(sessionCookie)],
  };
}
