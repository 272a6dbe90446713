/** `portcullis replay`: what an edit of the policies would have done to recorded traffic. */
import { stat } from 'node:fs/promises';
import { basename, resolve } from 'node:path';
import { Option } from 'commander';
import { type AuditFile, linesOf, listAuditFiles } from '../adapters/files/audit-files.ts';
import { wordsOf } from '../adapters/failure.ts';
import { quote } from '../document/problem.ts';
import { type Replay, type Replayed, createReplay } from '../replay/replay.ts';
import { Judge } from '../replay/standing.ts';
import { parseInstant, parseSince } from '../time.ts';
import { readPolicies } from './policy-paths.ts';
import { printReplay, replayJson } from './replay-words.ts';
import { type ExitCode, complain, exitCodes, printJson, reportBroken } from './report.ts';
import { type Command, type PolicyOptions, example, policiesOption, usageProblem } from './verb.ts';

interface Options extends PolicyOptions {
  readonly base?: readonly string[];
  readonly since?: string;
  readonly at?: string;
  readonly failOn?: 'lost' | 'gained' | 'any';
}

/** `replay PATH…`: 0, and 1 where `--fail-on` says so or what was recorded could not be read whole. */
export function addReplay(program: Command, done: (code: ExitCode) => void): void {
  program
    .command('replay')
    .argument('<path...>', 'directory of audit files, or files of JSON lines (.gz too): logs of the gateway')
    .description('say what a change of policy would have done to recorded requests')
    .addOption(policiesOption)
    .addOption(
      new Option('--base <path>', 'compare with these policies instead of with what was decided; repeatable').argParser(
        (path: string, before: readonly string[] = []) => [...before, path],
      ),
    )
    .option('--since <when>', 'only records from then on: 24h, 7d, 2026-11-19 or 2026-11-19T06:00:00Z')
    .option('--at <when>', 'judge all as if it came then, or now (default: each as of its own time)')
    .addOption(
      new Option('--fail-on <what>', 'exit with 1 where something was lost or gained').choices([
        'lost',
        'gained',
        'any',
      ]),
    )
    .option('--json', 'one JSON object instead of text')
    .addHelpText(
      'after',
      example('portcullis replay audit --policies policies --since 7d --fail-on lost') +
        '\nExit status: 0, 1 as --fail-on says or where a file cannot be read whole, 2 no such files, 78 broken policies.\n',
    )
    .action(async (paths: readonly string[], options: Options) => done(await run(paths, options)));
}

async function run(paths: readonly string[], options: Options): Promise<ExitCode> {
  const { json = false, failOn } = options;
  const times = timesOf(options, Date.now());
  if ('problem' in times) return usageProblem(times.problem);
  const files = await filesAt(paths, times.since);
  if ('problem' in files) return usageProblem(files.problem);
  const next = await readPolicies(options.policies);
  if (!next.ok) return reportBroken(next.problems, json);
  const base = options.base && (await readPolicies(options.base.map((path) => resolve(path))));
  if (base?.ok === false) return reportBroken(base.problems, json);
  const before = base && new Judge(base.policy);
  const terms = { next: new Judge(next.policy, base?.policy), revision: next.revision, base: before, ...times };
  const replay = createReplay(terms);
  const broken: string[] = [];
  for (const file of files) {
    const problem = await readInto(replay, file);
    if (problem !== undefined) broken.push(problem);
  }
  const result = replay.result();
  const hasLimits = base === undefined && next.policy.limits.length > 0;
  if (json) printJson(replayJson(result, { broken, hasLimits }));
  else printReplay(result, hasLimits);
  for (const problem of broken) complain(problem);
  if (result.judged === 0) complain('nothing was judged: there is no record of a decision in what was read');
  return broken.length > 0 || isFailing(result, failOn) ? exitCodes.problems : exitCodes.ok;
}

function isFailing({ lost, gained }: Replayed, failOn: Options['failOn']): boolean {
  if (failOn === undefined) return false;
  return (failOn !== 'gained' && lost.length > 0) || (failOn !== 'lost' && gained.length > 0);
}

interface Times {
  readonly since: number | undefined;
  readonly at: number | undefined;
}

function timesOf({ since, at }: Options, now: number): Times | { readonly problem: string } {
  const from = since === undefined ? undefined : parseSince(since, now);
  if (since !== undefined && from === undefined)
    return { problem: `${quote(since)} is not a time; write 24h, 7d, 2026-11-19 or 2026-11-19T06:00:00Z` };
  const then = at === 'now' ? now : parseInstant(at ?? '');
  if (at !== undefined && then === undefined)
    return { problem: `${quote(at)} is not a time; write now, 2027-01-31 or 2026-12-24T18:00:00Z` };
  return { since: from, at: then };
}

/** Of a directory its audit files, but for days that had ended by then; any other file as it is. */
async function filesAt(
  paths: readonly string[],
  since: number | undefined,
): Promise<readonly AuditFile[] | { readonly problem: string }> {
  const files: AuditFile[] = [];
  for (const path of paths) {
    const found = await stat(path).catch((error: NodeJS.ErrnoException) => error);
    if (found instanceof Error) return { problem: `${quote(path)} cannot be read (${found.code ?? found.message})` };
    if (!found.isDirectory()) {
      files.push({ path, name: basename(path), day: '', instance: '', isPacked: path.endsWith('.gz') });
      continue;
    }
    const listed = await listAuditFiles(path).catch(() => undefined);
    if (listed === undefined) return { problem: `${quote(path)} cannot be read; check its owner and mode` };
    if (listed.length === 0)
      return {
        problem: `${quote(path)} has no audit files (2026-11-26.NAME.jsonl); name the files of a log one by one`,
      };
    const first = since === undefined ? '' : new Date(since).toISOString().slice(0, 10);
    files.push(...listed.filter(({ day }) => day >= first));
  }
  return files;
}

/** What is wrong with a file that cannot be read to its end. */
async function readInto(replay: Replay, file: AuditFile): Promise<string | undefined> {
  try {
    for await (const lines of linesOf(file, 'oldest'))
      for (const { bytes, number } of lines) replay.add(bytes, () => `${file.name}:${number ?? 0}`);
    return undefined;
  } catch (error) {
    return `${wordsOf(error)}; what came before counts`;
  }
}
