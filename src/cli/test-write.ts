/** `portcullis test --write`: tests for what holds today, where no test exercises a rule. */
import { addTests, testsInYaml } from '../editing/tests.ts';
import { describeGate, describeRule } from '../policy/describe.ts';
import { compileByName } from '../policy/by-name.ts';
import { grouped } from '../policy/grouped.ts';
import { proposeTests } from '../policy/analysis/propose-tests.ts';
import { runTests, unexercisedGates, unexercisedRules } from '../policy/analysis/test-run.ts';
import { type ExitCode, complain, exitCodes } from './report.ts';
import { applyEdits, readForEdit } from './policy-edit.ts';

/** On standard output with `dryRun`, else into the files of the rules. */
export async function writeTests(
  paths: readonly string[],
  { dryRun }: { readonly dryRun: boolean },
): Promise<ExitCode> {
  const files = await readForEdit(paths);
  if ('refused' in files) return files.refused;
  const compiled = compileByName(files.policy);
  const now = Date.now();
  if (runTests(compiled, now).failures.length > 0) {
    return complain('tests fail already; correct them or the rules first: portcullis test');
  }
  const { tests, without } = proposeTests(
    compiled,
    { rules: unexercisedRules(compiled, now), gates: unexercisedGates(compiled, now) },
    now,
  );
  for (const each of without) {
    const why =
      'effect' in each
        ? `${describeRule(each)} decides nothing by itself: other rules say the same`
        : `${describeGate(each)} stands in nobody's way: no rule lets anybody write there`;
    process.stderr.write(`${why}\n`);
  }
  if (tests.length === 0) {
    process.stderr.write('nothing to propose\n');
    return exitCodes.ok;
  }
  if (dryRun) {
    process.stdout.write(testsInYaml(tests));
    return exitCodes.ok;
  }
  const byFile = grouped(tests, ({ file }) => file);
  const changes = [...byFile].map(([file, added]) => ({ file, change: (text: string) => addTests(text, added) }));
  return applyEdits(files, changes, () => {
    for (const [file, added] of byFile) {
      const expectations = added.reduce((sum, { allow, deny }) => sum + allow.length + deny.length, 0);
      const what = expectations === 1 ? '1 expectation' : `${expectations} expectations`;
      process.stdout.write(`${what} written to ${file}: read them, and correct what is not meant\n`);
    }
  });
}
