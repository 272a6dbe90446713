/** The manifests that an index is made of, nested ones included. */
import { type Descriptor, isCalledContent, isObject, manifestsIn, mayLeadOn } from '../distribution/manifest.ts';
import { parseDigest } from '../distribution/reference.ts';
import type { Registry, RegistryFailure } from '../ports.ts';
import type { KnownParts } from './known-parts.ts';

/** Manifests read for one question. Who nests more than that keeps what it leads to. */
const maxManifests = 100_000;
/** Parts of one index asked for at once, beside other indexes. */
const askedAtOnce = 4;

export type Contained = { readonly ok: true; readonly digests: ReadonlySet<string> } | RegistryFailure;

type Looked = { readonly ok: true; readonly parts: readonly Descriptor[] } | RegistryFailure;

export interface WalkParts {
  readonly registry: Pick<Registry, 'manifest'>;
  readonly known: KnownParts;
  readonly repository: string;
  /** No more is asked once this is false; what was not found out is `broken`. */
  readonly isWanted: () => boolean;
  readonly maxReads?: number;
}

/**
 * Walks indexes, each of them once however many lead to it. What an index says its parts are is not believed: distribution
 * takes an index in which another one is called an image, or a layer.
 */
export class IndexWalk {
  readonly #parts: WalkParts;
  readonly #seen = new Set<string>();
  #reads = 0;

  constructor(parts: WalkParts) {
    this.#parts = parts;
  }

  /**
   * Everything below what a tag points at that was not met before, itself included; of its type the registry told. An entry
   * that is not there leads nowhere; one that cannot be read is `broken`, and so is a `root` that is gone.
   */
  async ofTag(root: Descriptor): Promise<Contained> {
    if (this.#seen.has(root.digest)) return nothing;
    this.#seen.add(root.digest);
    const digests = new Set([root.digest]);
    if (!mayLeadOn(root.mediaType)) return { ok: true, digests };
    const looked = await this.#lookAt(root, broken);
    return looked.ok ? this.below(looked.parts, digests, leaf) : looked;
  }

  /** `parts` and everything below them that was not met before, added to `found`; `missing` is what a part is that is gone. */
  async below(parts: readonly Descriptor[], found: Set<string>, missing: Looked): Promise<Contained> {
    let level = parts;
    while (level.length > 0) {
      const next: Descriptor[] = [];
      const fresh = level.filter(({ digest }) => !this.#seen.has(digest) && this.#seen.add(digest));
      for (let at = 0; at < fresh.length; at += askedAtOnce) {
        const some = fresh.slice(at, at + askedAtOnce);
        for (const looked of await Promise.all(some.map((part) => this.#lookAt(part, missing)))) {
          if (!looked.ok) return looked;
          next.push(...looked.parts);
        }
      }
      for (const { digest } of fresh) found.add(digest);
      level = next;
    }
    return { ok: true, digests: found };
  }

  async #lookAt(part: Descriptor, missing: Looked): Promise<Looked> {
    const { registry, known, repository, isWanted, maxReads = maxManifests } = this.#parts;
    const { digest } = part;
    const remembered = known.of(repository, digest);
    if (remembered !== undefined) return { ok: true, parts: remembered };
    if (parseDigest(digest) === undefined || !isWanted() || this.#reads++ >= maxReads) return broken;
    const reading = await registry.manifest(repository, digest);
    // The layers of a cache of BuildKit: distribution 2.8 answers 500 to a look at one.
    if (!reading.ok) return reading.reason === 'broken' && isCalledContent(part) ? leaf : reading;
    if (reading.manifest === undefined) return missing;
    const { content } = reading.manifest;
    const parts = manifestsIn(content);
    if (parts === undefined) return isCalledContent(part) && !isObject(content) ? leaf : broken;
    known.remember(repository, digest, parts);
    return { ok: true, parts };
  }
}

/** Parts of an index that are held one by one while it is pushed: far more than there are platforms. */
const maxParts = 1000;
/** Manifests within it that are looked at for that; whoever pushes one must not make the registry answer thousands. */
const maxReads = 50;

/**
 * What an index that is being pushed is made of, so that nothing of it is deleted meanwhile; empty for any other content.
 * undefined where that cannot be told, or not within bounds: nothing at all may be deleted then.
 */
export async function partsOf(
  content: Buffer,
  walk: Omit<WalkParts, 'maxReads'>,
): Promise<ReadonlySet<string> | undefined> {
  const parts = manifestsIn(content);
  // Layers are not asked for: distribution would read each of them.
  if (parts === undefined || parts.length > maxParts || parts.some(isCalledContent)) return undefined;
  const contained = await new IndexWalk({ ...walk, maxReads }).below(parts, new Set(), broken);
  return contained.ok && contained.digests.size <= maxParts ? contained.digests : undefined;
}

/**
 * Names that deletions by digest hold beside the digest, one of them each, so that who holds all of them keeps every
 * deletion off, and two deletions seldom wait for one another. No tag looks like one.
 */
export const everyDeletion: readonly string[] = Array.from({ length: 256 }, (_, number) =>
  deletionOf(`:${number.toString(16).padStart(2, '0')}`),
);

/** The one for this digest. */
export function deletionOf(digest: string): string {
  return `deletion:${digest.slice(digest.indexOf(':') + 1).slice(0, 2)}`;
}

const leaf: Looked = { ok: true, parts: [] };
const nothing: Contained = { ok: true, digests: new Set() };
const broken: RegistryFailure = { ok: false, reason: 'broken' };
