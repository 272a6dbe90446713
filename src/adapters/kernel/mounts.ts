/** Mounts as the kernel lists them (proc_pid_mountinfo(5)), on Linux. */
import { dirname } from 'node:path';

/**
 * The mount by which policies at `path` stay as they were: a single file (an editor replaces files, and the mount keeps the
 * old one), also one in their directory, or what Kubernetes mounted by `subPath`, also around it. undefined: edits are seen.
 * `table`: the text of /proc/self/mountinfo.
 */
export function frozenMount(table: string, path: string, isFile: boolean): string | undefined {
  const mounts = table.split('\n').flatMap((line) => {
    const [, , , root, at] = line.split(' ');
    return root === undefined || at === undefined ? [] : [{ root, at: unescaped(at) }];
  });
  const around = mounts
    .filter(({ at }) => at === path || path.startsWith(at.endsWith('/') ? at : `${at}/`))
    .reduce<(typeof mounts)[number] | undefined>(
      (nearest, each) => (each.at.length >= (nearest?.at.length ?? 0) ? each : nearest),
      undefined,
    );
  if (around?.root.includes('/volume-subpaths/') === true || (isFile && around?.at === path)) return around.at;
  return isFile ? undefined : mounts.find(({ at }) => dirname(at) === path && /\.ya?ml$/.test(at))?.at;
}

/** Blanks and the like are written as octal numbers. */
function unescaped(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));
}
