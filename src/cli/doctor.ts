/** `portcullis doctor`: numbered checks of a deployment; whatever is not well names what to do. */
import { setMaxListeners } from 'node:events';
import { allChecks } from '../doctor/checks.ts';
import { parseRepositoryName } from '../distribution/reference.ts';
import { type Finding, isWell, runChecks } from '../doctor/run.ts';
import { type Problem, onOneLine, formatProblem } from '../document/problem.ts';
import type { Wishes } from './doctor-context.ts';
import { configured } from './policy-paths.ts';
import { startProgress } from './progress.ts';
import { type ExitCode, exitCodes, paletteFor, printJson } from './report.ts';
import { type Command, commaList, example, usageProblem } from './verb.ts';

/** Milliseconds for each check; with what comes before and after, all of it stays below 15 s. */
const deadlineMs = 11_000;

interface Options {
  readonly from?: readonly string[];
  readonly json?: boolean;
  readonly only?: readonly string[];
  readonly offline?: boolean;
  readonly as?: string;
  readonly passwordStdin?: boolean;
  readonly write?: string;
}

/** `doctor`: 0 nothing failed, 1 something did, 78 the configuration cannot be read. */
export function addDoctor(program: Command, done: (code: ExitCode) => void): void {
  program
    .command('doctor')
    .description('look at a deployment by numbered checks; what is not well names what to do')
    .option('--from <url>', 'another address at which the registry must not answer; repeatable', urlsOf)
    .option('--json', 'one JSON object instead of text')
    .option('--only <numbers>', 'these checks, as 4,7', commaList)
    .option('--offline', 'ask nothing beyond this machine')
    .option('--as <name>', 'also log in by this name (27)')
    .option('--password-stdin', 'read the password of --as from standard input')
    .option('--write <repository>', 'also write into this repository of the registry (16)')
    .addHelpText(
      'after',
      example(
        'portcullis doctor',
        'portcullis doctor --only 7,13 --from http://registry.example.com:5000',
        "printf %s 'correct horse' | portcullis doctor --as dana --password-stdin --json",
      ) +
        '\nNothing is written but a file that is removed again (22), and what --write allows.\n' +
        'Exit status: 0 nothing failed, 1 something did, 2 not understood, 78 the configuration cannot be read.\n',
    )
    .action(async (options: Options) => done(await run(options)));
}

function urlsOf(url: string, before: readonly string[] = []): readonly string[] {
  return [...before, url];
}

async function run(options: Options): Promise<ExitCode> {
  const { json = false, only = allChecks.map(({ number }) => String(number)) } = options;
  const checks = allChecks.filter(({ number }) => only.includes(String(number)));
  if (checks.length < new Set(only).size || checks.length === 0)
    return usageProblem(`--only takes numbers from 1 to ${allChecks.length}, as 4,7`);
  const wishes = await wishesOf(options);
  if ('problem' in wishes) return usageProblem(wishes.problem);
  const configuration = await configured();
  if (!configuration.ok) return unreadable(configuration.problems, json);
  const over = new AbortController();
  // All requests that are under way listen to it, more than Node takes for sound.
  setMaxListeners(0, over.signal);
  const progress = startProgress(process.stderr, `${checks.length} checks`);
  try {
    const { openContext } = await import('./doctor-context.ts');
    const context = await openContext(configuration, wishes, over.signal);
    const findings = await runChecks(checks, context, deadlineMs);
    // Of all of it only: what people are shown is a whole.
    if (options.only === undefined) await context.gateway.tell(findings.map(asJson));
    progress.end();
    report(findings, json);
    return isWell(findings) ? exitCodes.ok : exitCodes.problems;
  } finally {
    progress.end();
    over.abort();
  }
}

async function wishesOf(options: Options): Promise<Wishes | { readonly problem: string }> {
  const { from = [], offline: isOffline = false, as: name, passwordStdin = false, write: writeTo } = options;
  if (writeTo !== undefined && parseRepositoryName(writeTo) === undefined)
    return { problem: '--write takes the name of a repository, as sandbox/doctor' };
  const wrong = from.find((url) => !/^https?:\/\//.test(url) || !URL.canParse(url));
  if (wrong !== undefined) return { problem: `--from takes URLs, as http://registry.example.com:5000` };
  if (name === undefined && passwordStdin) return { problem: '--password-stdin is for --as NAME' };
  // What hashes has compiled parts, which are looked at from outside.
  const password = name === undefined ? '' : await (await import('./password.ts')).readCredential({ passwordStdin });
  if (typeof password !== 'string') return password;
  return { from, isOffline, writeTo, login: name === undefined ? undefined : { name, password } };
}

/** As the third check would say it, which is all that can be said. */
function unreadable(problems: readonly Problem[], json: boolean): ExitCode {
  const [first, ...more] = problems;
  const found = first === undefined ? 'it cannot be read' : formatProblem({ ...first, fix: undefined });
  const name = allChecks.find(({ number }) => number === 3)?.name ?? '';
  const others = more.length === 0 ? '' : ` (and ${more.length} more)`;
  const fix = first?.fix ?? 'correct it; portcullis check shows all of it';
  report([{ number: 3, name, state: 'FAIL', found: found + others, fix }], json);
  return exitCodes.configuration;
}

function report(findings: readonly Finding[], json: boolean): void {
  if (json) {
    const checks = findings.map(asJson);
    printJson({ ok: isWell(findings), checks });
    return;
  }
  const { good, bad, strong, faint } = paletteFor(process.stdout);
  const paint = { ok: good, warn: strong, FAIL: bad, skip: faint };
  for (const { number, name, state, found, fix } of findings) {
    const mark = `[${String(number).padStart(2)}] ${paint[state](state.padEnd(4))}`;
    process.stdout.write(`${mark}  ${onOneLine(`${name}: ${found}`)}\n`);
    if (fix !== undefined) process.stdout.write(`     → ${onOneLine(fix)}\n`);
  }
}

function asJson({ number, name, state, found, fix }: Finding) {
  return { number, name, state, found, fix: fix ?? null };
}
