import { spawn } from 'node:child_process';
import type { ChildProcessWithoutNullStreams } from 'node:child_process';
import { accessSync, constants, statSync } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, test } from 'vitest';
import type { TestContext } from 'vitest';

declare module 'vitest' {
  interface TaskMeta {
    /** Why a whole suite is skipped; `test/run.mjs` prints it. */
    skipped?: string;
    /** PORTCULLIS_TEST_REQUIRE=all lets it be skipped. */
    isExcused?: boolean;
  }
}

/** What is asked of the machine: a program's name, or `root` for the right to mount and to run daemons. */
export type Need = string;

export interface RunResult {
  /** Null when a signal ended it, the timeout's among them. */
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  /** Added to a bare environment: the machine's proxies, credentials and client settings never reach a test. */
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly input?: string | Uint8Array;
  readonly timeoutMs?: number;
}

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface Program {
  readonly pid: number;
  readonly exited: Promise<Exit>;
  readonly stdout: () => string;
  readonly stderr: () => string;
  /** Resolves once `holds` is true, asked again at every output; rejects when the program ends or time runs out first. */
  readonly until: (holds: () => boolean, what: string, timeoutMs?: number) => Promise<void>;
  /** Ends this one process and waits for it; SIGKILL after ten seconds. */
  readonly stop: (signal?: NodeJS.Signals) => Promise<Exit>;
}

export interface StartOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Asked every few milliseconds until it answers true. */
  readonly isReady: () => Promise<boolean>;
  readonly readyWithinMs?: number;
}

/** Of what tests unpack for themselves and keep. */
export const unpackedPrograms = join(
  process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'),
  'portcullis-unpacked',
  'bin',
);
/** The daemons live in sbin, which is not on every user's PATH. */
const searchPath = [
  ...(process.env['PATH'] ?? '').split(delimiter),
  ...['/usr/local/sbin', '/usr/sbin', '/sbin', unpackedPrograms],
];
const running = new Set<ChildProcessWithoutNullStreams>();

/** The absolute path of a program, or nothing when the machine does not have it. */
export function findProgram(name: string): string | undefined {
  return searchPath
    .filter((folder) => folder !== '')
    .map((folder) => join(folder, name))
    .find(isExecutable);
}

/**
 * `describe` for tests that need programs: skipped with the reason, or failed under PORTCULLIS_TEST_REQUIRE=all unless
 * PORTCULLIS_TEST_WITHOUT lists all that is missing.
 */
export function describeWithPrograms(needs: readonly Need[], title: string, body: () => void): void {
  const missing = needs.filter(isMissing);
  const isExcused = missing.every((need) => process.env['PORTCULLIS_TEST_WITHOUT']?.split(',').includes(need) === true);
  const reason = inWords(missing);
  if (reason === undefined) describe(title, body);
  else if (isEverythingRequired() && !isExcused)
    describe(title, () => void test('has the programs it needs', () => fail(reason)));
  else describe(title, { skip: true, meta: { skipped: reason, isExcused } }, body);
}

/** The same inside one test. */
export function requirePrograms(context: Pick<TestContext, 'skip'>, needs: readonly Need[]): void {
  const reason = inWords(needs.filter(isMissing));
  if (reason === undefined) return;
  if (isEverythingRequired()) fail(reason);
  context.skip(reason);
}

/** Runs a program to its end, without a shell. A failure of the program is a result; only a missing program throws. */
export async function run(name: string, args: readonly string[], options: RunOptions = {}): Promise<RunResult> {
  const child = spawnProgram(name, args, options);
  const output = collect(child);
  const timer = setTimeout(() => child.kill('SIGKILL'), options.timeoutMs ?? 120_000);
  // A program may refuse early and not read its input: that is its answer, not a broken test.
  child.stdin.on('error', () => undefined);
  child.stdin.end(options.input ?? '');
  const { code } = await closed(child).finally(() => clearTimeout(timer));
  return { code, stdout: output.stdout(), stderr: output.stderr() };
}

