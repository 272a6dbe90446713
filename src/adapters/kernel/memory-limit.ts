/** How much memory the control group of this process grants (cgroups(7)), on Linux. */
import { readFileSync } from 'node:fs';

/** Version 2, then version 1, as a container sees its own. */
const files = ['/sys/fs/cgroup/memory.max', '/sys/fs/cgroup/memory/memory.limit_in_bytes'];
/** What version 1 says where there is no limit is near the largest number that it has. */
const endless = 2 ** 60;

/** Bytes; undefined where there is no limit, and where the system does not tell. */
export function readMemoryLimit(paths: readonly string[] = files): number | undefined {
  for (const path of paths) {
    let text: string;
    try {
      text = readFileSync(path, 'latin1').trim();
    } catch {
      continue;
    }
    const bytes = /^\d+$/.test(text) ? Number(text) : Infinity;
    return bytes < endless ? bytes : undefined;
  }
  return undefined;
}
