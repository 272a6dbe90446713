/** Access tokens that people make for themselves: made, listed and ended. What lies in the store is the SHA-256 of each. */
import type { Clock, Session, SessionReach, SessionStore } from '../ports.ts';
import { makeSecret, secretHash } from './carried-secret.ts';
import { type Identity, accountOf } from './identify.ts';
import type { Login } from './source.ts';
import { newSession } from './web-session.ts';

export interface OwnTokenParts {
  readonly sessions: Pick<SessionStore, 'open' | 'list' | 'revoke' | 'endedBefore'>;
  readonly identity: Pick<Identity, 'endOfSession'>;
  readonly clock: Clock;
  readonly service: string;
  /** Of the longest life. */
  readonly personalMaxTtlSeconds: number;
}

/** Live at a time, of one account. */
export const maxOwnTokens = 50;
/** Characters of what somebody calls one. */
export const maxLabel = 64;

export interface OwnTokenTerms {
  readonly label: string;
  readonly lifetimeSeconds: number;
  readonly reach: SessionReach;
  /** Whoever asked for it. */
  readonly address: string | undefined;
  readonly userAgent: string | undefined;
}

export type OwnTokenOpened =
  | { readonly ok: true; readonly session: Session }
  | { readonly ok: false; readonly reason: 'too_many' | 'unavailable' };

/** For somebody who logged in themselves. It is marked as a session of theirs, and ends with what ends those. */
export async function openOwnToken(
  parts: OwnTokenParts,
  holder: Login,
  { label, lifetimeSeconds, reach, address, userAgent }: OwnTokenTerms,
  tokenHash: string,
): Promise<OwnTokenOpened> {
  const { sessions, clock, personalMaxTtlSeconds } = parts;
  const account = accountOf(holder);
  const before = await countOf(parts, account);
  if (before === undefined) return { ok: false, reason: 'unavailable' };
  if (before >= maxOwnTokens) return { ok: false, reason: 'too_many' };
  const seconds = Math.min(lifetimeSeconds, personalMaxTtlSeconds);
  const session: Session = {
    ...newSession(parts, holder, { address, userAgent }),
    kind: 'personal',
    expires: clock() + seconds * 1000,
    label,
    reach,
  };
  const opened = await sessions.open(tokenHash, session, seconds);
  if (!opened.ok) return { ok: false, reason: 'unavailable' };
  // Whoever asked for another one at the same moment was not counted before.
  const after = await countOf(parts, account);
  if (after !== undefined && after <= maxOwnTokens) return { ok: true, session };
  await sessions.revoke({ id: session.id }, clock());
  return { ok: false, reason: after === undefined ? 'unavailable' : 'too_many' };
}

/** The same with a secret of its own, which is nowhere else. */
export async function makeOwnToken(
  parts: OwnTokenParts,
  holder: Login,
  terms: OwnTokenTerms,
): Promise<
  | { readonly ok: true; readonly session: Session; readonly secret: string }
  | Extract<OwnTokenOpened, { readonly ok: false }>
> {
  const { text: secret } = makeSecret('robot');
  const opened = await openOwnToken(parts, holder, terms, secretHash(secret));
  return opened.ok ? { ...opened, secret } : opened;
}

/** Those of an account that count still, the one used last first; undefined when the store does not tell. */
export async function ownTokensOf(
  { sessions, identity, clock }: Pick<OwnTokenParts, 'sessions' | 'identity' | 'clock'>,
  account: string,
): Promise<readonly Session[] | undefined> {
  const listed = await sessions.list(account, clock());
  if (!listed.ok) return undefined;
  return listed.sessions.filter((one) => one.kind === 'personal' && identity.endOfSession(one) === undefined);
}

async function countOf(parts: OwnTokenParts, account: string): Promise<number | undefined> {
  return (await ownTokensOf(parts, account))?.length;
}