/** Starts a program that keeps running, and resolves once it is ready. Throws with its output when it never is. */
export async function startProgram(name: string, args: readonly string[], options: StartOptions): Promise<Program> {
  const child = spawnProgram(name, args, options);
  const output = collect(child);
  const exited = closed(child);
  child.stdin.end();
  let ended = false;
  exited.then(
    () => (ended = true),
    () => (ended = true),
  );

  const failure = (what: string): Error =>
    new Error(`${name} ${ended ? 'ended' : 'ran out of time'} before ${what}:\n${output.stderr()}${output.stdout()}`);
  const program: Program = {
    pid: child.pid ?? -1,
    exited,
    ...output,
    until: (holds, what, timeoutMs = 60_000) =>
      new Promise((resolve, reject) => {
        const settle = (outcome: () => void): void => {
          clearTimeout(timer);
          child.stdout.off('data', check);
          child.stderr.off('data', check);
          outcome();
        };
        const check = (): void => {
          if (holds()) settle(resolve);
        };
        const timer = setTimeout(() => settle(() => reject(failure(what))), timeoutMs);
        child.stdout.on('data', check);
        child.stderr.on('data', check);
        exited.then(
          () => (holds() ? settle(resolve) : settle(() => reject(failure(what)))),
          (error: Error) => settle(() => reject(error)),
        );
        check();
      }),
    stop: async (signal = 'SIGTERM') => {
      if (ended) return exited;
      child.kill(signal);
      const timer = setTimeout(() => child.kill('SIGKILL'), 10_000);
      return exited.finally(() => clearTimeout(timer));
    },
  };

  const deadline = Date.now() + (options.readyWithinMs ?? 60_000);
  while (!(await options.isReady())) {
    if (ended) {
      await exited;
      throw failure('it was ready');
    }
    if (Date.now() > deadline) {
      const error = failure('it was ready');
      await program.stop('SIGKILL');
      throw error;
    }
    await delay(20);
  }
  return program;
}

function isMissing(need: Need): boolean {
  return need === 'root' ? process.getuid?.() !== 0 : findProgram(need) === undefined;
}

function inWords(missing: readonly Need[]): string | undefined {
  const programs = missing.filter((need) => need !== 'root');
  const reasons = [
    ...(missing.includes('root') ? ['needs to run as root'] : []),
    ...(programs.length > 0 ? [`needs ${programs.join(', ')} on PATH`] : []),
  ];
  return reasons.length > 0 ? reasons.join(' and ') : undefined;
}

function isEverythingRequired(): boolean {
  return process.env['PORTCULLIS_TEST_REQUIRE'] === 'all';
}

function fail(reason: string): never {
  throw new Error(`${reason}, and PORTCULLIS_TEST_REQUIRE=all allows no skip`);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

function spawnProgram(name: string, args: readonly string[], options: RunOptions): ChildProcessWithoutNullStreams {
  const path = name.startsWith('/') ? name : findProgram(name);
  if (path === undefined) throw new Error(`${name} is not on PATH`);
  const child = spawn(path, args, {
    cwd: options.cwd,
    env: { PATH: searchPath.join(delimiter), LANG: 'C.UTF-8', ...options.env },
  });
  if (running.size === 0) process.once('exit', killRunning);
  running.add(child);
  child.once('close', () => {
    running.delete(child);
    if (running.size === 0) process.off('exit', killRunning);
  });
  return child;
}

/** A test process that dies takes its programs with it. */
function killRunning(): void {
  for (const child of running) child.kill('SIGKILL');
}

function collect(child: ChildProcessWithoutNullStreams): {
  readonly stdout: () => string;
  readonly stderr: () => string;
} {
  const stdout: Buffer[] = [];
  const stderr: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => stdout.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => stderr.push(chunk));
  return { stdout: () => Buffer.concat(stdout).toString(), stderr: () => Buffer.concat(stderr).toString() };
}

function closed(child: ChildProcessWithoutNullStreams): Promise<Exit> {
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => resolve({ code, signal }));
  });
}
