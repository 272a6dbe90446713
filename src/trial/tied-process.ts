/** Child processes that never outlive the gateway. */
import { spawn } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';
import type { Environment } from './program.ts';

/** A program that ends when we end, however we end. */
export interface TiedProcess {
  /** Exit code, or null when a signal ended it or it could not be started. Never rejects. */
  readonly exited: Promise<number | null>;
  /** Ends it: SIGTERM, and SIGKILL after five seconds. May be called more than once. */
  readonly stop: () => Promise<void>;
}

export interface TiedOptions {
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
export function startTied(command: readonly [string, ...string[]], options: TiedOptions): TiedProcess {
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
  return { exited, stop: () => (stopping ??= stop()) };
}

function killGroup(leader: number): void {
  try {
    process.kill(-leader, 'SIGKILL');
  } catch {
    // The group ended between the look and the shot.
  }
}
