/** Long work in slices, between which requests are answered. */

/** Milliseconds after which a slice is long enough. */
const sliceMs = 1;

/** To be called often: goes on at once until a slice is over, then lets everything else that waits have its turn. */
export function slices(now: () => number = () => performance.now(), longest = sliceMs): () => Promise<void> {
  let begun = now();
  return async () => {
    if (now() - begun < longest) return;
    await new Promise<void>((resolve) => setImmediate(resolve));
    begun = now();
  };
}

/** Milliseconds of a slice in which little is left behind for the collector; entries between two looks at the clock. */
const listSliceMs = 4;
const step = 64;

/** The entries that `isWanted` says yes to, in their order. */
export async function filterInSlices<T>(entries: readonly T[], isWanted: (entry: T) => boolean): Promise<readonly T[]> {
  const rest = slices(undefined, listSliceMs);
  const found: T[] = [];
  for (let at = 0; at < entries.length; at += step) {
    for (const entry of entries.slice(at, at + step)) if (isWanted(entry)) found.push(entry);
    await rest();
  }
  return found;
}

/** What `turn` makes of each entry, in their order. */
export async function mapInSlices<T, U>(
  entries: readonly T[],
  rest: () => Promise<void>,
  turn: (entry: T) => U,
): Promise<U[]> {
  const made: U[] = [];
  for (const entry of entries) {
    made.push(turn(entry));
    await rest();
  }
  return made;
}
