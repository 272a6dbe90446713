/** What try mode stands on: its account, made ready for the policies it is read together with, and a registry. */
import { readPolicyFiles } from '../adapters/files/policy-loading.ts';
import type { Config } from '../config/load.ts';
import { defaultUpstream, soleUpstream } from '../config/upstreams.ts';
import { makeSecret, secretHash } from '../identity/carried-secret.ts';
import { hashPassword } from '../identity/password.ts';
import { findUpstream } from '../trial/backend.ts';
import { builderGroup, forgetBuilder, prepareBuilder } from '../trial/builder.ts';
import { declaresGroup, prepareState } from '../trial/state.ts';
import { complain } from './report.ts';
import type { Upstream } from '../trial/registry.ts';

/** Says what its account may not do, and what takes time. `failed`: why it cannot stand anywhere, in words with what to do. */
export async function openTrialGround(config: Config, signal?: AbortSignal) {
  const { stateDir, policies: paths } = config;
  const read = await readPolicyFiles(paths);
  const policies = read.ok ? read.files.map(({ text }) => text) : [];
  const state = await prepareState(stateDir, { hash: hashPassword, policies });
  if ('fix' in state) return { failed: `${state.message}\n    fix: ${state.fix}` };
  // Files that cannot be read are reported with their own reason.
  if (read.ok && state.adminGroups.length === 0) {
    complain('your policies have no group "admins", so the account admin may do what they give user:admin or everyone');
  }
  const found = await upstreamOf(config, signal);
  if (!found.ok) return { failed: found.message };
  const extraPolicies = [state.policyFile];
  if (declaresGroup(policies, builderGroup)) {
    const { text } = makeSecret('robot');
    extraPolicies.push(await prepareBuilder(stateDir, { text, sha256: secretHash(text) }));
  } else await forgetBuilder(stateDir);
  const { upstream, upstreams } = found;
  return { config: { ...config, upstreams }, trial: { state, upstream }, extraPolicies };
}

/** The registries of the configuration; where none is for every name, that of try mode is. */
async function upstreamOf(config: Config, signal: AbortSignal | undefined) {
  const { upstreams, stateDir } = config;
  const named = defaultUpstream(upstreams);
  // Only the gateway can log in there.
  if (named?.credentials !== undefined) {
    const upstream: Upstream = { url: named.url, description: 'the configured registry', stop: async () => {} };
    return { ok: true as const, upstream, upstreams };
  }
  const report = (line: string): void => void complain(line);
  const found = await findUpstream({ upstream: named?.url, stateDir, env: process.env, report, signal });
  if (!found.ok || named !== undefined) return { ...found, upstreams };
  return { ...found, upstreams: [...upstreams, soleUpstream(found.upstream.url, config)] };
}
