/** The work of `portcullis import`: the policy on standard output, what was left out on standard error, a line each. */
import { readFile, stat } from 'node:fs/promises';
import { buffer } from 'node:stream/consumers';
import { formatProblem, quote } from '../document/problem.ts';
import { importDockerAuth } from '../import/docker-auth.ts';
import { importHtpasswd } from '../import/htpasswd.ts';
import { parsePolicy } from '../policy/files/parse.ts';
import { namePattern } from '../policy/model.ts';
import { hashPassword } from '../identity/password.ts';
import { type ExitCode, complain, exitCodes, reportProblems } from './report.ts';

const maxBytes = 4 * 1024 * 1024;

/** `groups`: of everybody in an htpasswd file. */
export async function importFile(
  from: 'htpasswd' | 'docker_auth',
  path: string,
  groups: readonly string[] = [],
): Promise<ExitCode> {
  const strange = groups.find((group) => !namePattern.test(group));
  if (strange !== undefined) return complain(`${quote(strange)} cannot be the name of a group`, exitCodes.usage);
  const file = path === '-' ? 'standard input' : path;
  const text = await readText(path);
  if (typeof text !== 'string') return complain(`${file} ${text.problem}`);
  const imported =
    from === 'htpasswd'
      ? { ok: true as const, ...(await importHtpasswd(file, text, { groups, hash: hashPassword })) }
      : importDockerAuth(file, text);
  if (!imported.ok) {
    reportProblems(imported.problems);
    return exitCodes.problems;
  }
  const beside = {
    file: 'groups',
    text: `groups: ${JSON.stringify(Object.fromEntries(groups.map((name) => [name, {}])))}`,
  };
  const reading = parsePolicy([
    { file: 'imported policy', text: imported.text },
    ...(groups.length === 0 ? [] : [beside]),
  ]);
  if (!reading.ok) {
    throw new Error(
      `the import made an invalid policy: ${reading.problems.map((each) => formatProblem(each)).join(' ')}`,
    );
  }
  process.stdout.write(imported.text);
  const { skipped } = imported;
  // Without their source lines, which may hold passwords.
  for (const problem of skipped) process.stderr.write(`${formatProblem(problem)}\n`);
  if (skipped.length === 0) return exitCodes.ok;
  return complain(`${skipped.length} not taken over`);
}

async function readText(path: string): Promise<string | { readonly problem: string }> {
  try {
    if (path === '-') return decode(await buffer(process.stdin));
    const found = await stat(path);
    if (!found.isFile()) return { problem: 'is not a regular file' };
    if (found.size > maxBytes) return { problem: 'is larger than 4 MiB' };
    return decode(await readFile(path));
  } catch (error) {
    return { problem: `cannot be read: ${error instanceof Error ? error.message : String(error)}` };
  }
}

function decode(bytes: Buffer): string | { readonly problem: string } {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return { problem: 'is not UTF-8 text' };
  }
}
