/** Work that is done a few at a time. */

/** Turns for `count` at once, in the order of the calls. */
export class Turns {
  #free: number;
  readonly #waiting: (() => void)[] = [];

  constructor(count: number) {
    this.#free = count;
  }

  async take<T>(task: () => Promise<T>): Promise<T> {
    if (this.#free > 0) this.#free--;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      return await task();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#free++;
      else next();
    }
  }
}

/** `task` for each of `items`, `atOnce` of them at a time; the first failure, after which none is begun. */
export async function each<Item, Failure>(
  items: readonly Item[],
  atOnce: number,
  task: (item: Item) => Promise<Failure | undefined>,
): Promise<Failure | undefined> {
  let next = 0;
  let failure: Failure | undefined;
  const work = async (): Promise<void> => {
    while (failure === undefined) {
      const item = items[next++];
      if (item === undefined) return;
      const failed = await task(item);
      failure ??= failed;
    }
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, items.length) }, work));
  return failure;
}
