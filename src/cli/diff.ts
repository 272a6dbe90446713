/** `portcullis diff`: what a change of policy grants and takes away. */
import { resolve } from 'node:path';
import { formatPlace } from '../policy/describe.ts';
import { type AccessChange, cause, diffPolicies } from '../policy/analysis/diff.ts';
import { type ExitCode, complain, exitCodes, paletteFor, placeInJson, printJson, reportBroken } from './report.ts';
import { readPolicies } from './policy-paths.ts';
import { type Command, example } from './verb.ts';

/** `diff OLD NEW`: 0 nothing changes, 1 something does, 78 one of them is broken. */
export function addDiff(program: Command, done: (code: ExitCode) => void): void {
  program
    .command('diff')
    .argument('<old>', 'policy file or directory as it was')
    .argument('<new>', 'policy file or directory as it shall be')
    .description('say in words what a change of policy grants and takes away')
    .option('--json', 'one JSON object instead of text')
    .addHelpText(
      'after',
      example('git worktree add --detach /tmp/before main && portcullis diff /tmp/before/policies policies') +
        '\nExit status: 0 nothing changes, 1 something does, 78 one of them is broken.\n',
    )
    .action(async (before: string, after: string, { json = false }: { json?: boolean }) =>
      done(await run(before, after, json)),
    );
}

async function run(beforePath: string, afterPath: string, json: boolean): Promise<ExitCode> {
  const readings = await Promise.all([beforePath, afterPath].map((path) => readPolicies([resolve(path)])));
  const problems = readings.flatMap((reading) => (reading.ok ? [] : reading.problems));
  const [before, after] = readings;
  if (before?.ok !== true || after?.ok !== true) return reportBroken(problems, json);
  const { accounts, changes, limits, gates, isComplete } = diffPolicies(before.policy, after.policy, {
    now: Date.now(),
  });
  const isSame = accounts.length + changes.length + limits.length + gates.length === 0;
  if (json) {
    printJson({
      changed: !isSame,
      complete: isComplete,
      accounts: accounts.map(({ kind, subject, sentence }) => ({ kind, subject, text: sentence })),
      changes: changes.map(toJson),
      limits: limits.map(({ kind, limit, sentence }) => ({
        kind,
        limit: limit.name,
        ...placeInJson(limit),
        text: sentence,
      })),
      gates:
        gates.length === 0
          ? undefined
          : gates.map(({ kind, gate, sentence }) => ({ kind, gate: gate.name, ...placeInJson(gate), text: sentence })),
    });
  } else {
    const { good, bad, strong, faint } = paletteFor(process.stdout);
    const paint = { granted: good, revoked: bad, changed: strong };
    const line = (kind: AccessChange['kind'], text: string, why: string | undefined): string =>
      `${paint[kind](`${signs[kind]} ${text}`)}${why === undefined ? '' : faint(` (${why})`)}\n`;
    for (const { kind, sentence } of accounts) process.stdout.write(line(kind, sentence, undefined));
    for (const change of changes) process.stdout.write(line(change.kind, change.sentence, cause(change)));
    for (const { kind, limit, sentence } of limits) {
      const place = formatPlace(limit.source);
      const why = kind === 'removed' ? `was ${place}` : place;
      process.stdout.write(`${strong(`${limitSigns[kind]} ${sentence}`)}${faint(` (${why})`)}\n`);
    }
    for (const { kind, gate, sentence } of gates) {
      const place = formatPlace(gate.source);
      const why = kind === 'removed' ? `was ${place}` : place;
      process.stdout.write(`${strong(`${gateSigns[kind]} ${sentence}`)}${faint(` (${why})`)}\n`);
    }
    if (isSame && isComplete) process.stdout.write('no change in who may do what\n');
    if (!isComplete) {
      complain('these policies are too large to compare whole: what is listed is so, but there may be more');
    }
  }
  return isSame && isComplete ? exitCodes.ok : exitCodes.problems;
}

const signs = { granted: '+', revoked: '-', changed: '~' };
/** Of limits: what is added takes away, so they have no colour of good and bad. */
const limitSigns = { added: '+', removed: '-', changed: '~' };

const gateSigns = { ...limitSigns, tightened: '~', loosened: '~' };

function toJson({ sentence, rule, ...change }: AccessChange): unknown {
  const { kind, subjects, actions, repositories, exceptSubjects, exceptRepositories, tags = null } = change;
  const what = { kind, subjects, actions, repositories, exceptSubjects, exceptRepositories, tags };
  return { ...what, rule: rule?.name ?? null, ...placeInJson(rule), text: sentence };
}
