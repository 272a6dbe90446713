/** What every session store bounds alike. */
import type { Session, Unavailable } from '../ports.ts';

export interface SessionMemory {
  /** At least as long as an access token lives, allowed clock skew included. */
  readonly revocationMemorySeconds: number;
  /** As long as a session may lie unused; `revocationMemorySeconds` when left out. */
  readonly accountMemorySeconds?: number;
}

export const unavailable: Unavailable = { ok: false, reason: 'unavailable' };

/** A list shows this many sessions, the most recently used ones. */
export const maxListedSessions = 10_000;

const maxClientText = 256;

/** What a client says about itself, cut: it is kept for weeks, once for each session, and anyone with an account can send it. */
export function cutClient<T extends Pick<Session, 'address' | 'userAgent'>>(client: T): T {
  return { ...client, address: cut(client.address), userAgent: cut(client.userAgent) };
}

function cut(text: string | undefined): string | undefined {
  if (text === undefined || text.length <= maxClientText) return text;
  // Not between the halves of a pair: half a character would come back from a store as another one.
  return text.slice(0, maxClientText).replace(/[\ud800-\udbff]$/, '');
}
