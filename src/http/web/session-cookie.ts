/**
 * The page's cookie: a credential below `/ui` and `/api/v1`, and nowhere else. `__Host-` binds it to this host and to https,
 * so that nobody else's cookie is taken for it; browsers and curl take `Secure` also from http on a loopback address.
 */
import type { Identified, Identity, Refused, RefusalOf } from '../../identity/identify.ts';
import { isWebSecret } from '../../identity/web-session.ts';
import type { Exchange } from '../front/exchange.ts';

export const sessionCookie = '__Host-portcullis';
/** Before there is a session: binds the login form to the browser that it was given to. */
export const loginCookie = '__Host-portcullis-login';

const attributes = 'Path=/; Secure; HttpOnly; SameSite=Lax';

/** The secret in a cookie of ours; undefined for none, for one that is not as we write it, and for two of one name. */
export function readCookie(exchange: Exchange, name: string): string | undefined {
  const value = cookieText(exchange, name);
  return value !== undefined && isWebSecret(value) ? value : undefined;
}

/** As it was sent; undefined for none, and for two of one name. */
export function cookieText({ request }: Exchange, name: string): string | undefined {
  const { cookie = '' } = request.headers;
  const prefix = `${name}=`;
  const found = cookie.split(';').flatMap((pair) => {
    const text = pair.trim();
    return text.startsWith(prefix) ? [text.slice(prefix.length)] : [];
  });
  const [value] = found;
  return found.length === 1 ? value : undefined;
}

/** For `Set-Cookie`; it ends with the browser, or when the session does. */
export function writeCookie(name: string, secret: string): string {
  return `${name}=${secret}; ${attributes}`;
}

/** For `Set-Cookie`: the browser forgets it. */
export function dropCookie(name: string): string {
  return `${name}=; Max-Age=0; ${attributes}`;
}

export type CookieCaller =
  | { readonly kind: 'none' }
  | (Identified & { readonly secret: string })
  /** `store_unavailable`, `source_unavailable`: nothing is known about it, and nobody comes in. */
  | Refused<RefusalOf<{ readonly kind: 'web'; readonly secret: string }>>;

/** Who comes with the page's cookie; `none` where there is none. */
export async function identifyCookie(identity: Pick<Identity, 'identify'>, exchange: Exchange): Promise<CookieCaller> {
  const secret = readCookie(exchange, sessionCookie);
  if (secret === undefined) return { kind: 'none' };
  const { address, userAgent } = exchange;
  const found = await identity.identify({ kind: 'web', secret }, { address, userAgent });
  return found.kind === 'identified' ? { ...found, secret } : found;
}
