/** Long lists judged entry by entry, in slices, so that requests in between wait for none of it. */

/** Milliseconds of one slice; entries between two looks at the clock. */
const sliceMs = 4;
const step = 64;

/** The entries that `isWanted` says yes to, in their order. */
export async function filterInSlices<T>(entries: readonly T[], isWanted: (entry: T) => boolean): Promise<readonly T[]> {
  const found: T[] = [];
  let begun = performance.now();
  for (let at = 0; at < entries.length; at += step) {
    for (const entry of entries.slice(at, at + step)) if (isWanted(entry)) found.push(entry);
    if (performance.now() - begun < sliceMs) continue;
    await new Promise((resolve) => setImmediate(resolve));
    begun = performance.now();
  }
  return found;
}
