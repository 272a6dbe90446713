/** A circuit breaker: after some failures in a row nobody waits for what will fail, until one call proves otherwise. */

export interface Breaker {
  /**
   * Whether a call may go out. While the breaker is open, one may at a time, each after a pause: it decides whether the
   * breaker closes. Whoever is told yes reports the end of the call.
   */
  admit(): boolean;
  succeeded(): void;
  failed(): void;
  readonly isOpen: () => boolean;
}

export interface BreakerOptions {
  /** In a row, until it opens. */
  readonly failures: number;
  readonly pauseMs: number;
  /** Milliseconds that only grow. */
  readonly now: () => number;
}

/** Closed at first. */
export function createBreaker({ failures, pauseMs, now }: BreakerOptions): Breaker {
  let failed = 0;
  let nextProbe = 0;
  let probing = false;

  return {
    admit() {
      if (failed < failures) return true;
      if (probing || now() < nextProbe) return false;
      probing = true;
      return true;
    },
    succeeded() {
      failed = 0;
      probing = false;
    },
    failed() {
      failed += 1;
      probing = false;
      // Half of the pause is left to chance: replicas that lost the same server do not ask in step.
      if (failed >= failures) nextProbe = now() + pauseMs * (0.5 + Math.random() / 2);
    },
    isOpen: () => failed >= failures,
  };
}
