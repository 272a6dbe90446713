/** How many passwords are hashed, or shown to a directory, at once, and who waits. */
import { createPace } from './pace.ts';

/** Who came at once is refused at once: as many answers in one turn of the event loop would hold up everybody else. */
const refusedPerTurn = 8;

/**
 * A few at once, and a queue bounded by time. Hashing runs on libuv's pool of four threads, which file access shares: more
 * of it at once would make every file read wait behind passwords.
 */
export class LoginQueue {
  readonly #slots: number;
  readonly #waitMs: number;
  readonly #maxWaiting: number;
  readonly #onWaited: (seconds: number) => void;
  readonly #waiting: (() => void)[] = [];
  #running = 0;
  readonly #refusals = createPace(refusedPerTurn);

  /** A task that has not begun after `waitMs` is refused; one that finds `maxWaiting` before it is refused at once. `onWaited` hears how long each waited. */
  constructor(slots: number, waitMs: number, maxWaiting = 1000, onWaited: (seconds: number) => void = () => {}) {
    this.#slots = slots;
    this.#waitMs = waitMs;
    this.#maxWaiting = maxWaiting;
    this.#onWaited = onWaited;
  }

  /** How many wait for their turn. */
  get waiting(): number {
    return this.#waiting.length;
  }

  async run<T>(task: () => Promise<T>): Promise<T | 'busy'> {
    const begun = performance.now();
    const isAdmitted = await this.#enter();
    this.#onWaited((performance.now() - begun) / 1000);
    if (!isAdmitted) {
      await this.#refusals();
      return 'busy';
    }
    try {
      return await task();
    } finally {
      this.#leave();
    }
  }

  #enter(): Promise<boolean> {
    if (this.#running < this.#slots) {
      this.#running++;
      return Promise.resolve(true);
    }
    if (this.#waiting.length >= this.#maxWaiting) return Promise.resolve(false);
    return new Promise((resolve) => {
      const begin = (): void => {
        clearTimeout(timer);
        resolve(true);
      };
      const timer = setTimeout(() => {
        this.#waiting.splice(this.#waiting.indexOf(begin), 1);
        resolve(false);
      }, this.#waitMs);
      this.#waiting.push(begin);
    });
  }

  /** The slot passes to the next in line without being freed, so nobody can slip in between. */
  #leave(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#running--;
    else next();
  }
}
