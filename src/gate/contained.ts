/** The manifests that an index is made of, nested ones included. */
import { type Descriptor, manifestsIn, mayLeadOn } from '../distribution/manifest.ts';
import { parseDigest } from '../distribution/reference.ts';
import type { Registry, RegistryFailure } from '../ports.ts';

/** Manifests read for one question. Who nests more than that keeps what it leads to. */
const maxManifests = 20_000;

export type Contained = { readonly ok: true; readonly digests: ReadonlySet<string> } | RegistryFailure;

/** Walks indexes, each of them once however many lead to it: what has a digest never changes. */
export class IndexWalk {
  readonly #registry: Pick<Registry, 'manifest'>;
  readonly #repository: string;
  readonly #seen = new Set<string>();
  #read = 0;

  constructor(registry: Pick<Registry, 'manifest'>, repository: string) {
    this.#registry = registry;
    this.#repository = repository;
  }

  /**
   * Everything below `root` that was not met before, itself included. An entry that is not there leads nowhere; one that
   * cannot be read is `broken`, and so is a root that is gone.
   */
  async below(root: Descriptor): Promise<Contained> {
    const found = new Set<string>();
    const waiting = [root];
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
      if (this.#seen.has(next.digest)) continue;
      this.#seen.add(next.digest);
      found.add(next.digest);
      if (!mayLeadOn(next.mediaType)) continue;
      if (this.#read++ === maxManifests || parseDigest(next.digest) === undefined) return broken;
      const reading = await this.#registry.manifest(this.#repository, next.digest);
      if (!reading.ok) return reading;
      const children =
        reading.manifest === undefined && next !== root ? [] : manifestsIn(reading.manifest?.content ?? nothing);
      if (children === undefined) return broken;
      waiting.push(...children);
    }
    return { ok: true, digests: found };
  }
}

/** Parts of an index that nobody deletes while it is pushed: far more than there are platforms. */
const maxParts = 1000;
/** Indexes within it that are looked at for that; whoever pushes one must not make the registry answer thousands. */
const maxReads = 50;

/**
 * What an index that is being pushed is made of, so that nothing of it is deleted meanwhile; empty for any other content.
 * What cannot be read is held by its own digest: whether it may be pushed is for the registry to say.
 */
export async function partsOf(
  registry: Pick<Registry, 'manifest'>,
  repository: string,
  content: Buffer,
  isWanted: () => boolean,
): Promise<ReadonlySet<string>> {
  const parts = new Set<string>();
  const waiting = [...(manifestsIn(content) ?? [])];
  let reads = 0;
  for (const { digest, mediaType } of waiting) {
    if (parts.size === maxParts) break;
    if (parts.has(digest)) continue;
    parts.add(digest);
    if (!mayLeadOn(mediaType) || parseDigest(digest) === undefined || reads++ >= maxReads || !isWanted()) continue;
    const reading = await registry.manifest(repository, digest);
    if (reading.ok) waiting.push(...(manifestsIn(reading.manifest?.content ?? nothing) ?? []));
  }
  return parts;
}

const nothing = Buffer.alloc(0);
const broken: RegistryFailure = { ok: false, reason: 'broken' };
