/** All that belongs to an image, read from its repository before anything is written: what will be copied, and in which order. */
import { type ManifestContents, type NamedBlob, contentsOf } from '../distribution/contents.ts';
import { parseDigest } from '../distribution/reference.ts';
import type { Registry, StoredManifest } from '../ports.ts';
import type { IsAttached } from './attached.ts';
import { type Fault, registryFault } from './fault.ts';
import { each } from './each.ts';

export interface AttachmentsTag {
  readonly tag: string;
  readonly list: StoredManifest;
}

export interface Closure {
  readonly root: StoredManifest;
  /** By digest, the root among them; each behind those that it names. */
  readonly images: ReadonlyMap<string, StoredManifest>;
  /** What is attached to those, and to that; the same order, subjects first. */
  readonly attachments: ReadonlyMap<string, StoredManifest>;
  /** Tags under which a registry or a client keeps lists of that. */
  readonly lists: readonly AttachmentsTag[];
  readonly blobs: ReadonlyMap<string, NamedBlob>;
}

export interface ClosureParts {
  readonly registry: Pick<Registry, 'manifest' | 'referrers'>;
  readonly repository: string;
  /** Whether such a tag may be read there. */
  readonly mayRead: (tag: string) => boolean;
  /** What is not stays behind. */
  readonly isAttached: IsAttached;
  readonly attachments: boolean;
}

/** Manifests below the root, and manifests attached. */
const maxManifests = 100;
/** Levels of what is attached to what is attached. */
const maxDepth = 2;
const maxBlobs = 5000;
/** Bytes of all manifests together, which are held until the end. */
const maxBytes = 16 * 1024 * 1024;
const askedAtOnce = 8;

/** Asks the registry only; what is not there, cannot be read or is too much is a fault, before anything was written. */
export async function readClosure(parts: ClosureParts, root: StoredManifest): Promise<Closure | Fault> {
  const walk = new ClosureWalk(parts);
  const fault = (await walk.image(root)) ?? (parts.attachments ? await walk.attached() : undefined);
  if (fault !== undefined) return fault;
  const { images, attachments, lists, blobs } = walk;
  return { root, images, attachments, lists, blobs };
}

class ClosureWalk {
  readonly images = new Map<string, StoredManifest>();
  readonly attachments = new Map<string, StoredManifest>();
  readonly lists: AttachmentsTag[] = [];
  readonly blobs = new Map<string, NamedBlob>();
  readonly #parts: ClosureParts;
  readonly #met = new Set<string>();
  #bytes = 0;
  #hasReferrers = true;

  constructor(parts: ClosureParts) {
    this.#parts = parts;
  }

  /** An image or index with all below it. */
  image(root: StoredManifest): Promise<Fault | undefined> {
    this.#met.add(root.digest);
    return this.#below(root, this.images);
  }

