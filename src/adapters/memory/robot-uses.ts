/** When robots' secrets were last used, for one process, kept across restarts by a file. */
import { z } from 'zod';
import type { Problem } from '../../document/problem.ts';
import type { RobotUses } from '../../ports.ts';
import { openStateFile } from './state-file.ts';

export interface MemoryRobotUsesOptions {
  /** In a directory that exists and belongs to this process alone. Undefined: a restart forgets. */
  readonly file: string | undefined;
  /** A file that cannot be used or written. */
  readonly onProblem: (problem: Problem) => void;
}

/** The robots used last; a mark is a number, and there are not more robots than an administrator made. */
const maxKept = 100_000;

/**
 * With a `file` uses outlast a restart; one that cannot be read or written is told to `onProblem`, and uses go on in
 * memory.
 */
export function createMemoryRobotUses({ file: path, onProblem }: MemoryRobotUsesOptions): RobotUses & {
  close(): Promise<void>;
} {
  const uses = new Map<string, number>();
  const { file, held } = openStateFile({
    path,
    kind: 'portcullis robot uses',
    version: 1,
    schema: z.array(z.tuple([z.string(), z.number()])),
    onProblem,
    current: () => [...uses].map(([tokenId, time]): [string, number] => [tokenId, time]),
  });
  for (const [tokenId, time] of held ?? []) uses.set(tokenId, time);

  return {
    mark(tokenId, now) {
      const time = Math.max(now, uses.get(tokenId) ?? 0);
      // To the end of the map, whose begin is forgotten first.
      uses.delete(tokenId);
      uses.set(tokenId, time);
      const [oldest] = uses.keys();
      if (uses.size > maxKept && oldest !== undefined) uses.delete(oldest);
      file.saveSoon();
    },
    lastUsed: (tokenIds) =>
      Promise.resolve(
        new Map(
          tokenIds.flatMap((tokenId) => {
            const time = uses.get(tokenId);
            return time === undefined ? [] : [[tokenId, time] as const];
          }),
        ),
      ),
    close: () => file.close(),
  };
}
