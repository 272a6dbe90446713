/** The registry behind the gateway: what the gateway asks it for itself, and what it writes to it for somebody. */
import type { Readable } from 'node:stream';

/** What the gate itself asks of the registry behind, apart from forwarding. */
export interface Registry {
  /** One page of all repositories; names as the registry sorts them. */
  repositories(size: number, place?: ListPlace): Promise<RepositoriesPage>;
  /** What a tag names now. */
  resolveTag(repository: string, tag: string): Promise<TagResolution>;
  /** A manifest with its content, which has the digest that it comes with; by tag or by digest. */
  manifest(repository: string, reference: string): Promise<ManifestReading>;
  /** Whether a repository holds a manifest with exactly this digest; its content is not read. */
  hasManifest(repository: string, digest: string): Promise<Found | RegistryFailure>;
  /** A blob as it comes, not verified: whoever reads it to its end knows its digest. The caller reads or destroys it. */
  openBlob(repository: string, digest: string): Promise<BlobReading>;
  /** What the registry lists as attached to a manifest, whether or not that is there. */
  referrers(repository: string, digest: string): Promise<ReferrersReading>;
  /** One page of a repository's tags; all of them, in ASCII order, where the registry knows no pages. */
  tags(repository: string, size: number, place?: ListPlace): Promise<TagsPage>;
}

/** One registry, by what it answers to nothing in particular. */
export interface RegistryProbe {
  /** Whether it answers at all, within so many milliseconds. */
  ping(withinMs?: number): Promise<RegistryHealth>;
}

export interface Found {
  readonly ok: true;
  readonly found: boolean;
}

/** `blob` is undefined when there is none. `size` as the registry says it. */
export type BlobReading =
  | { readonly ok: true; readonly blob: { readonly size: number | undefined; readonly content: Readable } | undefined }
  | RegistryFailure;

/** `login_failed`: it answers, and the gateway has no way in. `limited`: it has been asked too often (429). */
export type RegistryFailure = {
  readonly ok: false;
  readonly reason: 'unreachable' | 'timeout' | 'broken' | 'login_failed' | 'limited';
};

/**
 * Where a page begins: behind a name, which a registry may ignore, or where the registry said on the page before that its
 * list goes on (`next`). The latter is opaque, and refused as `broken` where it leads to anything but the same list.
 */
export type ListPlace = { readonly after: string } | { readonly next: string };

export interface Names {
  readonly ok: true;
  readonly names: readonly string[];
  /** Until this is undefined the list has not been read to its end. */
  readonly next: string | undefined;
  /** Which of several lists this is of, that are read one after the other: each has an order of its own. */
  readonly list?: string | undefined;
  /** Lists that cannot be read now, and are left out. */
  readonly left?: readonly string[] | undefined;
}

export type NamesPage = Names | RegistryFailure;

/** The registry has no such list, of any repository. */
export type Unsupported = { readonly ok: false; readonly reason: 'unsupported' };

export type RepositoriesPage = NamesPage | Unsupported;

/** `unknown`: the registry says that there is no such repository. */
export type TagsPage = NamesPage | Unsupported | { readonly ok: false; readonly reason: 'unknown' };

/** `digest` is undefined when there is no such tag. */
export type TagResolution =
  | { readonly ok: true; readonly digest: string; readonly mediaType?: string | undefined }
  | { readonly ok: true; readonly digest: undefined }
  | RegistryFailure;

export interface StoredManifest {
  readonly digest: string;
  readonly mediaType: string | undefined;
  readonly content: Buffer;
}

/** `manifest` is undefined when there is none. */
export type ManifestReading = { readonly ok: true; readonly manifest: StoredManifest | undefined } | RegistryFailure;

/** `digests`: of the manifests that are attached; `broken` where there are more than a client could want. */
export type ReferrersReading =
  { readonly ok: true; readonly digests: readonly string[] } | RegistryFailure | Unsupported;

/** `clockAheadMs`: of the clock here, to half a second; undefined where the registry does not say what time it is. */
export type RegistryHealth =
  { readonly ok: true; readonly clockAheadMs?: number | undefined } | { readonly ok: false; readonly detail: string };

/** Writes of the gateway's own. Each goes out once; none throws. */
export interface RegistryWriter {
  /** For a blob that the registry has nowhere else. */
  openUpload(repository: string): Promise<Mounting>;
  /** Links a blob of another repository. `upload`: the registry would rather have it sent there. */
  mountBlob(repository: string, digest: string, from: string): Promise<Mounting>;
  /**
   * Sends exactly `size` bytes with this digest where an upload was opened; content that is other, or ends early, is not
   * finished. `content` is read or destroyed, and an upload that failed is cancelled.
   */
  sendBlob(
    upload: OpenUpload,
    blob: { readonly digest: string; readonly size: number },
    content: Readable,
  ): Promise<Written>;
  /** Best effort: a registry forgets uploads by itself. */
  cancelUpload(upload: OpenUpload): Promise<void>;
  /** By a tag, or by the digest that it has. `broken` where the registry names another digest. */
  putManifest(repository: string, reference: string, manifest: StoredManifest): Promise<Written>;
  /** By a tag, which some registries take away alone and others not at all, or by a digest, with every tag of it. */
  deleteManifest(repository: string, reference: string): Promise<Deleted>;
}

/** Where the registry said that an upload goes on. */
export interface OpenUpload {
  readonly repository: string;
  readonly target: string;
}

export type Mounting = { readonly ok: true; readonly upload: OpenUpload | undefined } | WriteFailure;

export type Written = { readonly ok: true } | WriteFailure;

/** `unknown`: there is none; `unsupported`: it deletes nothing by such a reference. */
export type Deleted =
  | { readonly ok: true }
  | WriteFailure
  | { readonly ok: false; readonly reason: 'unknown' | 'unsupported'; readonly detail: string };

/** `refused`: it answered that it will not have this. `detail` in its own words, for operators. */
export interface WriteFailure {
  readonly ok: false;
  readonly reason: RegistryFailure['reason'] | 'refused';
  readonly detail: string;
}
