/**
 * A token for a registry: what is asked of its token server, and what may be taken of the answer. distribution's
 * spec/auth/token.md (GET) and oauth.md (POST).
 */
import type { StoredLogin } from '../distribution/docker-logins.ts';
import { field, parseJson } from '../distribution/json.ts';
import type { LoginAnswer, LoginRequest } from '../ports.ts';
import type { AskedLogin } from './asked-login.ts';

export type TokenAnswer =
  /** `goodForMs`: from when it was asked for, and used no longer. */
  | { readonly kind: 'token'; readonly token: string; readonly goodForMs: number }
  /** By a server that heard what it was shown. */
  | { readonly kind: 'refused'; readonly status: number }
  | { readonly kind: 'unusable'; readonly detail: string };

/** Where no time is said (spec/auth/token.md). */
const usualSeconds = 60;
/** A token that is about to end may have ended when the registry reads it. */
const reserveSeconds = 30;

/** `scope`: space-separated; '' for a token that says who asks, and no more. */
export function tokenRequest(
  { realm, service }: AskedLogin & { readonly kind: 'bearer' },
  scope: string,
  login: StoredLogin | undefined,
): LoginRequest {
  if (login?.kind === 'identity-token') {
    const form = new URLSearchParams({
      grant_type: 'refresh_token',
      client_id: 'portcullis',
      refresh_token: login.token,
      ...(service === undefined ? {} : { service }),
      ...(scope === '' ? {} : { scope }),
    });
    return { url: realm, headers: {}, form: form.toString() };
  }
  const url = new URL(realm);
  if (service !== undefined) url.searchParams.append('service', service);
  for (const each of scope === '' ? [] : scope.split(' ')) url.searchParams.append('scope', each);
  return { url, headers: login === undefined ? {} : { authorization: basicHeader(login) } };
}

/** RFC 7617, in UTF-8. */
export function basicHeader({ account, password }: StoredLogin & { readonly kind: 'password' }): string {
  return `Basic ${Buffer.from(`${account}:${password}`).toString('base64')}`;
}

/** Nothing of the content is kept but the token: it may hold what it was asked with. */
export function tokenAnswer({ status, content }: LoginAnswer & { readonly ok: true }): TokenAnswer {
  const answer = parseJson(content);
  if (status === 401 || status === 403 || (status === 400 && isRefusal(field(answer, 'error'))))
    return { kind: 'refused', status };
  if (status >= 300 && status < 400) return unusable(`answers with a redirect (${status}), which is not followed`);
  if (status !== 200) return unusable(`answers with status ${status}`);
  const token = field(answer, 'token') || field(answer, 'access_token');
  // It becomes part of a header.
  if (typeof token !== 'string' || !/^[\x21-\x7e]+$/.test(token)) return unusable('gives no token that can be used');
  const said = field(answer, 'expires_in');
  const seconds = typeof said === 'number' && said > 0 ? said : usualSeconds;
  return { kind: 'token', token, goodForMs: Math.max(0, seconds - reserveSeconds) * 1000 };
}

/** RFC 6749 section 5.2. */
function isRefusal(error: unknown): boolean {
  return error === 'invalid_grant' || error === 'invalid_client' || error === 'unauthorized_client';
}

function unusable(detail: string): TokenAnswer {
  return { kind: 'unusable', detail };
}
