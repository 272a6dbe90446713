/** What the gateway remembers of what passed through it, for people to look at; none of it decides anything. */
import type { AuditRecord } from './audit.ts';
import type { RegistryFailure } from './registry.ts';
import type { EpochMs } from '../time.ts';

/** A tag that was written through a gateway. */
export interface TagMove {
  readonly tag: string;
  readonly digest: string;
  readonly at: EpochMs;
  /** The account, as the log names it; '' for nobody in particular. */
  readonly by: string;
}

export interface TagHistory {
  /** The latest first, at most five; none: nobody wrote it through a gateway that remembers. */
  readonly moves: readonly TagMove[];
  readonly lastPull: EpochMs | undefined;
}

/** What a deletion took: one tag, or every tag that its last move led to a digest. */
export type GoneTags = { readonly tag: string } | { readonly digest: string };

/**
 * Who wrote a tag and when, and when it was last pulled: of 5,000 tags a repository, for 400 days. Best effort: notes wait
 * for nobody, and a lost one is no error. Answers reject never; while the store is away they are `undefined`.
 */
export interface TagActivity {
  /** The same digest once more is the same move, by whoever wrote it last. */
  noteWritten(repository: string, move: TagMove): void;
  /** What was written after `at` stays. */
  noteDeleted(repository: string, gone: GoneTags, at: EpochMs): void;
  /** Kept at most once a minute and tag. */
  notePulled(repository: string, tag: string, at: EpochMs): void;
  /** Tags that are remembered, the last written first; at most `limit`. */
  newest(repository: string, limit: number): Promise<readonly TagMove[] | undefined>;
  /** Of those of the tags of which anything is remembered. */
  of(repository: string, tags: readonly string[]): Promise<ReadonlyMap<string, TagHistory> | undefined>;
  /** When a tag of each repository was last written, of those that are remembered. */
  lastWrites(repositories: readonly string[]): Promise<ReadonlyMap<string, EpochMs> | undefined>;
  close(): Promise<void>;
}

/** Told of what the registry has confirmed. Costs its caller next to nothing, waits for nothing and never throws. */
export interface Seen {
  /** A manifest, under these tags, which may be none. */
  written(
    repository: string,
    written: { readonly tags: readonly string[]; readonly digest: string; readonly by: string },
  ): void;
  deleted(repository: string, gone: GoneTags): void;
  /** An account (`by`, '' for nobody in particular) was told by HEAD what a tag is, and has not pulled it yet. */
  resolved(repository: string, named: { readonly tag: string; readonly digest: string; readonly by: string }): void;
  /** A manifest; by its digest it is the pull of a tag that the same account resolved a moment ago. */
  pulled(repository: string, pulled: { readonly tag: string } | { readonly digest: string; readonly by: string }): void;
  /** Content that makes a repository known to some registries before it has a manifest. */
  contentWritten(repository: string): void;
}

/** What an image is, read once of content that never changes. */
export interface ImageFacts {
  readonly digest: string;
  readonly mediaType: string;
  /** Bytes of manifest, config and layers; of an index those of all platforms. undefined where it says nothing of it. */
  readonly size: number | undefined;
  readonly artifactType?: string | undefined;
  readonly platforms: readonly PlatformFacts[];
  /** Of an index: what is attached to its images, which is no platform (`vnd.docker.reference.type`). */
  readonly attestations: readonly { readonly digest: string; readonly of: string }[];
  readonly annotations: Readonly<Record<string, string>>;
  /** What it is attached to. */
  readonly subject?: string | undefined;
  /** The configs of all its platforms were looked at. */
  readonly isWhole: boolean;
}

export interface PlatformFacts {
  readonly digest: string;
  /** `linux/arm64/v8`; undefined where the config was not read. */
  readonly name: string | undefined;
  readonly size: number | undefined;
  readonly layers: readonly { readonly digest: string; readonly size: number; readonly mediaType: string }[];
  /** undefined: larger than 256 kB, of another type, or not there. */
  readonly config?: ConfigFacts | undefined;
}

/** Texts are as the image has them: of any content. */
export interface ConfigFacts {
  readonly created: string | undefined;
  readonly user: string | undefined;
  readonly entrypoint: readonly string[];
  readonly command: readonly string[];
  readonly ports: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
  /** One for each step, those without a layer too. */
  readonly history: readonly { readonly createdBy: string; readonly isEmpty: boolean }[];
}

