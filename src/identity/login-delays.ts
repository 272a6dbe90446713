/** How long failed logins keep further ones waiting: some mistakes are free, then every failure doubles the wait. */
import type { FailedBy, Failures, LoginRecord } from '../ports.ts';

interface Patience {
  /** Failures before there is any wait. */
  readonly free: number;
  readonly longestSeconds: number;
  /** Attempts under way at once whose outcome nobody knows yet. */
  readonly atOnce: number;
}

/**
 * The pair of account and network is whoever mistypes or guesses; a network may be an office full of people, and a /48 a site
 * whose hosts have as many networks as they like: both have more patience and shorter waits. An account that many networks
 * attack does not make its owner wait, who would wait as long as the attack goes on: whoever comes from a network where it
 * has not logged in draws lots for a turn.
 */
const patience: Readonly<Record<FailedBy, Patience>> = {
  pair: { free: 5, longestSeconds: 900, atOnce: 5 },
  network: { free: 30, longestSeconds: 300, atOnce: 100 },
  site: { free: 60, longestSeconds: 300, atOnce: 200 },
  account: { free: 30, longestSeconds: 10, atOnce: 50 },
};

/** Milliseconds after the last failure until the next attempt. */
export function delayMs(by: FailedBy, count: number): number {
  const { free, longestSeconds } = patience[by];
  return count < free ? 0 : Math.min(longestSeconds, 2 ** (count - free)) * 1000;
}

/** Further mistakes of one account from one network, of which `count` are known, before there is a wait. */
export function triesLeft(count: number): number {
  return Math.max(0, patience.pair.free - count);
}

export interface Held {
  readonly by: FailedBy;
  readonly waitMs: number;
}

/** Whether the account is under attack where it is tried from a network it does not know: then there is one attempt a turn. */
export function drawsLots({ failures, isKnownGood }: Pick<LoginRecord, 'failures' | 'isKnownGood'>): boolean {
  return !isKnownGood && failures.account.count >= patience.account.free;
}

/** Milliseconds that somebody waits who is held back only by attempts that have not ended yet. */
const busyMs = 1000;

/**
 * Whether an attempt must wait, and by what; undefined when it may be made. `underWay` counts unfinished attempts, this one
 * among them. Where the account has logged in before, only its own failures from there count: somebody else's attack on the
 * account or from the network does not lock it out.
 */
export function heldBy(
  { failures, isKnownGood }: Pick<LoginRecord, 'failures' | 'isKnownGood'>,
  underWay: Readonly<Record<FailedBy, number>>,
): Held | undefined {
  const others: readonly FailedBy[] = drawsLots({ failures, isKnownGood })
    ? ['network', 'site']
    : ['network', 'site', 'account'];
  const kinds: readonly FailedBy[] = isKnownGood ? ['pair'] : ['pair', ...others];
  return longest(kinds.map((by) => ({ by, waitMs: waitMs(by, failures[by], underWay[by]) })));
}

/**
 * The same for what nobody can guess, so that no account is protected: by networks that failed too often. From others any
 * number may come at once.
 */
export function heldByPlace(
  failures: LoginRecord['failures'],
  underWay: Readonly<Record<'network' | 'site', number>>,
): Held | undefined {
  const kinds = (['network', 'site'] as const).filter((by) => delayMs(by, failures[by].count) > 0);
  return longest(kinds.map((by) => ({ by, waitMs: waitMs(by, failures[by], underWay[by]) })));
}

function longest(held: readonly Held[]): Held | undefined {
  return held.filter(({ waitMs }) => waitMs > 0).toSorted((left, right) => right.waitMs - left.waitMs)[0];
}

function waitMs(by: FailedBy, { count, ageMs }: Failures, underWay: number): number {
  const left = delayMs(by, count) - ageMs;
  if (left > 0) return left;
  const { free, atOnce } = patience[by];
  // Who waited has one attempt; until then there are as many at once as there are free mistakes, or a few more.
  const most = count < free ? Math.max(atOnce - count, 1) : 1;
  return underWay > most ? busyMs : 0;
}
