/** How many are at something at once, by name. */
export class UnderWay {
  readonly #counts = new Map<string, number>();
  #all = 0;

  /** How many there are now, this one among them. */
  enter(name: string): number {
    const count = this.of(name) + 1;
    this.#counts.set(name, count);
    this.#all++;
    return count;
  }

  leave(name: string): void {
    const count = this.of(name) - 1;
    this.#all--;
    if (count === 0) this.#counts.delete(name);
    else this.#counts.set(name, count);
  }

  of(name: string): number {
    return this.#counts.get(name) ?? 0;
  }

  /** Of all names together. */
  get all(): number {
    return this.#all;
  }
}
