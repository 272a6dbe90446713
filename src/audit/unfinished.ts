/**
 * What was about to be done, by an intent, without a line that says what came of it: the process was killed, or is still at
 * it. Of one gateway, whose lines are given in their order.
 */
import { type ReadRecord, isEvent, recordIn } from './read-line.ts';

export interface Unfinished {
  readonly intent: ReadRecord;
  readonly bytes: Buffer;
  /** The process that was at it has ended; otherwise it may still be. */
  readonly hasEnded: boolean;
}

/** Intents that wait at once for their outcome: far more than a gateway has requests. */
const maxOpen = 10_000;

export class OpenIntents {
  readonly #open = new Map<string, { readonly intent: ReadRecord; readonly bytes: Buffer }>();
  readonly #onUnfinished: (what: Unfinished) => void;
  /** Those that were said to be unfinished. */
  #count = 0;

  constructor(onUnfinished: (what: Unfinished) => void = () => {}) {
    this.#onUnfinished = onUnfinished;
  }

  /** Those without an outcome so far. */
  get count(): number {
    return this.#count + this.#open.size;
  }

  give(bytes: Buffer): void {
    if (isEvent(bytes, 'intent')) this.#begin(bytes);
    else if (this.#open.size === 0) return;
    else if (isEvent(bytes, 'chain_restart')) this.#giveUp(this.#open.size, true);
    else this.#finish(bytes);
  }

  /** There is no line behind. */
  end(): void {
    this.#giveUp(this.#open.size, false);
  }

  #begin(bytes: Buffer): void {
    const intent = recordIn(bytes);
    const id = intent?.['requestId'];
    if (intent === undefined || typeof id !== 'string') return;
    // A copy: what it lies in is as large as a block.
    this.#open.set(id, { intent, bytes: Buffer.from(bytes) });
    if (this.#open.size > maxOpen) this.#giveUp(1, false);
  }

  #finish(bytes: Buffer): void {
    const at = bytes.lastIndexOf(idLabel);
    if (at === -1) return;
    const from = at + idLabel.length;
    const id = bytes.toString('latin1', from, bytes.indexOf(quote, from));
    // Names within a claim look the same.
    if (this.#open.has(id) && recordIn(bytes)?.['requestId'] === id) this.#open.delete(id);
  }

  /** The oldest. */
  #giveUp(count: number, hasEnded: boolean): void {
    let left = count;
    for (const [id, { intent, bytes }] of this.#open) {
      if (left-- === 0) return;
      this.#open.delete(id);
      this.#count++;
      this.#onUnfinished({ intent, bytes, hasEnded });
    }
  }
}

const idLabel = Buffer.from('"requestId":"');
const quote = 0x22;
