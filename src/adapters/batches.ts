/** Work on many things in steps, so that no step keeps others waiting. */

/** The things in their order, so many at a time. */
export function* batches<T>(all: readonly T[], size: number): Generator<readonly T[]> {
  for (let begin = 0; begin < all.length; begin += size) yield all.slice(begin, begin + size);
}
