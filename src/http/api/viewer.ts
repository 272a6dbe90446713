/** Who calls the API of the main listener: by Basic, by an access token or by the page's cookie. */
import { parseAuthorization } from '../../distribution/credentials.ts';
import { unidentified } from '../../gate/admit.ts';
import type { Caller, Identity } from '../../identity/identify.ts';
import type { Needs } from '../../operations/operation.ts';
import type { Looker } from '../../operations/viewer.ts';
import type { CompiledPolicy } from '../../policy/evaluate.ts';
import type { Clock } from '../../ports.ts';
import { type Exchange, requestFacts } from '../front/exchange.ts';
import { type ApiReply, problemOf } from './caller.ts';

/** What the page knows of a browser that it logged in. */
export interface CookieCallers {
  /** undefined: the request shows no cookie of the page, or one that is over. `unavailable`: nobody can tell now. */
  look(exchange: Exchange): Promise<CookieCaller | 'unavailable' | undefined>;
}

export interface CookieCaller {
  readonly caller: Caller;
  readonly policy: CompiledPolicy;
  /** Whether the browser says that a page of ours sent it: no other site made it do so. */
  readonly isFromPage: boolean;
}

export interface ViewerParts {
  readonly identity: Pick<Identity, 'identify'>;
  readonly service: string;
  readonly clock: Clock;
  /** Whether whoever has no account sees what anonymous callers may. */
  readonly showsAnonymous: boolean;
  readonly cookies?: CookieCallers | undefined;
}

export type Viewed =
  | { readonly ok: true; readonly viewer: Looker; readonly cookie?: CookieCaller }
  | { readonly ok: false; readonly reply: ApiReply };

/** Whoever sends credentials is taken at those, never at a cookie that came along. */
export async function identifyViewer(parts: ViewerParts, exchange: Exchange, needs: Needs): Promise<Viewed> {
  const { identity, service, clock, cookies } = parts;
  const { request, address, userAgent, publicUrl } = exchange;
  const refused = (why: Parameters<typeof problemOf>[0]): Viewed => ({
    ok: false,
    reply: problemOf(why, { service, publicUrl }),
  });
  const asked = { circumstances: { address, now: clock() }, request: requestFacts(exchange) } as const;
  const credentials = parseAuthorization(request.headers.authorization);
  if (credentials.kind === 'none') {
    const cookie = await cookies?.look(exchange);
    if (cookie === 'unavailable') return refused({ kind: 'unavailable', account: '', detail: storeAway });
    if (cookie !== undefined) {
      const { caller, policy } = cookie;
      const { sessionId } = caller;
      return {
        ok: true,
        viewer: { kind: 'caller', caller, policy, ...asked, isInPerson: true, sessionId },
        cookie,
      };
    }
  }
  const identified = await identity.identify(credentials, { address, userAgent, mayBeAnonymous: true });
  if (identified.kind === 'refused') return refused(unidentified(identified.refusal, []));
  const { caller, policy } = identified;
  if (caller.principal.kind === 'anonymous' && !(needs === 'anybody' && parts.showsAnonymous)) {
    const reason = credentials.kind === 'none' ? 'credentials_missing' : 'anonymous_refused';
    return refused({ kind: 'challenged', reason, access: [], caller });
  }
  const isInPerson = caller.method === 'password' && caller.principal.kind === 'user' && caller.ownToken === undefined;
  const { sessionId = caller.claims?.sessionId } = caller;
  return { ok: true, viewer: { kind: 'caller', caller, policy, ...asked, isInPerson, sessionId } };
}

const storeAway = 'the store of sessions cannot be reached';
