/** `portcullis check`: configuration and policies, all problems at once. */
import { resolve } from 'node:path';
import { loadPolicy } from '../adapters/files/policy-source.ts';
import { type ExitCode, exitCodes } from './exit-codes.ts';
import { readConfiguration } from './configuration.ts';
import { printJson, reportProblems } from './report.ts';

export async function check(paths: readonly string[], { json }: { readonly json: boolean }): Promise<ExitCode> {
  const configuration = paths.length > 0 ? undefined : readConfiguration({ values: {} });
  const policies = configuration?.ok === true ? configuration.config.policies : paths.map((path) => resolve(path));
  const loading = policies.length === 0 ? undefined : await loadPolicy(policies, Date.now());
  const problems = [
    ...(configuration?.ok === false ? configuration.problems : []),
    ...(loading?.ok === false ? loading.problems : []),
  ];
  const failed = problems.filter((problem) => problem.code === 'test-failed').length;
  const passed = loading?.ok === true ? loading.loaded.testsPassed : 0;
  if (json) printJson({ ok: problems.length === 0, problems, tests: { passed, failed } });
  else if (problems.length > 0) reportProblems(problems);
  else if (loading?.ok === true) {
    const rules = loading.loaded.compiled.policy.rules.length;
    process.stdout.write(`ok: ${rules} rules, ${passed} test expectations passed\n`);
  }
  return problems.length === 0 ? exitCodes.ok : exitCodes.problems;
}
