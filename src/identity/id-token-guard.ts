/**
 * What stands before the signatures of ID tokens. Nobody can guess one, so that no account is protected here but the machine:
 * checks in vain are counted by network and /48, in this process, and apart from passwords. A CI shares its address with
 * others: where a workload has logged in before, what they make up does not keep it out, not even under its name.
 */
import { clientNetwork, clientSite } from '../limits/client-network.ts';
import type { FailedLogins } from '../ports.ts';
import { heldByPlace } from './login-delays.ts';
import type { Authentication, Presented } from './source.ts';
import { UnderWay } from './under-way.ts';

export interface IdTokenGuard {
  /** Runs `judge`, which tells of a check in vain, unless too many were made for the network. */
  attempt(shown: Omit<Presented, 'password'>, judge: Judge): Promise<Authentication>;
}

type Judge = (inVain: () => void) => Promise<Authentication>;

/** No account has such a name, and nobody is asked for a password under it. */
const accountMark = 'ID token of ';

/** `vain` counts here; where a workload has logged in, all gateways know by `good`. */
export function createIdTokenGuard(
  vain: Pick<FailedLogins, 'look' | 'fail'>,
  good: Pick<FailedLogins, 'look' | 'succeed'>,
): IdTokenGuard {
  const underWay = new UnderWay();
  const inTurn = createTurns();
  let checks = 0;

  return {
    async attempt({ account, address, isExcused = false }, judge) {
      const network = clientNetwork(address);
      const site = clientSite(network);
      const place = { account: '', network };
      const known = { account: accountMark + account, network, fingerprint: 'ID token'.padEnd(22) };
      const names = [`network ${network}`, `site ${site}`] as const;
      const counts = { network: underWay.enter(names[0]), site: underWay.enter(names[1]) };
      const run = async (): Promise<Authentication> => {
        let isInVain = false;
        const result = await judge(() => (isInVain = true));
        if (isInVain) await vain.fail({ ...place, fingerprint: String(checks++) });
        if (result.ok) await good.succeed(known);
        return result;
      };
      try {
        const { failures } = await vain.look({ ...place, fingerprint: '' });
        const held = isExcused ? undefined : heldByPlace(failures, counts);
        if (held === undefined) return await run();
        if ((await good.look(known)).isKnownGood) return await inTurn(`${network}\n${account}`, run);
        return { ok: false, reason: 'login_held', ...held };
      } finally {
        names.forEach((name) => underWay.leave(name));
      }
    },
  };
}

/** One at a time of each name, in the order in which they came. */
function createTurns() {
  const last = new Map<string, Promise<unknown>>();
  return async <T>(name: string, run: () => Promise<T>): Promise<T> => {
    const mine = (last.get(name) ?? Promise.resolve()).then(run, run);
    last.set(name, mine);
    try {
      return await mine;
    } finally {
      if (last.get(name) === mine) last.delete(name);
    }
  };
}
