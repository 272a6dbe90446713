/** Runs programs of this machine for try mode; none outlives the gateway. */
import { execFile, spawn } from 'node:child_process';
import { constants } from 'node:fs';
import { access, stat } from 'node:fs/promises';
import { delimiter, isAbsolute, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

export type Environment = Readonly<Record<string, string | undefined>>;

type RunResult =
  | { readonly ok: true; readonly output: string }
  /** `reason` is one line for a person: the program's last words, or why it did not run to its end. */
  | { readonly ok: false; readonly reason: string };

interface RunOptions {
  readonly env: Environment;
  readonly timeoutMs: number;
  readonly cwd?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Absolute path of the first executable file called `name` on `env.PATH`; relative entries of PATH are passed over. */
export async function findProgram(name: string, env: Environment): Promise<string | undefined> {
  for (const directory of (env['PATH'] ?? '').split(delimiter)) {
    if (!isAbsolute(directory)) continue;
    const path = join(directory, name);
    if (await isProgram(path)) return path;
  }
  return undefined;
}

/** True when `path` is a file that we may execute. */
export async function isProgram(path: string): Promise<boolean> {
  try {
    await access(path, constants.X_OK);
    return (await stat(path)).isFile();
  } catch {
    return false;
  }
}

/** Runs a program to its end, at most `timeoutMs`. Never rejects. */
export function runProgram(program: string, args: readonly string[], options: RunOptions): Promise<RunResult> {
  return new Promise((resolve) => {
    execFile(
      program,
      [...args],
      {
        encoding: 'utf8',
        env: { ...options.env, LC_ALL: 'C' },
        timeout: options.timeoutMs,
        maxBuffer: 4 * 1024 * 1024,
        cwd: options.cwd,
        signal: options.signal,
      },
      (error, stdout, stderr) => {
        if (error === null) resolve({ ok: true, output: stdout });
        else if (options.signal?.aborted === true) resolve({ ok: false, reason: 'interrupted' });
        else if (error.killed === true) resolve({ ok: false, reason: `not done within ${options.timeoutMs / 1000} s` });
        else resolve({ ok: false, reason: lastLine(stderr) ?? lastLine(stdout) ?? error.message });
      },
    );
  });
}

function lastLine(text: string): string | undefined {
  return text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '')
    .at(-1);
}

/** A program that ends when we end, however we end. */
export type TiedProcess = ReturnType<typeof startTied>;

interface TiedOptions {
  readonly env: Environment;
  /** Open file that receives standard output and standard error. */
  readonly logFd: number;
}

const killAfterMs = 5000;

/**
 * $@ is the program. Standard input is a pipe that only the gateway holds: its end of file, which the kernel sends even
 * after a SIGKILL of the gateway, is the order to stop. It moves to descriptor 3 because a shell gives its background
 * jobs /dev/null as standard input. `kill 0` at the end takes the waiting subshell along; we are alone in our group.
 */
const tie = `exec 3<&0 </dev/null
"$@" 3<&- &
program=$!
( read -r line <&3; kill "$program"; PATH=$PATH:/usr/bin:/bin; sleep 5; kill -9 "$program" ) 2>/dev/null &
exec 3<&-
wait "$program"
code=$?
trap '' TERM
kill 0
wait
exit "$code"`;

/** In a process group of its own: Ctrl-C in a terminal reaches the gateway only, and a drain finds its registry. */
export function startTied(command: readonly [string, ...string[]], options: TiedOptions) {
  const child = spawn('/bin/sh', ['-c', tie, 'portcullis-try', ...command], {
    detached: true,
    env: { ...options.env },
    stdio: ['pipe', options.logFd, options.logFd],
  });
  let over = false;
  const exited = new Promise<number | null>((resolve) => {
    const end = (code: number | null): void => {
      over = true;
      resolve(code);
    };
    child.once('exit', (code) => end(code));
    child.once('error', () => end(null));
  });
  child.stdin?.on('error', () => undefined);

  const stop = async (): Promise<void> => {
    child.stdin?.destroy();
    const patience = new AbortController();
    await Promise.race([exited, delay(killAfterMs, undefined, { signal: patience.signal }).catch(() => undefined)]);
    patience.abort();
    if (!over && child.pid !== undefined) killGroup(child.pid);
    await exited;
  };
  let stopping: Promise<void> | undefined;
  return {
    /** Exit code, or null when a signal ended it or it could not be started. Never rejects. */
    exited,
    /** SIGTERM, and SIGKILL after five seconds. May be called more than once. */
    stop: () => (stopping ??= stop()),
  };
}

function killGroup(leader: number): void {
  try {
    process.kill(-leader, 'SIGKILL');
  } catch {
    // The group ended between the look and the shot.
  }
}
