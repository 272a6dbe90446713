/** When robots' secrets were last used, for one process, kept across restarts by a file. */
import { z } from 'zod';
import type { Problem } from '../../document/problem.ts';
import type { RobotUses } from '../../ports.ts';
import { Recent } from '../recent.ts';
import { openStateFile } from './state-file.ts';

export interface MemoryRobotUsesOptions {
  /** In a directory that exists and belongs to this process alone. Undefined: a restart forgets. */
  readonly file: string | undefined;
  /** A file that cannot be used or written. */
  readonly onProblem: (problem: Problem) => void;
}

/** The robots used last; a mark is a number, and there are not more robots than an administrator made. */
const maxKept = 100_000;

/** With a `file` uses outlast a restart; where it cannot be read or written they go on in memory. */
export function createMemoryRobotUses({ file: path, onProblem }: MemoryRobotUsesOptions): RobotUses & {
  close(): Promise<void>;
} {
  const uses = new Recent<number>(maxKept);
  const { file, held } = openStateFile({
    path,
    kind: 'portcullis robot uses',
    version: 1,
    schema: z.array(z.tuple([z.string(), z.number()])),
    onProblem,
    current: () => [...uses.entries()],
  });
  for (const [tokenId, time] of held ?? []) uses.set(tokenId, time);

  return {
    mark(tokenId, now) {
      uses.set(tokenId, Math.max(now, uses.get(tokenId) ?? 0));
      file.saveSoon();
    },
    lastUsed(tokenIds) {
      const used = tokenIds.filter((tokenId) => uses.has(tokenId));
      return Promise.resolve(new Map(used.map((tokenId) => [tokenId, uses.get(tokenId) ?? 0])));
    },
    close: () => file.close(),
  };
}
