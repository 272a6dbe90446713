/** What judging by gates has found out of content, which never changes: by digest, bounded. Never what a tag names, or what is where. */
import { AtOnce } from './at-once.ts';
import type { Content } from '../distribution/plain-manifest.ts';

/** What a manifest is made of, as far as images are compared by it. */
export type KnownManifest =
  | { readonly kind: 'image'; readonly config: string; readonly layers: readonly string[] }
  | { readonly kind: 'index'; readonly parts: readonly Content[] }
  | { readonly kind: 'other' };

/** Of all manifests: some 50,000 images. */
const maxBytes = 32_000_000;
const maxLayers = 10_000;

/** The SHA-256 of what a layer unpacks to, and its bytes. */
export interface Unpacked {
  readonly digest: string;
  readonly bytes: number;
}

export class GateMemory {
  readonly #manifests = new Map<string, KnownManifest>();
  readonly #layers = new Map<string, Unpacked>();
  /** Repositories whose tags are still looked at for an answer that has been given. */
  readonly behind = new Set<string>();
  /** Layers that are being read, by digest. */
  readonly reading = new Map<string, Promise<unknown>>();
  /** Unpacking takes a core for seconds. */
  readonly unpacking = new AtOnce(2);
  #bytes = 0;

  manifest(digest: string): KnownManifest | undefined {
    return this.#manifests.get(digest);
  }

  /** `digest`: of exactly its content, as was found by hashing it. */
  rememberManifest(digest: string, manifest: KnownManifest): void {
    if (this.#manifests.has(digest)) return;
    this.#manifests.set(digest, manifest);
    this.#bytes += bytesOf(digest, manifest);
    for (const [oldest, its] of this.#manifests) {
      if (this.#bytes <= maxBytes) return;
      this.#manifests.delete(oldest);
      this.#bytes -= bytesOf(oldest, its);
    }
  }

  layer(digest: string): Unpacked | undefined {
    return this.#layers.get(digest);
  }

  /** `digest`: of the layer as it is stored, as was found by hashing it. */
  rememberLayer(digest: string, unpacked: Unpacked): void {
    this.#layers.set(digest, unpacked);
    const [oldest] = this.#layers.keys();
    if (this.#layers.size > maxLayers && oldest !== undefined) this.#layers.delete(oldest);
  }
}

/** About, and rather too many. */
function bytesOf(digest: string, manifest: KnownManifest): number {
  const own = 200 + 2 * digest.length;
  if (manifest.kind === 'image') return manifest.layers.reduce((sum, layer) => sum + 50 + 2 * layer.length, own + 200);
  if (manifest.kind === 'other') return own;
  return manifest.parts.reduce(
    (sum, part) => sum + 100 + 2 * (part.digest.length + (part.mediaType?.length ?? 0)),
    own,
  );
}
