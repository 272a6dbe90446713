/** Editing policies in place: read all files, change one, judge the result, and only then replace the file. */
import { statSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { readPolicyFiles } from '../adapters/files/policy-loading.ts';
import { createFile, replaceFile } from '../adapters/files/whole-file.ts';
import type { RepositoryName } from '../distribution/reference.ts';
import { createUpstreams } from '../distribution/upstreams.ts';
import { type Problem, formatProblem, quote } from '../document/problem.ts';
import { didYouMean } from '../document/suggest.ts';
import type { Edit } from '../editing/edit.ts';
import { readOnce } from '../editing/layout.ts';
import { compileByName } from '../policy/by-name.ts';
import { withCanonicalTests } from '../policy/canonical-names.ts';
import { type PolicyText, parsePolicy } from '../policy/files/parse.ts';
import { type Policy, type Robot, type User, namePattern } from '../policy/model.ts';
import { problemOfFailure, runTests } from '../policy/analysis/test-run.ts';
import { readConfiguration } from './configuration.ts';
import { type ExitCode, complain, exitCodes, reportBroken } from './report.ts';
import { configuredPolicies } from './policy-paths.ts';

export interface PolicyFiles {
  /** Absolute; what was named or configured. */
  readonly paths: readonly string[];
  readonly texts: readonly PolicyText[];
  readonly policy: Policy;
  /** The spelling by which tests name repositories, where the configuration has two for one. */
  readonly canonical: (repository: RepositoryName) => RepositoryName;
}

/** A change that cannot be made and of which that was said, with the exit code that says whose fault it is. */
export interface Refused {
  readonly refused: ExitCode;
}

/** What the change is made in must be whole: a half-understood policy cannot be changed for certain. */
export async function readForEdit(options: readonly string[], json = false): Promise<PolicyFiles | Refused> {
  const paths = policyPaths(options);
  if (!paths.ok) return { refused: reportBroken(paths.problems, json) };
  const read = await readPolicyFiles(paths.paths);
  if (!read.ok) return { refused: reportBroken(read.problems, json) };
  // A directory without files is where the first account goes.
  const reading = parsePolicy(read.files.length === 0 ? [{ file: 'none', text: 'rules: []' }] : read.files, readOnce);
  if (!reading.ok) return { refused: reportBroken(reading.problems, json) };
  const { canonical } = paths;
  return { paths: paths.paths, texts: read.files, policy: withCanonicalTests(reading.policy, canonical), canonical };
}

interface Accounts {
  readonly user: User;
  readonly robot: Robot;
}

/** The account with the files it is in; of one that is not there that was said, and what was probably meant. */
export async function findAccount<Kind extends keyof Accounts>(
  paths: readonly string[],
  kind: Kind,
  name: string,
): Promise<{ readonly files: PolicyFiles; readonly account: Accounts[Kind] } | Refused> {
  const files = await readForEdit(paths);
  if ('refused' in files) return files;
  const { users, robots } = files.policy;
  const accounts: { readonly [Each in keyof Accounts]: ReadonlyMap<string, Accounts[Each]> } = {
    user: users,
    robot: robots,
  };
  const account = accounts[kind].get(name);
  if (account !== undefined) return { files, account };
  const other = kind === 'user' ? 'robot' : 'user';
  const hint = accounts[other].has(name) ? `; it is a ${other}` : didYouMean(name, accounts[kind].keys());
  return { refused: complain(`there is no ${kind} ${quote(name)}${hint}`) };
}

/** What to make of the text of a file. */
export interface FileChange {
  readonly file: string;
  readonly change: (text: string) => Edit;
}

/**
 * Makes the changes, written in this order; a file that does not exist is created. Nothing is written unless the policy as
 * it would be then is whole and passes its tests. `say` tells of it when it is done, `advice` is said where that policy
 * cannot be put into force.
 */
export async function applyEdits(
  files: PolicyFiles,
  changes: readonly FileChange[],
  say: () => void,
  advice = '',
): Promise<ExitCode> {
  const edited = new Map<string, { readonly before: string | undefined; readonly text: string }>();
  for (const { file, change } of changes) {
    const before = files.texts.find((text) => text.file === file)?.text;
    const edit = change(before ?? '');
    if (!edit.ok) return complain(`${file}: ${edit.problem}; nothing was written`);
    edited.set(file, { before, text: edit.text });
  }
  const after = [
    ...files.texts.filter(({ file }) => !edited.has(file)),
    ...[...edited].map(([file, { text }]) => ({ file, text })),
  ];
  const problems = judge(after, files.canonical);
  if (problems.length > 0) {
    for (const problem of problems) {
      // Lines of the text as it would be, which no file holds.
      const text = after.find((candidate) => candidate.file === problem.file)?.text;
      process.stderr.write(`${formatProblem(problem, text)}\n`);
    }
    const message = 'with this change the policy could not be put into force, so nothing was written';
    return complain(`${message}${advice}`);
  }
  for (const [index, [file, { before, text }]] of [...edited].entries()) {
    const so = index === 0 ? 'nothing was written' : 'the change is half done';
    try {
      if (before === undefined) await createFile(file, text, modeOfNew(files));
      else if ((await replaceFile(file, before, text)) === 'changed-meanwhile') {
        return complain(`${file} was changed by somebody else at the same moment; ${so}, try again`);
      }
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      return complain(`${file} cannot be written: ${reason}${index === 0 ? '' : `; ${so}`}`);
    }
  }
  say();
  return exitCodes.ok;
}

/** Why no account can have this name, if so. */
export function unfitName(name: string): string | undefined {
  if (namePattern.test(name)) return undefined;
  const kind = 'letters, digits and . _ + @ -, at most 128, beginning and ending with a letter or digit';
  return `${quote(name)} cannot be an account name; expected ${kind}`;
}

/** What to say of the first of these groups that the policy does not declare. */
export function unknownGroup(policy: Policy, groups: readonly string[]): string | undefined {
  const unknown = groups.find((group) => !policy.groups.has(group));
  if (unknown === undefined) return undefined;
  return `there is no group ${quote(unknown)}${didYouMean(unknown, policy.groups.keys())}`;
}

/** Also through a symbolic link; false for what does not exist. */
export function isDirectory(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}

/** Named as `readForEdit` names the files it found there. */
export function fileIn(directory: string, name: string): string {
  const path = join(directory, name);
  const near = relative(process.cwd(), path);
  return near.startsWith('..') ? path : near;
}

function judge(texts: readonly PolicyText[], canonical: PolicyFiles['canonical']): readonly Problem[] {
  const reading = parsePolicy(texts, readOnce);
  if (!reading.ok) return reading.problems;
  const policy = withCanonicalTests(reading.policy, canonical);
  return runTests(compileByName(policy), Date.now()).failures.map(problemOfFailure);
}

/** A new file is as readable as its neighbours: the gateway may run as another user than the one who adds accounts. */
function modeOfNew({ texts: [neighbour] }: PolicyFiles): number {
  const found = neighbour === undefined ? undefined : statSync(neighbour.file, { throwIfNoEntry: false });
  return found === undefined ? 0o640 : found.mode & 0o666;
}

function policyPaths(options: readonly string[]) {
  const configuration = readConfiguration();
  if (options.length === 0 && !configuration.ok) return configuration;
  // A configuration that cannot be read says nothing about policies that are named.
  const upstreams = configuration.ok ? configuration.config.upstreams : [];
  const paths =
    options.length === 0 && configuration.ok ? configuredPolicies(configuration) : options.map((path) => resolve(path));
  return { ok: true as const, paths, canonical: createUpstreams(upstreams).canonical };
}
