/** What try mode keeps, made ready for the policies it is read together with. */
import { readPolicyFiles } from '../adapters/files/policy-files.ts';
import type { Config } from '../config/load.ts';
import { hashPassword } from '../identity/password.ts';
import { type TrialState, prepareState } from '../trial/state.ts';

/** `report` hears what its account may not do. Throws a TrialProblem where the state directory cannot be used. */
export async function openTrialState(
  { stateDir, policies: paths }: Config,
  report: (line: string) => void,
): Promise<TrialState> {
  const read = await readPolicyFiles(paths);
  const policies = read.ok ? read.files.map(({ text }) => text) : [];
  const state = await prepareState(stateDir, { hash: hashPassword, policies });
  // Files that cannot be read are reported with their own reason.
  if (read.ok && state.adminGroups.length === 0)
    report('your policies have no group "admins", so the account admin may do what they give user:admin or everyone');
  return state;
}
