/** What the audit log says of policy files that were read again. */
import { type PolicyLoading, shortRevision } from '../adapters/files/policy-loading.ts';
import { formatProblem } from '../document/problem.ts';
import type { AuditLog } from '../ports.ts';

/** One record of a policy that came into force, or one for each problem that kept it out. */
export function recordReload(audit: AuditLog, result: PolicyLoading): void {
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
