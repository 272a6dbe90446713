/** Replies in memory, bounded by their bytes; those that nobody asks for go first. */
import type { OutgoingHttpHeaders } from 'node:http';
import { LRUCache } from 'lru-cache';
import type { Mark } from '../../ports.ts';

/** What the registry answered with 200. */
export interface Kept {
  readonly repository: string;
  /** What the content is called: it was hashed, or is not here. */
  readonly digest: string;
  readonly headers: OutgoingHttpHeaders;
  readonly etag: string;
  /** undefined for a reply to a HEAD. */
  readonly content: Buffer | undefined;
  /** Of its repository, from before the registry was asked. */
  mark: Mark;
  /** When the registry was asked for it, or last about it: milliseconds that only grow. */
  confirmedAt: number;
}

/** Bytes of what stands around a content: objects, strings, header values. */
const overhead = 1500;

export class KeptReplies {
  readonly #kept: LRUCache<string, Kept>;
  /** Repository -> keys of what is kept of it. */
  readonly #shelves = new Map<string, Set<string>>();

  constructor(memoryBytes: number) {
    this.#kept = new LRUCache({
      maxSize: memoryBytes,
      sizeCalculation: ({ content }, key) => overhead + 2 * key.length + (content?.length ?? 0),
      dispose: ({ repository }, key, reason) => {
        if (reason !== 'set') this.#unshelve(repository, key);
      },
    });
  }

  get bytes(): number {
    return this.#kept.calculatedSize;
  }

  get(key: string): Kept | undefined {
    return this.#kept.get(key);
  }

  /** What is larger than all of the memory is not kept. */
  set(key: string, kept: Kept): void {
    this.#kept.set(key, kept);
    if (!this.#kept.has(key)) return;
    const shelf = this.#shelves.get(kept.repository) ?? new Set();
    this.#shelves.set(kept.repository, shelf.add(key));
  }

  /** Everything of one repository. */
  forget(repository: string): void {
    for (const key of [...(this.#shelves.get(repository) ?? [])]) this.#kept.delete(key);
  }

  #unshelve(repository: string, key: string): void {
    const shelf = this.#shelves.get(repository);
    shelf?.delete(key);
    if (shelf?.size === 0) this.#shelves.delete(repository);
  }
}