/**
 * By repository: who may read one is not to learn what another has under a digest. The least recently used leave: 10,000
 * images, 16 MB.
 */
export interface ImageFactsMemory {
  get(repository: string, digest: string): ImageFacts | undefined;
  put(repository: string, facts: ImageFacts): void;
}

/** What the registry is asked for people: at most four questions at once to each, apart from pulls. */
export interface Browser {
  /** For one page, which waits for answers at most so long, 2 seconds if nothing is said. */
  glance(withinMs?: number): Glance;
}

/**
 * What one page asks; the same may be answered from memory, up to 15 seconds old where the registry was written to past this
 * gateway. Everything is `undefined` that was not answered in time or at all; what arrives later is known to the next page.
 */
export interface Glance {
  tags(repository: string): Promise<TagNames | undefined>;
  /** `none`: there is no such tag. */
  digestOf(repository: string, tag: string): Promise<{ readonly digest: string } | 'none' | undefined>;
  /**
   * Only what is in this repository. `none`: there is no such manifest. `wish`: for a row of a list the configs of an index's
   * images are not needed.
   */
  image(repository: string, digest: string, wish: 'row' | 'whole'): Promise<ImageFacts | 'none' | undefined>;
  /** Digests of what the registry lists as attached, by its API and by the tag `sha256-…`. */
  attached(repository: string, digest: string): Promise<readonly string[] | undefined>;
  /** Why something is `undefined`, or older than it should be; the first reason that came up. */
  trouble(): GlanceTrouble | undefined;
  /** When the oldest of what was answered from memory for want of the registry was true. */
  staleSince(): EpochMs | undefined;
}

/** `late`: not answered yet. */
export type GlanceTrouble = 'late' | RegistryFailure['reason'];

export interface TagNames {
  /** In ASCII order. */
  readonly names: readonly string[];
  /** false: there are more, of which nobody knows. */
  readonly isComplete: boolean;
  /** The registry knows no such repository. */
  readonly isUnknown: boolean;
}

/**
 * Names of repositories, walked in the background and told of writes: sorted, at most 100,000. Whoever asks keeps the walks
 * going for a while.
 */
export interface RepositoryNames {
  /** undefined: nothing was ever walked; `complete`: false when there are more, or a registry did not tell. */
  current(): { readonly names: readonly string[]; readonly at: EpochMs; readonly complete: boolean } | undefined;
  /** Waits for a first walk at most so long. */
  ready(waitMs: number): Promise<void>;
  noteWritten(repository: string): void;
}

/** The last 5,000 audit records of a day, of this gateway. */
export interface Recent {
  note(record: AuditRecord, at: EpochMs): void;
  /** The latest first, without claims and groups. `after`, `before`: only those noted behind, ahead of that one. */
  list(wish: {
    readonly limit: number;
    readonly matches?: (record: AuditRecord, at: EpochMs) => boolean;
    readonly after?: number | undefined;
    readonly before?: number | undefined;
  }): readonly RecentRecord[];
  /** From when on nothing is missing in it: a day ago at most, later after a start and where there was too much to keep. */
  since(): EpochMs;
}

export interface RecentRecord {
  /** Grows from one to the next, over restarts too; how many there are in between it does not tell. */
  readonly number: number;
  readonly at: EpochMs;
  readonly record: AuditRecord;
}

/** The last 60 minutes of this gateway, the oldest first. */
export interface Minutes {
  note(kind: 'request' | 'refusal', at: EpochMs): void;
  noteManifestPull(seconds: number, at: EpochMs): void;
  /** Content that went to clients; `pulls`: 1 for the manifest of a pull, 0 for what belongs to it. */
  noteSent(repository: string | undefined, pulls: 0 | 1, bytes: number, at: EpochMs): void;
  list(now: EpochMs): readonly MinuteFacts[];
  /** Repositories by pulls in that hour. */
  busiest(now: EpochMs, limit: number, isShown: (repository: string) => boolean): readonly BusyRepository[];
}

export interface MinuteFacts {
  readonly requests: number;
  readonly refusals: number;
  readonly bytesOut: number;
  /** Seconds within which 95 % of the manifest pulls began to be answered; undefined without any. */
  readonly manifestP95: number | undefined;
}

export interface BusyRepository {
  readonly repository: string;
  readonly pulls: number;
  readonly bytes: number;
}
