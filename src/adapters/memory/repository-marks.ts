/** Marks of repositories for one process: whoever writes through it is the only one there is. */
import { randomUUID } from 'node:crypto';
import type { RepositoryMarks } from '../../ports.ts';
import { Recent } from '../recent.ts';

/** One that is forgotten costs a read of the registry. */
const maxMarks = 50_000;

/** Never `unavailable`, and `read` needs no waiting. `lingerMs`: how long a write may go on whose end nobody saw. */
export function createRepositoryMarks(lingerMs = 60_000): RepositoryMarks {
  const marks = new Recent<string>(maxMarks);
  /** Repository -> writes under way. */
  const writers = new Map<string, number>();

  function end(repository: string): void {
    marks.delete(repository);
    const left = (writers.get(repository) ?? 1) - 1;
    if (left > 0) writers.set(repository, left);
    else writers.delete(repository);
  }

  return {
    read(repository) {
      if (writers.has(repository)) return undefined;
      const known = marks.get(repository);
      if (known !== undefined) return known;
      const made = randomUUID();
      marks.set(repository, made);
      return made;
    },
    async around(repository, task, isOver = () => true) {
      writers.set(repository, (writers.get(repository) ?? 0) + 1);
      let goesOn = false;
      try {
        const value = await task();
        goesOn = !isOver(value);
        return { ok: true, value };
      } finally {
        if (goesOn) setTimeout(end, lingerMs, repository).unref();
        else end(repository);
      }
    },
  };
}
