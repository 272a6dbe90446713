/** What a machine has once, however many of its processes serve: policy and keys as they change on disk, and the stores. */
import { followKeyDirectory } from '../adapters/files/key-ring.ts';
import { type PolicyLoading, shortRevision } from '../adapters/files/policy-loading.ts';
import { followPolicyFiles } from '../adapters/files/policy-source.ts';
import type { OperatorLog } from '../adapters/log/log.ts';
import type { Config } from '../config/load.ts';
import { formatProblem } from '../document/problem.ts';
import { followDisabled } from '../identity/sources/disabled.ts';
import type { AuditLog, Clock } from '../ports.ts';
import { version } from '../version.ts';
import { type Inputs, loadingTerms } from './inputs.ts';
import type { Lifecycle } from './lifecycle.ts';
import { openStores } from './open-stores.ts';
import { formatAll, lastGood } from './readiness.ts';

export type Machine = Awaited<ReturnType<typeof openMachine>>;

export interface MachineOptions {
  readonly config: Config;
  readonly inputs: Inputs;
  readonly clock: Clock;
  readonly log: OperatorLog;
  readonly audit: AuditLog;
  readonly onStoreAnswer: (op: string, seconds: number) => void;
  readonly lifecycle: Pick<Lifecycle, 'opens'>;
}

/** Follows the files from what was read of them, and says what became of each change. Rejects as `openStores` does. */
export async function openMachine(options: MachineOptions) {
  const { config, inputs, clock, log, audit, lifecycle } = options;
  const stores = lifecycle.opens(await openStores(config, clock, log, options.onStoreAnswer));
  const { sessions } = stores;
  const endDisabled = followDisabled(sessions, clock);
  const policies = lifecycle.opens(
    followPolicyFiles(inputs.policy, {
      paths: inputs.policyPaths,
      clock,
      terms: loadingTerms(config),
      onReload(result) {
        endDisabled(policies.current().policy);
        recordReload(audit, result);
      },
    }),
  );
  endDisabled(policies.current().policy);
  const keys = lifecycle.opens(
    followKeyDirectory(inputs.keys, {
      directory: inputs.keyDirectory,
      clock,
      onChange(kids, found) {
        if (found.length === 0) log.info('the signing keys changed', { kids });
        else
          log.error('the signing keys on disk cannot be used; the last good ones stay', { detail: formatAll(found) });
      },
    }),
  );
  const inForce = (): string => shortRevision(policies.loaded().revision);
  const revision = (): string => `revision ${inForce()}`;
  const { publicUrl, tokens } = config;
  const kids = (): readonly string[] => keys.keys().map(({ kid }) => kid);
  stores.announce(() => ({ version, revision: inForce(), kids: kids(), publicUrl, service: tokens.service }));
  return {
    policies,
    keys,
    stores,
    parts: {
      policy: { name: 'policy', health: () => lastGood('policy stays in force', policies.problems(), revision()) },
      keys: { name: 'keys', health: () => lastGood('keys stay in use', keys.problems()) },
      store: { name: 'store', health: () => sessions.health() },
    },
  };
}

/** One record of a policy that came into force, or one for each problem that kept it out. */
function recordReload(audit: AuditLog, result: PolicyLoading): void {
  if (result.ok) {
    const { compiled, testsPassed, revision } = result.loaded;
    const rules = compiled.policy.rules.length;
    const detail = `revision ${shortRevision(revision)}: ${rules} rules, ${testsPassed} tests passed`;
    audit.record({ event: 'policy', decision: 'allow', reason: 'reloaded', detail });
    return;
  }
  for (const problem of result.problems) {
    const source = `${problem.file}:${problem.line}`;
    const detail = formatProblem(problem);
    audit.record({ event: 'policy', decision: 'deny', reason: 'reload_refused', source, detail });
  }
}
