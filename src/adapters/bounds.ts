/** What stores of sessions, limits and failed logins bound alike, in memory and in Redis. */
import type { Budget, FailedBy, Session, Unavailable } from '../ports.ts';

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

/** Counters that are listed as owing much. */
export const maxOwing = 1000;
/** The part of a burst that must be spent for its counter to be listed. */
export const owingPart = 0.8;

/** Whether a counter is among those that `limits` lists. `debtUs`: microseconds until its budget is full again. */
export function isOwingMuch(debtUs: number, { intervalUs, burst }: Budget): boolean {
  return debtUs >= owingPart * burst * intervalUs;
}

/** Failures are forgotten this long after the last one. */
export const failuresMs = 24 * 3600 * 1000;
/** An account is known at a network this long after its last login there. */
export const knownGoodMs = 30 * 24 * 3600 * 1000;
/** Mistakes told apart for one account. */
export const maxFingerprints = 16;
/** Accounts and networks that are listed. */
export const maxWorst = 1000;
/** Failures from which on an account or network is listed. */
export const listedFrom: Readonly<Record<FailedBy, number>> = { pair: 5, network: 20, site: 50, account: 20 };
/** From one turn to try an account under attack to the next. */
export const turnMs = 10_000;
/** Characters of an account name that is kept for lists: no valid one is longer. */
export const maxListedName = 128;
/** Promotions are remembered this long, and so many of them. */
export const promotionsMs = 90 * 24 * 3600 * 1000;
export const maxPromotions = 50_000;

/** Tags of a repository of which is remembered who wrote them, as many of which when they were pulled, and for how long. */
export const maxActiveTags = 5000;
export const activityMs = 400 * 24 * 3600 * 1000;
/** Moves of one tag. */
export const maxMoves = 5;
/**
 * Repositories, and tags of all of them: a tag takes about half a kilobyte, so that they stay below 100 MB. Whoever pushes
 * makes them; the repository of which nothing was heard for longest leaves whole.
 */
export const maxActiveRepositories = 20_000;
export const maxActiveTagsOfAll = 100_000;

/** A login that a terminal began waits so long for a browser; so often may the terminal ask, a little sooner than told. */
export const deviceBounds = { livesMs: 600_000, intervalMs: 5000, toleranceMs: 500, most: 10_000 } as const;
