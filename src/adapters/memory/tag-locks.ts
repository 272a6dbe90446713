/** Tag locks for one process: a queue per tag. */
import type { TagLocks } from '../../ports.ts';
import { within } from '../../time.ts';

/** Writers of one tag get their turns in the order of their calls. */
export function createTagLocks(): TagLocks {
  /** The end of the last task in line for a tag. */
  const lines = new Map<string, Promise<void>>();

  return {
    async withTags(repository, tags, waitMs, task) {
      const keys = tags.map((tag) => `${repository}:${tag}`);
      const before = keys.map((key) => lines.get(key)).filter((line) => line !== undefined);
      let release: () => void = () => {};
      const done = new Promise<void>((resolve) => (release = resolve));
      // In line on all tags in one step: two writers can never each hold what the other waits for.
      const own = Promise.all([...before, done]).then(() => {});
      for (const key of keys) lines.set(key, own);
      // Whoever leaves the line early leaves its place in it: those before may still be at work.
      void own.then(() => {
        for (const key of keys) if (lines.get(key) === own) lines.delete(key);
      });
      try {
        if (before.length > 0 && (await within(waitMs, Promise.all(before), 'late')) === 'late')
          return { ok: false, reason: 'busy' };
        return { ok: true, value: await task() };
      } finally {
        release();
      }
    },
  };
}
