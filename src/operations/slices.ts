/** Long work in slices, between which requests are answered. */

/** Milliseconds after which a slice is long enough. */
const sliceMs = 1;

/** To be called often: goes on at once until a slice is over, then lets everything else that waits have its turn. */
export function slices(now: () => number = () => performance.now()): () => Promise<void> {
  let begun = now();
  return async () => {
    if (now() - begun < sliceMs) return;
    await new Promise<void>((resolve) => setImmediate(resolve));
    begun = now();
  };
}
