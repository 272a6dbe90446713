/**
 * Turns of the event loop: what is answered at once leaves when every request of its turn is judged. A write to a client
 * that sleeps wakes it, which costs as much as judging; written one after another, answers meet a client that is awake.
 */
let ending: Promise<void> | undefined;

/** Resolves, for all who wait at once, when this turn has heard all its connections. */
export function turnsEnd(): Promise<void> {
  ending ??= new Promise((resolve) =>
    setImmediate(() => {
      ending = undefined;
      resolve();
    }),
  );
  return ending;
}
