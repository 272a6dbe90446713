/**
 * What stands before password hashing: whoever failed often waits, without costing a hash. The same wrong password again
 * (clients try POST, then GET) is one mistake; the same attempt made many times at once is one hash. Whoever is held back
 * learns nothing from what was sent, not even that it was wrong before.
 */
import { createHmac } from 'node:crypto';
import { clientNetwork, clientSite } from '../limits/client-network.ts';
import type { FailedBy, FailedLogins, KeyRing, LoginAttempt } from '../ports.ts';
import { derivedKeys } from '../sealed/derived-keys.ts';
import { type Held, drawsLots, heldBy } from './login-delays.ts';
import type { PasswordOutcome } from './password.ts';
import { UnderWay } from './under-way.ts';
import { type Waiter, createWaitingRoom, waitingBounds } from './waiting-room.ts';

export interface LoginTry {
  readonly account: string;
  readonly password: string;
  /** Text of the stored hash; '' when there is none. A changed password makes another attempt of the same words. */
  readonly storedHash: string;
  readonly address: string | undefined;
  /** The account has already proved itself for what it asks: counted apart from every network, so that nobody else’s failures stop it. */
  readonly isExcused: boolean;
  /** What was wrong may be right by now, without anybody here knowing: it is asked again, and counted once all the same. */
  readonly mayHaveChanged?: boolean;
}

export type GuardedOutcome = PasswordOutcome | Held;

export interface LoginGuard {
  /** Runs `verify`, unless the attempt must wait or is known to be wrong. */
  attempt(login: LoginTry, verify: () => Promise<PasswordOutcome>): Promise<GuardedOutcome>;
}

export interface Lots {
  /** Milliseconds. */
  readonly clock: () => number;
  /** Calls `go` after so many milliseconds, unless what it returns was called before. */
  readonly after: (ms: number, go: () => void) => () => void;
  /** At least 0, below 1. */
  readonly random: () => number;
}

/** For a turn to try an account under attack. */
const longestWaitMs = 5000;
/** Whoever waits comes at a moment of this time after the turn began, chosen by chance: the first has it. */
const drawMs = 1000;

const chance: Lots = {
  clock: () => performance.now(),
  after(ms, go) {
    const timer = setTimeout(go, ms);
    return () => clearTimeout(timer);
  },
  random: Math.random,
};

/** Where attempts with the ticket of an upload are counted. */
const uploadNetwork = 'upload';

/** What an attempt is counted by while it is under way; an account may hold anything, a network no line break. */
function namesOf({ account, network }: LoginAttempt): Readonly<Record<FailedBy, string>> {
  const site = clientSite(network);
  const pair = `pair ${network}\n${account}`;
  return { pair, network: `network ${network}`, site: `site ${site}`, account: `account ${account}` };
}

/** One attempt of the same words is under way at a time; `keys` blind what is remembered of wrong passwords. */
export function createLoginGuard(
  failed: FailedLogins,
  keys: Pick<KeyRing, 'signingKey'>,
  lots: Lots = chance,
): LoginGuard {
  const same = new Map<string, Promise<GuardedOutcome>>();
  const underWay = new UnderWay();
  const fingerprintOf = fingerprints(keys);
  const drawLot = createLots(failed, lots);

  async function guarded(
    attempt: LoginAttempt,
    { isExcused, mayHaveChanged }: Pick<LoginTry, 'isExcused' | 'mayHaveChanged'>,
    verify: () => Promise<PasswordOutcome>,
  ): Promise<GuardedOutcome> {
    const names = namesOf(attempt);
    // Counted before anything is asked: of many attempts at once none sees the failure of another in time.
    const counts = {
      pair: underWay.enter(names.pair),
      network: underWay.enter(names.network),
      site: underWay.enter(names.site),
      account: underWay.enter(names.account),
    };
    try {
      const record = await failed.look(attempt);
      // An upload’s attempts wait for their own failures only.
      const judged = { ...record, isKnownGood: record.isKnownGood || isExcused };
      const held = heldBy(judged, counts) ?? (drawsLots(judged) ? await drawLot(attempt) : undefined);
      if (held !== undefined) return held;
      if (record.isKnownWrong && mayHaveChanged !== true) return 'mismatch';
      const outcome = await verify();
      if (outcome === 'match') await failed.succeed(attempt);
      else if (outcome === 'mismatch') await failed.fail(attempt);
      return outcome;
    } finally {
      for (const name of Object.values(names)) underWay.leave(name);
    }
  }

  return {
    attempt({ account, password, storedHash, address, isExcused, mayHaveChanged }, verify) {
      const network = isExcused ? uploadNetwork : clientNetwork(address);
      const fingerprint = fingerprintOf(account, password, storedHash);
      const name = `${fingerprint} ${network} ${isExcused}`;
      const running = same.get(name);
      if (running !== undefined) return running;
      const how = { isExcused, mayHaveChanged: mayHaveChanged === true };
      const begun = guarded({ account, network, fingerprint }, how, verify).finally(() => same.delete(name));
      same.set(name, begun);
      return begun;
    },
  };
}

/** Waits for a turn at most as long as it may; undefined when this attempt has it. */
function createLots(failed: Pick<FailedLogins, 'turn'>, { clock, after, random }: Lots) {
  const room = createWaitingRoom(waitingBounds);

  return async ({ account, network }: LoginAttempt): Promise<Held | undefined> => {
    const untilTurn = await failed.turn(account, false);
    const waitMs = untilTurn + Math.floor(random() * drawMs);
    if (waitMs >= longestWaitMs) return loser(untilTurn);
    const hasWaited = await new Promise<boolean>((resolve) => {
      const lose = (): void => {
        cancel();
        resolve(false);
      };
      const waiter: Waiter = { account, site: clientSite(network), at: clock() + waitMs, lose };
      const cancel = after(waitMs, () => {
        room.leave(waiter);
        resolve(true);
      });
      room.enter(waiter);
    });
    if (!hasWaited) return loser(untilTurn);
    const untilNext = await failed.turn(account, true);
    return untilNext === 0 ? undefined : loser(untilNext);
  };
}

/** To come back while the next turn can be waited for. */
function loser(untilTurnMs: number): Held {
  return { by: 'account', waitMs: Math.max(1000, untilTurnMs - longestWaitMs / 2) };
}

/**
 * Keyed by what all gateways share and Redis does not know, so that a copy of Redis gives nobody a quick way to guess.
 * Every field with its length: (`a`, `bc`) and (`ab`, `c`) differ (Oathkeeper CVE-2026-33496).
 */
function fingerprints(keys: Pick<KeyRing, 'signingKey'>): (...fields: readonly string[]) => string {
  const secretOf = derivedKeys('portcullis failed login');
  return (...fields) => {
    const hmac = createHmac('sha256', secretOf(keys.signingKey()));
    for (const field of fields) hmac.update(`${Buffer.byteLength(field)}:`).update(field);
    return hmac.digest('base64url').slice(0, 22);
  };
}