  async #below(manifest: StoredManifest, into: Map<string, StoredManifest>): Promise<Fault | undefined> {
    const contents = this.#take(manifest);
    if ('kind' in contents) return contents;
    const { repository } = this.#parts;
    for (const { digest } of contents.manifests) {
      const read = await this.#read(digest);
      if (read === 'met') continue;
      if (read === undefined)
        return { kind: 'not_promotable', detail: `it names ${digest.slice(0, 80)}, which ${repository} does not hold` };
      if ('kind' in read) return read;
      const fault = await this.#below(read, into);
      if (fault !== undefined) return fault;
    }
    into.set(manifest.digest, manifest);
    // The root is not below itself.
    if (into.size <= maxManifests + (into === this.images ? 1 : 0)) return undefined;
    return into === this.images ? tooMany('manifests') : tooMany('attachments');
  }

  #take(manifest: StoredManifest): ManifestContents | Fault {
    const contents = contentsOf(manifest.content);
    if (contents === undefined)
      return { kind: 'not_promotable', detail: `${manifest.digest} is no image, index or artifact that can be read` };
    this.#bytes += manifest.content.length;
    if (this.#bytes > maxBytes) return tooMany('bytes of manifests');
    // The root and what is on its way down count as well.
    if (contents.manifests.length > maxManifests) return tooMany('manifests');
    for (const blob of contents.blobs) {
      if (parseDigest(blob.digest) === undefined)
        return { kind: 'not_promotable', detail: `${manifest.digest} names a blob with an invalid digest` };
      const known = this.blobs.get(blob.digest);
      if (known !== undefined && known.size !== blob.size)
        return { kind: 'not_promotable', detail: `${blob.digest} is said to have two sizes` };
      if (known === undefined || known.isElsewhere) this.blobs.set(blob.digest, blob);
    }
    return this.blobs.size > maxBlobs ? tooMany('blobs') : contents;
  }

  /** undefined: not there. */
  async #read(digest: string): Promise<StoredManifest | Fault | 'met' | undefined> {
    if (parseDigest(digest) === undefined)
      return { kind: 'not_promotable', detail: 'it names a manifest with an invalid digest' };
    if (this.#met.has(digest)) return 'met';
    this.#met.add(digest);
    if (this.#met.size > 3 * maxManifests) return tooMany('manifests');
    const reading = await this.#parts.registry.manifest(this.#parts.repository, digest);
    return reading.ok ? reading.manifest : registryFault(reading, `reading ${digest}`);
  }

  /** What is attached to the images, then what is attached to that. */
  async attached(): Promise<Fault | undefined> {
    let subjects = [...this.images.keys()];
    for (let depth = 0; depth < maxDepth && subjects.length > 0; depth++) {
      const before = new Set(this.attachments.keys());
      const named: string[] = [];
      const fault = await each(subjects, askedAtOnce, (subject) => this.#find(subject, named));
      if (fault !== undefined) return fault;
      for (const digest of named) {
        const read = await this.#read(digest);
        // A list may outlive what it names.
        if (read === 'met' || read === undefined) continue;
        const failed = 'kind' in read ? read : await this.#attach(read);
        if (failed !== undefined) return failed;
      }
      subjects = [...this.attachments.keys()].filter((digest) => !before.has(digest));
    }
    return undefined;
  }

  async #attach(manifest: StoredManifest): Promise<Fault | undefined> {
    const isAttached = await this.#parts.isAttached(manifest);
    if (typeof isAttached === 'object') return isAttached;
    return isAttached ? this.#below(manifest, this.attachments) : undefined;
  }

  async #find(subject: string, named: string[]): Promise<Fault | undefined> {
    const { registry, repository } = this.#parts;
    if (this.#hasReferrers) {
      const listed = await registry.referrers(repository, subject);
      if (listed.ok) named.push(...listed.digests);
      else if (listed.reason === 'unsupported') this.#hasReferrers = false;
      else return registryFault(listed, `reading what is attached to ${subject}`);
    }
    const tag = subject.replace(':', '-');
    const kinds = ['.sig', '.att', '.sbom', ...(this.#hasReferrers ? [] : [''])];
    return each(kinds, kinds.length, (kind) => this.#readList(tag + kind, named));
  }

  /** distribution-spec "Referrers Tag Schema" (an index), and cosign's (an image with a layer for each). */
  async #readList(tag: string, named: string[]): Promise<Fault | undefined> {
    const { registry, repository, mayRead } = this.#parts;
    if (!mayRead(tag)) return undefined;
    const reading = await registry.manifest(repository, tag);
    if (!reading.ok) return registryFault(reading, `reading ${tag}`);
    if (reading.manifest === undefined) return undefined;
    this.#met.add(reading.manifest.digest);
    const isAttached = await this.#parts.isAttached(reading.manifest, tag);
    if (isAttached !== true) return isAttached || undefined;
    const contents = this.#take(reading.manifest);
    if ('kind' in contents) return contents;
    named.push(...contents.manifests.map(({ digest }) => digest));
    this.lists.push({ tag, list: reading.manifest });
    return this.lists.length > 3 * maxManifests ? tooMany('attachments') : undefined;
  }
}

function tooMany(what: 'manifests' | 'attachments' | 'blobs' | 'bytes of manifests'): Fault {
  const most = { manifests: maxManifests, attachments: maxManifests, blobs: maxBlobs, 'bytes of manifests': maxBytes };
  const way = what === 'attachments' ? '; promote it without attachments' : '';
  return { kind: 'not_promotable', detail: `it is made of more than ${most[what]} ${what}${way}` };
}
