/** Paths whose content this gateway believes: whoever else could write there could make tokens and sessions. */
import { accessSync, constants, statSync } from 'node:fs';
import { hasCode } from '../failure.ts';

/**
 * Why the file or directory at `path` is not this process's own, with the fix; undefined when it is, or is not there.
 * It may belong to this user or to root. A group may write where this process is in it, as volumes in Kubernetes are
 * (`fsGroup`). A mount that nobody can write (a Kubernetes Secret has mode 1777) is safe whatever its mode. Follows
 * symbolic links. Where the system has no user ids nothing is said.
 */
export function foreignPath(path: string): string | undefined {
  const user = process.getuid?.();
  const found = statSync(path, { throwIfNoEntry: false });
  if (user === undefined || found === undefined) return undefined;
  if (found.uid !== user && found.uid !== 0) {
    return `belongs to another user (uid ${found.uid}, this process is ${user}); fix: chown -R ${user} ${path}, or choose another path`;
  }
  const groups = [process.getgid?.(), ...(process.getgroups?.() ?? [])];
  const writers =
    (found.mode & 0o002) !== 0
      ? 'every user of this machine'
      : (found.mode & 0o020) !== 0 && !groups.includes(found.gid)
        ? `the group ${found.gid}, which this process is not in`
        : undefined;
  if (writers === undefined || isReadOnly(path)) return undefined;
  // An emptyDir of Kubernetes and a tmpfs belong to root and are open to everybody.
  const inside = found.isDirectory() ? ', or choose a directory inside it that is yet to be made' : '';
  return `can be written by ${writers} (mode ${(found.mode & 0o7777).toString(8)}); fix: chmod go-w ${path}${inside}`;
}

function isReadOnly(path: string): boolean {
  try {
    accessSync(path, constants.W_OK);
    return false;
  } catch (error) {
    return hasCode(error, 'EROFS');
  }
}
