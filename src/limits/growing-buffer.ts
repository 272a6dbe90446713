/** Bytes that arrive in pieces, in one buffer that grows: a list of chunks of one byte would cost a hundred for each. */
import type { MemoryShare } from './memory-budget.ts';

/** Bytes set aside at first; most manifests fit. */
const firstBytes = 16_384;

export class GrowingBuffer {
  readonly #share: MemoryShare;
  readonly #maxBytes: number;
  #buffer = Buffer.alloc(0);
  #size = 0;

  /** What it holds is counted in `share`, which whoever gets the content closes. */
  constructor(share: MemoryShare, maxBytes: number) {
    this.#share = share;
    this.#maxBytes = maxBytes;
  }

  /** Copies the chunk. Says why where it does not fit; what was there is let go of then. */
  add(chunk: Buffer): 'too_large' | 'no_memory' | undefined {
    const needed = this.#size + chunk.length;
    if (needed > this.#maxBytes) return this.#drop('too_large');
    if (needed > this.#buffer.length) {
      let larger = Math.max(firstBytes, this.#buffer.length);
      while (larger < needed) larger *= 2;
      if (!this.#share.grow(larger - this.#buffer.length)) return this.#drop('no_memory');
      const grown = Buffer.allocUnsafeSlow(larger);
      this.#buffer.copy(grown, 0, 0, this.#size);
      this.#buffer = grown;
    }
    chunk.copy(this.#buffer, this.#size);
    this.#size = needed;
    return undefined;
  }

  get content(): Buffer {
    return this.#buffer.subarray(0, this.#size);
  }

  #drop<Reason>(reason: Reason): Reason {
    this.#buffer = Buffer.alloc(0);
    this.#size = 0;
    return reason;
  }
}
