/** `portcullis check`: configuration, policies, lints and tests, all problems at once. */
import { upstreamFileProblems } from '../adapters/files/upstream-files.ts';
import { publicUrlNotes } from '../config/notes.ts';
import type { CheckFindings } from '../doctor/context.ts';
import { formatProblem, sortProblems } from '../document/problem.ts';
import { compileByName } from '../policy/by-name.ts';
import { lintPolicy } from '../policy/analysis/lint.ts';
import { lintTokenMode } from '../policy/analysis/lint-token-mode.ts';
import { lintUpstreams } from '../policy/analysis/lint-upstreams.ts';
import { problemOfFailure, runTests } from '../policy/analysis/test-run.ts';
import { checkLogins } from './check-logins.ts';
import { type ExitCode, exitCodes, printJson, reportProblems } from './report.ts';
import { configured, readConfigured, readPolicies } from './policy-paths.ts';
import { type Command, type PolicyOptions, example, policiesOption } from './verb.ts';

interface Options extends PolicyOptions {
  readonly strict?: boolean;
}

/** `check [PATH…]`: 0 fine, 1 problems; with --strict notes are problems. */
export function addCheck(program: Command, done: (code: ExitCode) => void): void {
  program
    .command('check')
    .argument('[path...]', 'policy files or directories (default: the configured ones, and the configuration)')
    .description('check configuration and policies for mistakes and run the tests in them')
    .option('--strict', 'fail also on notes')
    .option('--json', 'one JSON object instead of text')
    .addOption(policiesOption)
    .addHelpText(
      'after',
      example('portcullis check policies/') + '\nExit status: 0 fine (there may be notes), 1 problems found.\n',
    )
    .action(async (paths: string[], options: Options) => done(await run(paths, options)));
}

async function run(
  paths: readonly string[],
  { policies = [], strict = false, json = false }: Options,
): Promise<ExitCode> {
  const found = await findingsOf([...paths, ...policies]);
  const problems = strict ? sortProblems([...found.problems, ...found.notes]) : found.problems;
  const notes = strict ? [] : found.notes;
  const ok = problems.length === 0;
  const { revision } = found;
  if (json) printJson({ ok, problems, tests: found.tests, notes, revision });
  else {
    for (const note of notes) {
      const [first, ...rest] = formatProblem(note).split('\n');
      process.stderr.write(`${[`note: ${first ?? ''}`, ...rest].join('\n')}\n`);
    }
    if (ok) process.stdout.write(`ok: ${found.rules} rules, ${found.tests.passed} test expectations passed\n`);
    else reportProblems(problems);
    if (revision !== undefined)
      process.stdout.write(`revision ${revision}, as \`/readyz?verbose\` of a gateway that has it in force\n`);
  }
  return ok ? exitCodes.ok : exitCodes.problems;
}

/** Without paths the configuration is checked too, and tells where the policies are. */
export async function findingsOf(paths: readonly string[]): Promise<CheckFindings> {
  const nothing: CheckFindings = { problems: [], notes: [], tests: { passed: 0, failed: 0 }, rules: 0 };
  const configuration = paths.length > 0 ? undefined : await configured();
  if (configuration?.ok === false) return { ...nothing, problems: configuration.problems };
  const reading = await (configuration === undefined ? readPolicies(paths) : readConfigured(configuration));
  if (!reading.ok) return { ...nothing, problems: reading.problems };
  const { policy, revision, behind } = reading;
  const ofConfiguration =
    configuration === undefined
      ? []
      : [
          ...publicUrlNotes(configuration.config.publicUrl, 'configuration'),
          ...upstreamFileProblems(configuration.config.upstreams, configuration.placeOf),
        ];
  const now = Date.now();
  const { passed, failures } = runTests(compileByName(policy), now);
  const { problems, notes } = lintPolicy(policy, now);
  const logins = configuration === undefined ? nothing : await checkLogins(policy, configuration.config.logins);
  const { enforce, tokens } = configuration?.config ?? { enforce: 'proxy' as const };
  const unkept = enforce === 'token' ? lintTokenMode(policy, tokens.accessTtlSeconds) : [];
  const registries = behind === undefined ? nothing : lintUpstreams(policy, behind.upstreams, behind.sourceOf);
  return {
    problems: sortProblems([
      ...problems,
      ...unkept,
      ...registries.problems,
      ...logins.problems,
      ...failures.map(problemOfFailure),
    ]),
    notes: [...ofConfiguration, ...sortProblems([...notes, ...registries.notes, ...logins.notes])],
    tests: { passed, failed: failures.length },
    rules: policy.rules.length,
    revision,
  };
}
