/**
 * Watches on the directories of files. A watched file goes silent after the first rename over it (Kubernetes swaps
 * symlinks); its directory does not. Directories are watched where they really are, so that a swapped link is watched anew.
 */
import { type FSWatcher, watch } from 'node:fs';
import { realpath, stat } from 'node:fs/promises';
import { dirname } from 'node:path';

/** `paths`: files and directories, which need not exist. Nothing is watched before the first look. */
export function watchDirectoriesOf(paths: readonly string[], onChange: () => void) {
  const watchers = new Map<string, FSWatcher>();
  let closed = false;

  function drop(directory: string): void {
    watchers.get(directory)?.close();
    watchers.delete(directory);
  }

  return {
    /** Finds out which directories there are now. One that cannot be watched is tried again at the next look. */
    async look(): Promise<void> {
      const wanted = new Set(await Promise.all(paths.map(directoryOf)));
      if (closed) return;
      for (const directory of [...watchers.keys()]) if (!wanted.has(directory)) drop(directory);
      for (const directory of wanted) {
        if (watchers.has(directory)) continue;
        try {
          watchers.set(
            directory,
            watch(directory, onChange).on('error', () => drop(directory)),
          );
        } catch {
          // Not there now, or no watches left: whoever polls sees changes meanwhile.
        }
      }
    },
    close(): void {
      closed = true;
      for (const directory of [...watchers.keys()]) drop(directory);
    },
  };
}

async function directoryOf(path: string): Promise<string> {
  const isDirectory = (await stat(path).catch(() => undefined))?.isDirectory() === true;
  const directory = isDirectory ? path : dirname(path);
  return realpath(directory).catch(() => directory);
}
