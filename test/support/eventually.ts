import { setTimeout as delay } from 'node:timers/promises';

/** Asks until the answer is yes; rejects when it never is. Resolves with the milliseconds that took. */
export async function eventually(
  what: string,
  holds: () => boolean | Promise<boolean>,
  withinMs = 15_000,
): Promise<number> {
  const begun = performance.now();
  for (;;) {
    if (await holds()) return performance.now() - begun;
    if (performance.now() - begun > withinMs) throw new Error(`not within ${withinMs} ms: ${what}`);
    await delay(10);
  }
}
