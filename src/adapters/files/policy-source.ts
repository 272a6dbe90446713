/** The policy in force, read from files and replaced whole when they change. The last good policy stays until a better one is complete. */
import { createHash } from 'node:crypto';
import { type FSWatcher, watch } from 'node:fs';
import { stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Problem } from '../../document/problem.ts';
import { type CompiledPolicy, compilePolicy } from '../../policy/evaluate.ts';
import { type PolicyText, parsePolicy } from '../../policy/parse.ts';
import { runTests } from '../../policy/test-run.ts';
import type { Clock, PolicySource } from '../../ports.ts';
import { readPolicyFiles } from './policy-files.ts';

export interface LoadedPolicy {
  readonly compiled: CompiledPolicy;
  readonly testsPassed: number;
  /** Hexadecimal digest of all file names and texts. */
  readonly revision: string;
}

export type PolicyLoading =
  | { readonly ok: true; readonly loaded: LoadedPolicy }
  | { readonly ok: false; readonly problems: readonly Problem[]; readonly revision: string | undefined };

/** Reads, validates, compiles and tests; nothing is put into force here. */
export async function loadPolicy(paths: readonly string[], now: number): Promise<PolicyLoading> {
  const texts = await readPolicyFiles(paths);
  if (!texts.ok) return { ok: false, problems: texts.problems, revision: undefined };
  const revision = digestOf(texts.files);
  const reading = parsePolicy(texts.files);
  if (!reading.ok) return { ok: false, problems: reading.problems, revision };
  const compiled = compilePolicy(reading.policy);
  const { passed, failures } = runTests(compiled, now);
  const problems = failures.map(({ test, expectation, decision }): Problem => {
    const { action, repository, tag, source, allowed } = expectation;
    const asked = `${action} ${repository}${tag === undefined ? '' : `:${tag}`}`;
    const because = decision.rule === undefined ? 'no rule allows it' : `by rule "${decision.rule.name}"`;
    const message = `test "${test.name}" fails: ${asked} should be ${allowed ? 'allowed' : 'denied'}, but is ${decision.allowed ? 'allowed' : 'denied'} ${because}`;
    return { ...source, code: 'test-failed', message };
  });
  if (problems.length > 0) return { ok: false, problems, revision };
  return { ok: true, loaded: { compiled, testsPassed: passed, revision } };
}

export interface PolicyFilesOptions {
  readonly paths: readonly string[];
  readonly clock: Clock;
  /** Called after every change that was read, put into force or not. */
  readonly onReload: (result: PolicyLoading) => void;
  readonly pollMs?: number;
}

export interface PolicyFiles extends PolicySource {
  /** Problems of the newest files, when they are not the ones in force. */
  readonly problems: () => readonly Problem[];
  readonly loaded: () => LoadedPolicy;
  /** Looks at the files now. Resolves when what they say is in force, or known to be bad. */
  reload(): Promise<void>;
  close(): void;
}

const settleMs = 100;
const defaultPollMs = 5000;

export function followPolicyFiles(first: LoadedPolicy, options: PolicyFilesOptions): PolicyFiles {
  const { paths, clock, onReload, pollMs = defaultPollMs } = options;
  let loaded = first;
  let problems: readonly Problem[] = [];
  let seen: string | undefined = first.revision;
  let running: Promise<void> = Promise.resolve();
  let settling: NodeJS.Timeout | undefined;
  let watchers: readonly FSWatcher[] = [];

  async function look(): Promise<void> {
    const result = await loadPolicy(paths, clock());
    const revision = result.ok ? result.loaded.revision : result.revision;
    if (revision !== undefined && revision === seen) return;
    if (revision === undefined && problems.length > 0) return;
    seen = revision;
    problems = result.ok ? [] : result.problems;
    if (result.ok) loaded = result.loaded;
    onReload(result);
  }

  /** One look at a time: two that overlap could put the older files into force last. */
  function reload(): Promise<void> {
    running = running.then(look, look);
    return running;
  }

  function soon(): void {
    clearTimeout(settling);
    settling = setTimeout(() => void reload(), settleMs).unref();
  }

  async function watchAll(): Promise<void> {
    // A watched file goes silent after the first rename over it (Kubernetes swaps symlinks); its directory does not.
    const directories = await Promise.all(
      paths.map(async (path) =>
        (await stat(path).catch(() => undefined))?.isDirectory() === true ? path : dirname(path),
      ),
    );
    watchers = [...new Set(directories)].flatMap((directory) => {
      try {
        const watcher = watch(directory, soon);
        watcher.on('error', () => watcher.close());
        return [watcher];
      } catch {
        return [];
      }
    });
  }

  void watchAll();
  const poll = setInterval(() => void reload(), pollMs).unref();

  return {
    current: () => loaded.compiled,
    loaded: () => loaded,
    problems: () => problems,
    reload,
    close() {
      clearInterval(poll);
      clearTimeout(settling);
      for (const watcher of watchers) watcher.close();
    },
  };
}

function digestOf(files: readonly PolicyText[]): string {
  const hash = createHash('sha256');
  for (const { file, text } of files) hash.update(`${file.length}:${file}${text.length}:${text}`);
  return hash.digest('hex');
}
