/**
 * The key directory of a running gateway. A new key is published first and signs only after every replica has had time
 * to read it; an old one is accepted as long as its file is there.
 */
import type { Problem } from '../../document/problem.ts';
import type { Clock, KeyRing, TokenKey } from '../../ports.ts';
import { type KeyFile, readKeyFiles, uniqueKeys } from './key-ring.ts';

export interface FollowedKeys extends KeyRing {
  readonly problems: () => readonly Problem[];
  close(): void;
}

export interface KeyDirectoryOptions {
  readonly directory: string;
  readonly clock: Clock;
  /** Called when keys came or went, or cannot be read any more. */
  readonly onChange: (kids: readonly string[], problems: readonly Problem[]) => void;
  readonly pollMs?: number;
}

/** Milliseconds between publishing a key and signing with it: several polls of every replica. */
export const publishMs = 30_000;
const defaultPollMs = 2000;
/** Milliseconds between looks that tokens with an unknown `kid` can cause. */
const refreshEveryMs = 10_000;

/** `first` are the keys read at the start. Bad files later on leave the last good keys in use. */
export function followKeyDirectory(first: readonly KeyFile[], options: KeyDirectoryOptions): FollowedKeys {
  const { directory, clock, onChange, pollMs = defaultPollMs } = options;
  let files = first;
  let all = uniqueKeys(first);
  let problems: readonly Problem[] = [];
  let refreshed = -Infinity;
  /** When a key that is not named by its making was first seen here; those of the start count as known everywhere. */
  const seen = new Map<string, number>();

  function read(): boolean {
    const reading = readKeyFiles(directory, false);
    const before = all.map(({ kid }) => kid).join();
    const hadProblems = problems.length > 0;
    problems = reading.ok ? [] : reading.problems;
    if (reading.ok) {
      files = reading.files;
      all = uniqueKeys(files);
      for (const { key } of files) {
        if (!seen.has(key.kid) && !first.some((known) => known.key.kid === key.kid)) seen.set(key.kid, clock());
      }
    }
    const changed = all.map(({ kid }) => kid).join() !== before;
    if (changed || problems.length > 0 !== hadProblems)
      onChange(
        all.map(({ kid }) => kid),
        problems,
      );
    return changed;
  }

  /** The newest key that every replica has had time to read; the oldest when none has been there that long. */
  function signingKey(): TokenKey {
    const now = clock();
    const published = files.filter(({ key, made }) => (made ?? seen.get(key.kid) ?? -Infinity) + publishMs <= now);
    const chosen = published.at(-1) ?? files[0];
    if (chosen === undefined) throw new Error('a key directory without keys');
    return chosen.key;
  }

  const timer = setInterval(read, pollMs).unref();
  return {
    signingKey,
    keys: () => all,
    problems: () => problems,
    refresh() {
      if (clock() - refreshed < refreshEveryMs && clock() >= refreshed) return false;
      refreshed = clock();
      return read();
    },
    close: () => clearInterval(timer),
  };
}
