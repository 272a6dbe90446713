/** One question to the registry for all who want to know the same at the same time. */

/** `kept`: the answer is in memory now. `left`: whoever asked went away before it was. */
export type Landing = 'kept' | 'not_kept' | 'left';

export interface Flight {
  /** Tells those who wait; the first word counts. */
  land(landing: Landing): void;
}

/** Milliseconds that others wait for it: a registry that hangs is not waited for twice. */
const longestWaitMs = 2000;

export class Flights {
  readonly #flights = new Map<string, Promise<Landing>>();

  /** Resolves when the flight for `key` has landed; undefined where none is under way. */
  of(key: string): Promise<Landing> | undefined {
    return this.#flights.get(key);
  }

  /** Others find it under `key` until it lands. */
  begin(key: string): Flight {
    let tell: (landing: Landing) => void = () => {};
    const landed = new Promise<Landing>((resolve) => (tell = resolve));
    this.#flights.set(key, landed);
    const land = (landing: Landing): void => {
      clearTimeout(timer);
      if (this.#flights.get(key) === landed) this.#flights.delete(key);
      tell(landing);
    };
    const timer = setTimeout(land, longestWaitMs, 'not_kept').unref();
    return { land };
  }
}
