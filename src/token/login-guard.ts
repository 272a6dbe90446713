/**
 * What stands before password hashing: whoever failed often waits, without costing a hash. The same wrong password again
 * (clients try POST, then GET) is one mistake; the same attempt made many times at once is one hash.
 */
import { createHmac } from 'node:crypto';
import { clientNetwork } from '../limits/client-network.ts';
import type { FailedBy, FailedLogins, KeyRing, LoginAttempt } from '../ports.ts';
import { derivedKeys } from './derived-keys.ts';
import { type Held, heldBy } from './login-delays.ts';
import type { PasswordOutcome } from './password.ts';

export interface LoginTry {
  readonly account: string;
  readonly password: string;
  /** Text of the stored hash; '' when there is none. A changed password makes another attempt of the same words. */
  readonly storedHash: string;
  readonly address: string | undefined;
  /** The account has already proved itself for what it asks: it is counted, and never held back. */
  readonly isExcused: boolean;
}

export type GuardedOutcome = PasswordOutcome | Held;

export interface LoginGuard {
  /** Runs `verify`, unless the attempt must wait or is known to be wrong. */
  attempt(login: LoginTry, verify: () => Promise<PasswordOutcome>): Promise<GuardedOutcome>;
}

export function createLoginGuard(failed: FailedLogins, keys: Pick<KeyRing, 'signingKey'>): LoginGuard {
  const same = new Map<string, Promise<GuardedOutcome>>();
  const underWay = {
    pair: new Map<string, number>(),
    network: new Map<string, number>(),
    account: new Map<string, number>(),
  };
  const fingerprintOf = fingerprints(keys);

  async function guarded(
    attempt: LoginAttempt,
    isExcused: boolean,
    verify: () => Promise<PasswordOutcome>,
  ): Promise<GuardedOutcome> {
    const { account, network } = attempt;
    const names: Readonly<Record<FailedBy, string>> = { pair: `${account}\n${network}`, network, account };
    // Counted before anything is asked: of many attempts at once none sees the failure of another in time.
    const counts = {
      pair: enter(underWay.pair, names.pair),
      network: enter(underWay.network, network),
      account: enter(underWay.account, account),
    };
    try {
      const record = await failed.look(attempt);
      if (record.isKnownWrong) return 'mismatch';
      const held = isExcused ? undefined : heldBy(record, counts);
      if (held !== undefined) return held;
      const outcome = await verify();
      if (outcome === 'match') await failed.succeed(attempt);
      else if (outcome === 'mismatch') await failed.fail(attempt);
      return outcome;
    } finally {
      for (const by of ['pair', 'network', 'account'] as const) leave(underWay[by], names[by]);
    }
  }

  return {
    attempt({ account, password, storedHash, address, isExcused }, verify) {
      const network = clientNetwork(address);
      const fingerprint = fingerprintOf(account, password, storedHash);
      const name = `${fingerprint} ${network} ${isExcused}`;
      const running = same.get(name);
      if (running !== undefined) return running;
      const begun = guarded({ account, network, fingerprint }, isExcused, verify).finally(() => same.delete(name));
      same.set(name, begun);
      return begun;
    },
  };
}

function enter(counts: Map<string, number>, name: string): number {
  const count = (counts.get(name) ?? 0) + 1;
  counts.set(name, count);
  return count;
}

function leave(counts: Map<string, number>, name: string): void {
  const count = (counts.get(name) ?? 1) - 1;
  if (count === 0) counts.delete(name);
  else counts.set(name, count);
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
