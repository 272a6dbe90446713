/** Reading policy files all the way: texts -> policy -> tests passed. Nothing is put into force here. */
import { createHash } from 'node:crypto';
import { basename } from 'node:path';
import type { Problem } from '../../document/problem.ts';
import { askedByName } from '../../policy/by-name.ts';
import { type CompiledPolicy, compilePolicy } from '../../policy/evaluate.ts';
import { cutProblem } from '../../policy/files/cut-file.ts';
import type { Accounts } from '../../policy/model.ts';
import { type PolicyText, parsePolicy } from '../../policy/files/parse.ts';
import { problemOfFailure, runTests } from '../../policy/analysis/test-run.ts';
import { readPolicyFiles } from './policy-files.ts';

export interface LoadedPolicy {
  readonly compiled: CompiledPolicy;
  readonly testsPassed: number;
  /** `revisionOf` the files. */
  readonly revision: string;
  readonly files: readonly PolicyText[];
}

export type PolicyLoading =
  | { readonly ok: true; readonly loaded: LoadedPolicy }
  /** `revision` is undefined when the files could not even be read. */
  | {
      readonly ok: false;
      readonly problems: readonly Problem[];
      readonly revision: string | undefined;
      /** Where what all files say of accounts is whole, these accounts, and the files. */
      readonly named?: { readonly accounts: Accounts; readonly files: readonly string[] } | undefined;
    };

/** Reads, validates, compiles and tests here and now (`now` in ms). A mere piece of a file `before` is refused. */
export async function loadPolicy(
  paths: readonly string[],
  now: number,
  before: readonly PolicyText[] = [],
): Promise<PolicyLoading> {
  const texts = await readPolicyFiles(paths);
  if (!texts.ok) return { ok: false, problems: texts.problems, revision: undefined };
  const revision = revisionOf(texts.files);
  const reading = parsePolicy(texts.files);
  const files = texts.files.map(({ file }) => file);
  const refused = (problems: readonly Problem[], accounts: Accounts | undefined): PolicyLoading => ({
    ok: false,
    problems,
    revision,
    named: accounts && { accounts, files },
  });
  const old = new Map(before.map(({ file, text }) => [file, text]));
  const cut = texts.files.flatMap((each) => cutProblem(each, old.get(each.file) ?? '') ?? []);
  if (!reading.ok) return refused([...cut, ...reading.problems], reading.accounts);
  if (cut.length > 0) return refused(cut, reading.policy);
  const compiled = compilePolicy(reading.policy);
  const { passed, failures } = runTests(askedByName(compiled), now);
  if (failures.length > 0) return refused(failures.map(problemOfFailure), reading.policy);
  return { ok: true, loaded: { compiled, testsPassed: passed, revision, files: texts.files } };
}

/** Of all texts and the names of their files, wherever these are and in whatever order: alike for every gateway and command. */
export function revisionOf(files: readonly PolicyText[]): string {
  const hash = createHash('sha256');
  const parts = files.map(({ file, text }) => `${basename(file).length}:${basename(file)}${text.length}:${text}`);
  for (const part of parts.sort()) hash.update(part);
  return hash.digest('hex');
}

/** As `/readyz?verbose`, the log and `check` show it. */
export function shortRevision(revision: string): string {
  return revision.slice(0, 12);
}
