/** A circuit breaker: after some failures in a row nobody waits for what will fail, until one call proves otherwise. */

const failuresUntilOpen = 5;
const pauseMs = 500;

export class Breaker {
  #failures = 0;
  #nextProbe = 0;
  #isProbing = false;

  /** Calls are refused at once. */
  get isOpen(): boolean {
    return this.#failures >= failuresUntilOpen;
  }

  /** Whether a call may go out; who may reports its end. While it is open one may at a time, each after a pause: it decides. */
  admit(): boolean {
    if (!this.isOpen) return true;
    if (this.#isProbing || performance.now() < this.#nextProbe) return false;
    this.#isProbing = true;
    return true;
  }

  succeeded(): void {
    this.#failures = 0;
    this.#isProbing = false;
  }

  failed(): void {
    this.#failures += 1;
    this.#isProbing = false;
    // Half of the pause is left to chance: replicas that lost the same server do not ask in step.
    if (this.isOpen) this.#nextProbe = performance.now() + pauseMs * (0.5 + Math.random() / 2);
  }
}
