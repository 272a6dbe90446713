/**
 * Logging in at an OpenID Connect provider: a link that sends the browser there, and the address that it comes back to. The
 * first changes nothing but a cookie by which the second knows its own browser.
 */
import type { LoginOutcome } from '../../identity/identify.ts';
import type { Authentication, AuthenticationMethod } from '../../identity/source.ts';
import type { LoginProvider, ProvidedPerson } from '../../ports.ts';
import { type PendingLogins, maxPendingSeconds } from '../../sealed/pending-login.ts';
import { type LoginParts, letIn, refused } from './login.ts';
import type { LoginProblem } from './login-words.ts';
import { nextPage } from './next-page.ts';
import { type Provided, noAnswer, notBegunHere, providerProblem, refusedHere } from './oidc-words.ts';
import { methodRefused } from './refusals.ts';
import { cookieText, dropCookie, writeCookie } from './session-cookie.ts';
import { type Door, type Step, refusing } from './step.ts';
import type { Visit } from './visit.ts';

export interface OidcDoorParts extends Pick<LoginParts, 'front' | 'sessions'> {
  readonly provider: LoginProvider;
  /** What the login calls it. */
  readonly label: string;
  readonly pending: PendingLogins;
  /** Whom somebody stands for whom the provider has sent. */
  readonly accept: (person: ProvidedPerson) => Promise<Authentication>;
  /** At most so many at once. */
  readonly inTurn: <T>(task: () => Promise<T>) => Promise<T | 'busy'>;
  readonly onLogin?: ((method: AuthenticationMethod, outcome: LoginOutcome) => void) | undefined;
}

/** With what the form of the login offers. */
type Parts = OidcDoorParts & Pick<LoginParts, 'doors'>;

const oidcPath = '/ui/login/oidc';
/** The provider has to know it. */
const callbackPath = '/ui/login/callback';

const pendingCookie = '__Host-portcullis-oidc';
/** Characters: what browsers keep. */
const maxCookie = 4000;

/** In the order in which they are gone through. */
export function oidcDoors(parts: OidcDoorParts): readonly Door[] {
  const doors: readonly Door[] = [
    { path: oidcPath, offer: `Log in with ${parts.label}`, open: (visit, query) => leave(all, visit, query) },
    { path: callbackPath, open: (visit, query) => comeBack(all, visit, query) },
  ];
  const all: Parts = { ...parts, doors };
  return doors;
}

async function leave(parts: Parts, visit: Visit, query: URLSearchParams): Promise<Step> {
  const { exchange, frame } = visit;
  const { publicUrl } = parts.front;
  const next = nextPage(query.get('next') ?? '');
  const record = { event: 'access', decision: 'allow', reason: 'login_begun' } as const;
  if (!frame.canLogIn) return fail(parts, visit, next, noAnswer(parts.label, 'there is no login over http'));
  // The provider knows one address to send browsers back to, and the cookie has to be of that host.
  if (exchange.publicUrl !== publicUrl)
    return { record, to: `${publicUrl}${oidcPath}?next=${encodeURIComponent(next)}`, cookies: [] };
  const begun = await parts.provider.begin();
  if (!begun.ok) return fail(parts, visit, next, noAnswer(parts.label, begun.detail));
  const sealed = parts.pending.seal(begun.state, { ...begun, next });
  return { record, to: begun.url, cookies: [`${writeCookie(pendingCookie, sealed)}; Max-Age=${maxPendingSeconds}`] };
}

async function comeBack(parts: Parts, visit: Visit, query: URLSearchParams): Promise<Step> {
  // Somebody's look at the address would use up the login.
  if (visit.exchange.method !== 'GET') return refusing(methodRefused(['GET']));
  const [state, ...more] = query.getAll('state');
  const sealed = cookieText(visit.exchange, pendingCookie);
  const isOne = state !== undefined && more.length === 0 && sealed !== undefined && sealed.length <= maxCookie;
  const pending = isOne ? parts.pending.take(state, sealed) : undefined;
  if (pending === undefined || state === undefined) return fail(parts, visit, '/ui/', notBegunHere);
  const found = await parts.inTurn(() => parts.provider.finish(query, { state, ...pending }));
  if (found === 'busy') return fail(parts, visit, pending.next, noAnswer(parts.label, 'too many logins at once'));
  if (!found.ok) return fail(parts, visit, pending.next, providerProblem(found, parts.label));
  return enter(parts, visit, found.person, pending.next);
}

async function enter(parts: Parts, visit: Visit, person: ProvidedPerson, next: string): Promise<Step> {
  const accepted = await parts.accept(person);
  const named: Provided = { label: parts.label, name: person.name };
  if (!accepted.ok) return fail(parts, visit, next, refusedHere(accepted, named));
  const caller = { ...accepted.login, method: 'oidc', bound: undefined } as const;
  const step = await letIn(parts, visit, caller, next);
  if ('problem' in step) return fail(parts, visit, next, step);
  parts.onLogin?.('oidc', 'ok');
  return { ...step, cookies: [...step.cookies, dropCookie(pendingCookie)] };
}

/** The form of the login, with what went wrong: a password may do. */
function fail(parts: Parts, visit: Visit, next: string, problem: LoginProblem): Step {
  parts.onLogin?.('oidc', problem.status === 503 ? 'unavailable' : 'wrong');
  const step = refused(parts, visit, { next, account: '', drops: [pendingCookie] }, problem);
  return { ...step, record: { ...step.record, method: 'oidc', source: 'oidc', account: undefined } };
}
