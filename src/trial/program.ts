/** Runs programs of this machine for try mode. */
import { execFile } from 'node:child_process';
import { constants } from 'node:fs';
import { access, stat } from 'node:fs/promises';
import { delimiter, isAbsolute, join } from 'node:path';

export type Environment = Readonly<Record<string, string | undefined>>;

export type RunResult =
  | { readonly ok: true; readonly output: string }
  /** `reason` is one line for a person: the program's last words, or why it did not run to its end. */
  | { readonly ok: false; readonly reason: string };

export interface RunOptions {
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
