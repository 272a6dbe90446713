/** Accounts that a policy file disables. */
import type { Policy } from '../../policy/model.ts';
import type { Clock, SessionStore } from '../../ports.ts';

/**
 * Ends for good what accounts hold when a policy disables them: the file that enables them again need not say so. To be
 * called with every policy that comes into force, the first as well: what happened before is not known.
 */
export function followDisabled(sessions: Pick<SessionStore, 'endAccount'>, clock: Clock): (policy: Policy) => void {
  let known: ReadonlySet<string> = new Set();
  return ({ users, robots, workloads }) => {
    const disabled = new Set<string>();
    for (const { name, disabled: isDisabled } of [...users.values(), ...robots.values(), ...workloads.values()]) {
      if (!isDisabled) continue;
      disabled.add(name);
      if (!known.has(name)) sessions.endAccount(name, clock());
    }
    known = disabled;
  };
}
