/** Processes that are held still, as one that hangs. */
import { readFile, readdir } from 'node:fs/promises';
import { setImmediate } from 'node:timers/promises';

/**
 * SIGSTOP, and until none of its threads runs any more: a signal is on its way for a while, and what is asked of the
 * process until then is answered.
 */
export async function pauseProcess(pid: number): Promise<void> {
  process.kill(pid, 'SIGSTOP');
  if (process.platform !== 'linux') return;
  while (!(await isStopped(pid))) await setImmediate();
}

/** proc_pid_stat(5): the state stands behind the name, which may hold anything. */
async function isStopped(pid: number): Promise<boolean> {
  const threads = await readdir(`/proc/${pid}/task`);
  const stats = await Promise.all(threads.map((id) => readFile(`/proc/${pid}/task/${id}/stat`, 'utf8')));
  return stats.every((stat) => /^[Tt]/.test(stat.slice(stat.lastIndexOf(')') + 2)));
}
