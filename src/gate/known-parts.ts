/** What manifests are made of, remembered: what has a digest never changes. */
import { digestOf } from '../distribution/digest.ts';
import { type Descriptor, manifestsIn } from '../distribution/manifest.ts';

/** Of all that is remembered: some 100,000 parts. */
const maxBytes = 32_000_000;

const none: readonly Descriptor[] = [];

/** The manifests that a manifest of a repository names, for the latest of them; whether it is still there nobody knows. */
export class KnownParts {
  readonly #parts = new Map<string, readonly Descriptor[]>();
  #bytes = 0;

  /** undefined when it is not known; empty for one that leads to no other. */
  of(repository: string, digest: string): readonly Descriptor[] | undefined {
    return this.#parts.get(keyOf(repository, digest));
  }

  /** A manifest that the registry has taken: who pushes an index has just pushed its parts. */
  learn(repository: string, content: Buffer): void {
    const parts = manifestsIn(content);
    if (parts !== undefined) this.remember(repository, digestOf(content), parts);
  }

  /** `digest`: of exactly this content, as was found by hashing it. */
  remember(repository: string, digest: string, parts: readonly Descriptor[]): void {
    const key = keyOf(repository, digest);
    if (this.#parts.has(key)) return;
    this.#parts.set(key, parts.length === 0 ? none : parts);
    this.#bytes += bytesOf(key, parts);
    for (const [oldest, its] of this.#parts) {
      if (this.#bytes <= maxBytes) return;
      this.#parts.delete(oldest);
      this.#bytes -= bytesOf(oldest, its);
    }
  }
}

function keyOf(repository: string, digest: string): string {
  return `${repository}@${digest}`;
}

/** About, and rather too many: who pushes an index writes names into it as long as it may be itself. */
function bytesOf(key: string, parts: readonly Descriptor[]): number {
  return parts.reduce(
    (sum, { digest, mediaType = '' }) => sum + 100 + 2 * (digest.length + mediaType.length),
    200 + 2 * key.length,
  );
}
