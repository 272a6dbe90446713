/** How many are at something at once, by name. */
export class UnderWay {
  readonly #counts = new Map<string, number>();

  /** How many there are now, this one among them. */
  enter(name: string): number {
    const count = (this.#counts.get(name) ?? 0) + 1;
    this.#counts.set(name, count);
    return count;
  }

  leave(name: string): void {
    const count = (this.#counts.get(name) ?? 1) - 1;
    if (count === 0) this.#counts.delete(name);
    else this.#counts.set(name, count);
  }
}
