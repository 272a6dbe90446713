/** How many files this process may have open (proc_pid_limits(5)), on Linux. */
import { readFileSync } from 'node:fs';

/** Infinity where there is no limit; undefined where the system does not tell. */
export function readDescriptorLimit(file = '/proc/self/limits'): number | undefined {
  let text: string;
  try {
    text = readFileSync(file, 'latin1');
  } catch {
    return undefined;
  }
  // The soft limit, which Node raises to the hard one when it starts.
  const soft = /^Max open files\s+(\d+|unlimited)\s/m.exec(text)?.[1];
  if (soft === undefined) return undefined;
  return soft === 'unlimited' ? Infinity : Number(soft);
}
