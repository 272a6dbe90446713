/** What try mode stands on: its account, made ready for the policies it is read together with, and a registry. */
import { readPolicyFiles } from '../adapters/files/policy-loading.ts';
import type { Config } from '../config/load.ts';
import { makeSecret, secretHash } from '../identity/carried-secret.ts';
import { hashPassword } from '../identity/password.ts';
import { findUpstream } from '../trial/backend.ts';
import { builderGroup, forgetBuilder, prepareBuilder } from '../trial/builder.ts';
import { declaresGroup, prepareState } from '../trial/state.ts';
import { complain } from './report.ts';

/** Says what its account may not do, and what takes time. `failed`: why it cannot stand anywhere, in words with what to do. */
export async function openTrialGround({ stateDir, policies: paths, upstream }: Config, signal?: AbortSignal) {
  const read = await readPolicyFiles(paths);
  const policies = read.ok ? read.files.map(({ text }) => text) : [];
  const state = await prepareState(stateDir, { hash: hashPassword, policies });
  if ('fix' in state) return { failed: `${state.message}\n    fix: ${state.fix}` };
  // Files that cannot be read are reported with their own reason.
  if (read.ok && state.adminGroups.length === 0) {
    complain('your policies have no group "admins", so the account admin may do what they give user:admin or everyone');
  }
  const found = await findUpstream({ upstream, stateDir, env: process.env, report: (line) => complain(line), signal });
  if (!found.ok) return { failed: found.message };
  const extraPolicies = [state.policyFile];
  if (declaresGroup(policies, builderGroup)) {
    const { text } = makeSecret('robot');
    extraPolicies.push(await prepareBuilder(stateDir, { text, sha256: secretHash(text) }));
  } else await forgetBuilder(stateDir);
  return { state, upstream: found.upstream, extraPolicies };
}
