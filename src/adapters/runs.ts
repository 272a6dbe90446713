/** Work in steps, so that none keeps others waiting, and work that is done again and again. */

/** Of a task that never rejects and says after how many milliseconds it runs again; undefined: not unless asked for. */
export class Runs {
  readonly #task: () => Promise<number | undefined>;
  #running: Promise<void> | undefined;
  #isWanted = false;
  #isClosed = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(task: () => Promise<number | undefined>) {
    this.#task = task;
  }

  /** At once, or right after the run that is under way. Resolves at the end of the one under way. */
  now(): Promise<void> {
    if (this.#isClosed) return Promise.resolve();
    if (this.#running !== undefined) {
      this.#isWanted = true;
      return this.#running;
    }
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#isWanted = false;
    return (this.#running = this.#run());
  }

  /** After a pause, unless one is to come before. */
  soon(ms: number): void {
    if (!this.#isClosed) this.#timer ??= setTimeout(() => void this.now(), ms).unref();
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
  }

  async #run(): Promise<void> {
    const pauseMs = await this.#task();
    this.#running = undefined;
    if (pauseMs !== undefined) this.soon(pauseMs);
    if (this.#isWanted) void this.now();
  }
}

/** The things in their order, so many at a time. */
export function* batches<T>(all: readonly T[], size: number): Generator<readonly T[]> {
  for (let begin = 0; begin < all.length; begin += size) yield all.slice(begin, begin + size);
}
