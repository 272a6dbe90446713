/** What was learned a moment ago, by repository; the least recently learned leaves. */
import type { EpochMs } from '../time.ts';

export interface Learned<T> {
  readonly value: T;
  readonly at: EpochMs;
}

export class Remembered<T> {
  readonly of: string;
  readonly #values = new Map<string, Map<string, Learned<T>>>();
  readonly #max: number;
  readonly #weigh: (value: T) => number;
  #weight = 0;

  /** `of`: what is kept here. `max`: of what all values weigh. */
  constructor(of: string, max: number, weigh: (value: T) => number = () => 1) {
    this.of = of;
    this.#max = max;
    this.#weigh = weigh;
  }

  get(repository: string, name: string): Learned<T> | undefined {
    return this.#values.get(repository)?.get(name);
  }

  set(repository: string, name: string, value: T, at: EpochMs): void {
    const own = this.#values.get(repository) ?? new Map<string, Learned<T>>();
    this.#values.delete(repository);
    this.#values.set(repository, own);
    const before = own.get(name);
    this.#weight += this.#weigh(value) - (before === undefined ? 0 : this.#weigh(before.value));
    own.set(name, { value, at });
    for (const [oldest] of this.#values) {
      if (this.#weight <= this.#max) return;
      this.forget(oldest);
    }
  }

  forget(repository: string): void {
    for (const { value } of this.#values.get(repository)?.values() ?? []) this.#weight -= this.#weigh(value);
    this.#values.delete(repository);
  }
}
