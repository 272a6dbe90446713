/** Work on many things, a few at a time, that ends with the first failure. */

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
