/** CI jobs of the policy files. None can log in yet; what is issued to one counts as long as its entry is there. */
import { principalOf } from '../../policy/principal.ts';
import type { IdentitySource } from '../source.ts';

/** A workload has no secret of its own: what is issued to it is marked with none. */
export const workloadSource: IdentitySource = {
  authenticate: () => undefined,
  standing(policy, { account, secretId }) {
    const workload = secretId === undefined ? policy.workloads.get(account) : undefined;
    if (workload === undefined) return undefined;
    const { disabled, validFrom = 0 } = workload;
    return { principal: disabled ? undefined : principalOf('workload', workload), validFrom, mark: '' };
  },
};
