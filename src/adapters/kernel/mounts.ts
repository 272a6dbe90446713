/** Mounts as the kernel lists them (proc_pid_mountinfo(5)), on Linux. */

/**
 * Whether what is at `path` is a mount that stays as it was: a single file (an editor replaces files, and the mount keeps
 * the old one), or a directory that Kubernetes mounted by `subPath`. `table`: the text of /proc/self/mountinfo.
 */
export function isFrozenMount(table: string, path: string, isFile: boolean): boolean {
  const row = table
    .split('\n')
    .map((line) => line.split(' '))
    .findLast((fields) => unescaped(fields[4] ?? '') === path);
  return row !== undefined && (isFile || (row[3] ?? '').includes('/volume-subpaths/'));
}

/** Blanks and the like are written as octal numbers. */
function unescaped(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));
}
