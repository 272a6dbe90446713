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
   * cannot be read is `broken`, and so is a root that is gone unless it may be.
   */
  async below(root: Descriptor, mayBeGone = false): Promise<Contained> {
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
        reading.manifest === undefined && (mayBeGone || next !== root)
          ? []
          : manifestsIn(reading.manifest?.content ?? nothing);
      if (children === undefined) return broken;
      waiting.push(...children);
    }
    return { ok: true, digests: found };
  }
}

/**
 * What an index that is being pushed is made of, so that nothing of it is deleted meanwhile; empty for any other content.
 * What no registry would take is left to the registry to refuse.
 */
export async function partsOf(
  registry: Pick<Registry, 'manifest'>,
  repository: string,
  content: Buffer,
): Promise<Contained> {
  const parts = new Set<string>();
  const walk = new IndexWalk(registry, repository);
  for (const child of manifestsIn(content) ?? []) {
    const contained = await walk.below(child, true);
    if (!contained.ok) return contained;
    for (const digest of contained.digests) parts.add(digest);
  }
  return { ok: true, digests: parts };
}

const nothing = Buffer.alloc(0);
const broken: RegistryFailure = { ok: false, reason: 'broken' };
