/** Reading policy files all the way: flat directories of `*.yaml` and `*.yml`, or single files -> texts -> policy -> tests passed. */
import { constants } from 'node:fs';
import { open, readdir, realpath, stat } from 'node:fs/promises';
import { basename, join, relative } from 'node:path';
import { type UpstreamNames, createUpstreams } from '../../distribution/upstreams.ts';
import { type Problem, unplaced } from '../../document/problem.ts';
import { type PolicyText, parsePolicy } from '../../policy/files/parse.ts';
import { createHash } from 'node:crypto';
import { askedByName } from '../../policy/by-name.ts';
import { withCanonicalTests } from '../../policy/canonical-names.ts';
import { type CompiledPolicy, compilePolicy } from '../../policy/evaluate.ts';
import { cutProblem } from '../../policy/files/cut-file.ts';
import type { AccountsAndGroups } from '../../policy/model.ts';
import { problemOfFailure, runTests } from '../../policy/analysis/test-run.ts';
import { lintTokenMode } from '../../policy/analysis/lint-token-mode.ts';
import { trustFileProblems } from './trust-files.ts';

type PolicyTexts =
  | { readonly ok: true; readonly files: readonly PolicyText[] }
  | { readonly ok: false; readonly problems: readonly Problem[] };

/** Bytes of one policy file; 30,000 rules fit. */
const maxFileBytes = 4_194_304;

/** Reads everything or says all that could not be read. Files are named as a person would: relative to the working directory where that is shorter. */
export async function readPolicyFiles(paths: readonly string[]): Promise<PolicyTexts> {
  const files: PolicyText[] = [];
  const problems: Problem[] = [];
  for (const path of paths) {
    const listed = await listFiles(path);
    if (!Array.isArray(listed)) {
      problems.push(problem(path, listed.problem));
      continue;
    }
    for (const file of listed) {
      const read = await readText(file);
      if (typeof read === 'string') files.push({ file: shownName(file), text: read });
      else problems.push(problem(file, read.problem));
    }
  }
  if (problems.length > 0) return { ok: false, problems };
  return { ok: true, files };
}

/**
 * A text that changes when files come, go or are replaced; cheaper than reading them. Follows symlinks, which Kubernetes
 * swaps. A file rewritten in place with the same size and time goes unnoticed here; a directory watch sees it.
 */
export async function signPolicyFiles(paths: readonly string[]): Promise<string> {
  const signed: string[] = [];
  for (const path of paths) {
    const listed = await listFiles(path);
    signed.push(await realpath(path).catch(() => 'missing'));
    for (const file of Array.isArray(listed) ? listed : []) {
      const found = await stat(file, { bigint: true }).catch(() => undefined);
      signed.push(found === undefined ? `${file} missing` : `${file} ${found.ino} ${found.size} ${found.mtimeNs}`);
    }
  }
  return signed.join('\n');
}

async function listFiles(path: string): Promise<string[] | { readonly problem: string }> {
  try {
    const found = await stat(path);
    if (found.isFile()) return [path];
    if (!found.isDirectory()) return { problem: 'is neither a file nor a directory' };
    const names = await readdir(path);
    return names
      .filter((name) => /\.ya?ml$/.test(name) && !name.startsWith('.'))
      .sort()
      .map((name) => join(path, name));
  } catch (error) {
    return { problem: reason(error, 'create it, or name another path with `policies` (PORTCULLIS_POLICIES)') };
  }
}

/** A FIFO would block for ever and a device never end, so only regular files are read, opened without blocking. */
async function readText(path: string): Promise<string | { readonly problem: string }> {
  try {
    const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      const { size } = await file.stat();
      if (!(await file.stat()).isFile()) return { problem: 'is not a regular file' };
      if (size > maxFileBytes) return { problem: `is larger than ${maxFileBytes / 1_048_576} MiB; split it` };
      const bytes = await file.readFile();
      return new TextDecoder('utf-8', { fatal: true, ignoreBOM: false }).decode(bytes);
    } finally {
      await file.close();
    }
  } catch (error) {
    if (error instanceof TypeError) return { problem: 'is not UTF-8 text' };
    return { problem: reason(error, 'check its owner and mode') };
  }
}

function reason(error: unknown, fix: string): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : String(error);
  return code === 'ENOENT' ? `does not exist; ${fix}` : `cannot be read (${code}); ${fix}`;
}

function problem(path: string, text: string): Problem {
  return unplaced(shownName(path), 'unreadable', text);
}

function shownName(path: string): string {
  const near = relative(process.cwd(), path);
  if (near === '') return basename(path);
  return near.startsWith('..') ? path : near;
}

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
      readonly named?: { readonly accounts: AccountsAndGroups; readonly files: readonly string[] } | undefined;
      /** Absent when they could not be read. */
      readonly files?: readonly PolicyText[] | undefined;
    };

/** What policy files are read beside. */
export interface LoadingTerms {
  /** The files in force: a mere piece of one of them is refused. */
  readonly before?: readonly PolicyText[];
  /** The registries behind, by whose names tests are judged. */
  readonly upstreams?: readonly UpstreamNames[];
  /** The registry verifies our tokens itself: what it cannot hold to is refused. */
  readonly tokenMode?: { readonly accessTtlSeconds: number } | undefined;
}

/** Reads, validates, compiles and tests here and now (`now` in ms). */
export async function loadPolicy(
  paths: readonly string[],
  now: number,
  { before = [], upstreams = [], tokenMode }: LoadingTerms = {},
): Promise<PolicyLoading> {
  const texts = await readPolicyFiles(paths);
  if (!texts.ok) return { ok: false, problems: texts.problems, revision: undefined };
  const revision = revisionOf(texts.files);
  const reading = parsePolicy(texts.files);
  const files = texts.files.map(({ file }) => file);
  const refused = (problems: readonly Problem[], accounts: AccountsAndGroups | undefined): PolicyLoading => ({
    ok: false,
    problems,
    revision,
    named: accounts && { accounts, files },
    files: texts.files,
  });
  const old = new Map(before.map(({ file, text }) => [file, text]));
  const cut = texts.files.flatMap((each) => cutProblem(each, old.get(each.file) ?? '') ?? []);
  if (!reading.ok) return refused([...cut, ...reading.problems], reading.accounts);
  if (cut.length > 0) return refused(cut, reading.policy);
  const missing = await trustFileProblems(reading.policy);
  if (missing.length > 0) return refused(missing, reading.policy);
  const unkept = tokenMode === undefined ? [] : lintTokenMode(reading.policy, tokenMode.accessTtlSeconds);
  if (unkept.length > 0) return refused(unkept, reading.policy);
  const policy = withCanonicalTests(reading.policy, createUpstreams(upstreams).canonical);
  const compiled = compilePolicy({ ...policy, revision: shortRevision(revision) });
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
