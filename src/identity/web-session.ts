/** Sessions of the page: who opens one, and how long it lasts. */
import { randomBytes } from 'node:crypto';
import type { Clock, Session, SessionStore } from '../ports.ts';
import { secretHash } from './carried-secret.ts';
import type { SessionTerms } from './live-session.ts';
import { makeMarkedId } from './marked-id.ts';
import type { Login } from './source.ts';
import { countsFrom } from './standing.ts';

/** Ended by an hour without use; that it is used is written down once a minute, not by every page. */
export const webTerms: SessionTerms = { kind: 'web', idleSeconds: 3600, markMs: 60_000 };
/** Milliseconds, however it is used. */
const longestMs = 8 * 3_600_000;

export interface SessionOpening {
  readonly sessions: Pick<SessionStore, 'open' | 'endedBefore'>;
  readonly clock: Clock;
  readonly service: string;
}

export interface Client {
  readonly address: string | undefined;
  readonly userAgent: string | undefined;
}

/** A session of somebody who has just proved who they are, marked with the credential that it stands on. */
export function newSession(
  { sessions, clock, service }: SessionOpening,
  login: Login,
  { address, userAgent }: Client,
): Session {
  const now = clock();
  const { mark, outside, lookedUp = now, principal } = login;
  const account = 'name' in principal ? principal.name : '';
  return {
    id: makeMarkedId(mark),
    account,
    service,
    created: Math.max(now, countsFrom(login, sessions, account)),
    lastUsed: now,
    address,
    userAgent: userAgent?.slice(0, 256),
    ...(outside === undefined ? {} : { outside: { ...outside, lookedUp } }),
  };
}

/** `secret`: what the cookie holds, 32 random bytes of which only a hash is kept. */
export async function openWebSession(
  parts: SessionOpening,
  login: Login,
  client: Client,
): Promise<{ readonly ok: true; readonly secret: string; readonly session: Session } | { readonly ok: false }> {
  const secret = makeWebSecret();
  const session: Session = {
    ...newSession(parts, login, client),
    kind: 'web',
    expires: parts.clock() + longestMs,
  };
  const opened = await parts.sessions.open(secretHash(secret), session, webTerms.idleSeconds);
  return opened.ok ? { ok: true, secret, session } : { ok: false };
}

/** 32 random bytes. */
export function makeWebSecret(): string {
  return randomBytes(32).toString('base64url');
}

/** Whether a text can be such a secret at all. */
export function isWebSecret(text: string): boolean {
  return /^[A-Za-z0-9_-]{43}$/.test(text);
}
