/** What the gateway remembers of what passed through it, for people to look at; none of it decides anything. */
import type { AuditRecord } from './audit-ports.ts';
import type { EpochMs } from './time.ts';

/** A tag that was written through a gateway. */
export interface TagMove {
  readonly tag: string;
  readonly digest: string;
  readonly at: EpochMs;
  /** The account. */
  readonly by: string;
}

export interface TagHistory {
  /** The latest first, at most five; none: nobody wrote it through a gateway that remembers. */
  readonly moves: readonly TagMove[];
  readonly lastPull: EpochMs | undefined;
}

/**
 * Who wrote a tag and when, and when it was last pulled: of 5,000 tags a repository, for 400 days. Best effort: notes wait
 * for nobody, and a lost one is no error. Answers reject never; while the store is away they are `undefined`.
 */
export interface TagActivity {
  noteWritten(repository: string, move: TagMove): void;
  noteDeleted(repository: string, tag: string): void;
  /** Kept at most once a minute and tag. */
  notePulled(repository: string, tag: string, at: EpochMs): void;
  /** Tags that are remembered, the last written first; at most `limit`. */
  newest(repository: string, limit: number): Promise<readonly TagMove[] | undefined>;
  of(repository: string, tags: readonly string[]): Promise<ReadonlyMap<string, TagHistory> | undefined>;
  /** When each repository was last written to. */
  lastWrites(repositories: readonly string[]): Promise<ReadonlyMap<string, EpochMs> | undefined>;
  close(): Promise<void>;
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

/** In memory, the least recently used leave: 10,000 images, 16 MB. */
export interface ImageFactsMemory {
  get(digest: string): ImageFacts | undefined;
  put(facts: ImageFacts): void;
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
  /** The latest first. `after`: only those noted behind that one. */
  list(wish: {
    readonly limit: number;
    readonly matches?: (record: AuditRecord) => boolean;
    readonly after?: number;
  }): readonly RecentRecord[];
}

export interface RecentRecord {
  /** Counts up; of this process. */
  readonly number: number;
  readonly at: EpochMs;
  readonly record: AuditRecord;
}

/** The last 60 minutes of this gateway, the oldest first. */
export interface Minutes {
  note(kind: 'request' | 'refusal', at: EpochMs): void;
  noteManifestPull(seconds: number, at: EpochMs): void;
  noteBytesOut(bytes: number, at: EpochMs): void;
  notePull(repository: string, bytes: number, at: EpochMs): void;
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
