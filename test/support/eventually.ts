import { setTimeout as delay } from 'node:timers/promises';

/**
 * Asks until the answer is yes; rejects when it never is. Resolves with the milliseconds that took, of which those count
 * little that a busy machine kept the test from asking.
 */
export async function eventually(
  what: string,
  holds: () => boolean | Promise<boolean>,
  withinMs = 30_000,
): Promise<number> {
  for (let passed = 0; ;) {
    const asked = performance.now();
    const isSo = await holds();
    const answered = performance.now();
    passed += answered - asked;
    if (isSo) return passed;
    if (passed > withinMs) throw new Error(`not within ${withinMs} ms: ${what}`);
    await delay(10);
    passed += Math.min(performance.now() - answered, 50);
  }
}
