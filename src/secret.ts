/** Passwords in URLs and the like, on their way to whoever needs them. */
import { inspect } from 'node:util';

const shown = '***';

/** Text that must not reach a log or reply: however it is printed, it prints as `***`. */
export class Secret {
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  reveal(): string {
    return this.#text;
  }

  toString(): string {
    return shown;
  }

  toJSON(): string {
    return shown;
  }

  [inspect.custom](): string {
    return shown;
  }
}
