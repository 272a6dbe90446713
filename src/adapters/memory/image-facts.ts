/** What images are, for one process: nothing of it changes, so the least recently used leave and nothing else does. */
import { LRUCache } from 'lru-cache';
import type { ImageFacts, ImageFactsMemory } from '../../ports.ts';

const maxImages = 10_000;
const maxBytes = 16_000_000;

/** The bounds are for tests to change. */
export function createImageFactsMemory({ images = maxImages, bytes = maxBytes } = {}): ImageFactsMemory & {
  readonly bytes: () => number;
} {
  const kept = new LRUCache<string, ImageFacts>({ max: images, maxSize: bytes, sizeCalculation: bytesOf });
  return {
    get: (repository, digest) => kept.get(keyOf(repository, digest)),
    put(repository, facts) {
      kept.set(keyOf(repository, facts.digest), facts);
    },
    bytes: () => kept.calculatedSize,
  };
}

function keyOf(repository: string, digest: string): string {
  return `${repository}@${digest}`;
}

/** About, and rather too many. */
function bytesOf(facts: ImageFacts, key: string): number {
  return 200 + 2 * key.length + weigh(facts);
}

function weigh(value: unknown): number {
  if (typeof value === 'string') return 24 + 2 * value.length;
  if (typeof value !== 'object' || value === null) return 8;
  return Object.entries(value).reduce((sum, [name, each]) => sum + 24 + name.length + weigh(each), 48);
}
