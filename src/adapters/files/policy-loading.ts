/** Reading policy files all the way: texts -> policy -> tests passed. Nothing is put into force here. */
import { createHash } from 'node:crypto';
import type { Problem } from '../../document/problem.ts';
import { type CompiledPolicy, compilePolicy } from '../../policy/evaluate.ts';
import { type PolicyText, parsePolicy } from '../../policy/parse.ts';
import { problemOfFailure, runTests } from '../../policy/test-run.ts';
import { readPolicyFiles } from './policy-files.ts';

export interface LoadedPolicy {
  readonly compiled: CompiledPolicy;
  readonly testsPassed: number;
  /** Hexadecimal digest of all file names and texts. */
  readonly revision: string;
}

export type PolicyLoading =
  | { readonly ok: true; readonly loaded: LoadedPolicy }
  /** `revision` is undefined when the files could not even be read. */
  | { readonly ok: false; readonly problems: readonly Problem[]; readonly revision: string | undefined };

/** Reads, validates, compiles and tests in this thread; for commands and the first start. `now` in milliseconds. */
export async function loadPolicy(paths: readonly string[], now: number): Promise<PolicyLoading> {
  const texts = await readPolicyFiles(paths);
  if (!texts.ok) return { ok: false, problems: texts.problems, revision: undefined };
  const revision = revisionOf(texts.files);
  const reading = parsePolicy(texts.files);
  if (!reading.ok) return { ok: false, problems: reading.problems, revision };
  const compiled = compilePolicy(reading.policy);
  const { passed, failures } = runTests(compiled, now);
  if (failures.length > 0) return { ok: false, problems: failures.map(problemOfFailure), revision };
  return { ok: true, loaded: { compiled, testsPassed: passed, revision } };
}

function revisionOf(files: readonly PolicyText[]): string {
  const hash = createHash('sha256');
  for (const { file, text } of files) hash.update(`${file.length}:${file}${text.length}:${text}`);
  return hash.digest('hex');
}
