/** How a connection to Redis is, and the telling of it: each reason once, and once that it is over. */
import { createOutcomes, wordsOf } from './outcomes.ts';

export interface RedisHealth {
  readonly ok: boolean;
  readonly detail: string;
}

export class ConnectionHealth {
  readonly #kind: string;
  readonly #isReady: () => boolean;
  readonly #onHealth: (health: RedisHealth) => void;
  readonly #outcomes = createOutcomes(() => performance.now());
  #problem = 'not connected yet';
  /** The code of the refusal that was reported last; empty for a connection that is not there. */
  #reported: string | undefined;
  #closed = false;

  /** `onHealth` hears of each new reason, and of the end of all. */
  constructor(kind: string, isReady: () => boolean, onHealth: (health: RedisHealth) => void) {
    this.#kind = kind;
    this.#isReady = isReady;
    this.#onHealth = onHealth;
  }

  /** By the last outcome, in Redis' own words: connected and refusing is not well. */
  now(): RedisHealth {
    if (!this.#isReady()) return { ok: false, detail: `not connected: ${this.#problem}` };
    const refused = this.#outcomes.problem();
    return refused === undefined
      ? { ok: true, detail: `connected (${this.#kind})` }
      : { ok: false, detail: `connected, but calls fail: ${refused}` };
  }

  /** What the connection says is wrong; nobody is told before `report`. */
  trouble(error: unknown): void {
    this.#problem = wordsOf(error);
  }

  /** Tells what is wrong, if anything is and that is news. */
  report(): void {
    const health = this.now();
    if (this.#closed || health.ok) return;
    const code = /\b[A-Z]{4,}\b/.exec(this.#outcomes.problem() ?? this.#problem)?.[0] ?? '';
    if (this.#reported !== undefined && (code === '' || code === this.#reported || !this.#isReady())) return;
    this.#reported = code;
    this.#onHealth(health);
  }

  succeeded(script: string): void {
    this.#outcomes.succeeded(script);
  }

  failed(script: string, error: unknown): void {
    this.trouble(error);
    this.#outcomes.failed(script, error);
    this.report();
  }

  /** Everything that the gateway needs was just done. */
  proved(): void {
    this.#outcomes.proved();
    const health = this.now();
    if (this.#reported === undefined || !health.ok) return;
    this.#reported = undefined;
    this.#onHealth(health);
  }

  /** Nothing is reported from now on. */
  close(): void {
    this.#closed = true;
  }
}
