/** `portcullis test`: the tests in the policies, and the rules that none of them needs. */
import { compileByName } from '../policy/by-name.ts';
import { formatPlace } from '../policy/describe.ts';
import { problemOfFailure, runTests, unexercisedGates, unexercisedRules } from '../policy/analysis/test-run.ts';
import { type ExitCode, exitCodes, paletteFor, placeInJson, printJson, reportBroken } from './report.ts';
import { readPolicies } from './policy-paths.ts';
import { type Command, type PolicyOptions, example, policiesOption } from './verb.ts';

interface Options extends PolicyOptions {
  readonly strict?: boolean;
  readonly write?: boolean;
  readonly dryRun?: boolean;
}

/** `test [PATH…]`: 0 all pass, 1 some fail; with --strict also when a rule is exercised by none. */
export function addTest(program: Command, done: (code: ExitCode) => void): void {
  program
    .command('test')
    .argument('[path...]', 'policy files or directories (default: the configured ones)')
    .description('run the tests in the policies and name the rules and gates that no test exercises')
    .option('--strict', 'fail also when a rule or a gate is not exercised')
    .option('--write', 'propose tests for what none exercises, and write them into the files')
    .option('--dry-run', 'with --write: print them instead')
    .option('--json', 'one JSON object instead of text')
    .addOption(policiesOption)
    .addHelpText(
      'after',
      example('portcullis test policies/', 'portcullis test --write --dry-run') +
        '\nExit status: 0 all pass, 1 some fail, 78 the policy is broken.\n',
    )
    .action(async (paths: string[], options: Options) => {
      const { policies = [], write = false, dryRun = false } = options;
      const all = [...paths, ...policies];
      done(
        write || dryRun ? await (await import('./test-write.ts')).writeTests(all, { dryRun }) : await run(all, options),
      );
    });
}

async function run(paths: readonly string[], { strict = false, json = false }: Options): Promise<ExitCode> {
  const reading = await readPolicies(paths);
  if (!reading.ok) return reportBroken(reading.problems, json);
  const compiled = compileByName(reading.policy);
  const now = Date.now();
  const { passed, failures } = runTests(compiled, now);
  const unexercised = unexercisedRules(compiled, now);
  const gates = unexercisedGates(compiled, now);
  const problems = failures.map(problemOfFailure);
  if (json) {
    printJson({
      passed,
      failed: failures.length,
      failures: failures.map((failure, index) => ({ test: failure.test.name, ...problems[index] })),
      unexercised: unexercised.map((rule) => ({ rule: rule.name, ...placeInJson(rule) })),
      unexercisedGates: gates.map((gate) => ({ gate: gate.name, ...placeInJson(gate) })),
    });
  } else {
    const { good, bad, faint } = paletteFor(process.stdout);
    for (const problem of problems) process.stdout.write(`${reading.show(problem, problem.message)}\n\n`);
    const paint = failures.length > 0 ? bad : good;
    process.stdout.write(`${paint(`${passed} passed, ${failures.length} failed`)}\n`);
    if (unexercised.length > 0) process.stdout.write('\nrules that no test exercises:\n');
    for (const { name, effect, source } of unexercised) {
      process.stdout.write(`  ${effect} "${name}" ${faint(`(${formatPlace(source)})`)}\n`);
    }
    if (gates.length > 0) process.stdout.write('\ngates that no test exercises with `image: unknown`:\n');
    for (const { name, source } of gates) {
      process.stdout.write(`  "${name}" ${faint(`(${formatPlace(source)})`)}\n`);
    }
  }
  return failures.length > 0 || (strict && unexercised.length + gates.length > 0) ? exitCodes.problems : exitCodes.ok;
}
