/** What the registry said last of the tags of a repository, for pages that are looked at while it does not answer. */
import type { EpochMs } from '../time.ts';

interface Seen {
  names: readonly string[];
  at: EpochMs;
  /** By tag. */
  readonly digests: Map<string, string>;
}

/** Tags of all repositories; some ten megabytes at worst. */
const maxTags = 60_000;

/** In memory, the repositories that nobody looks at leave first. */
export class LastSeen {
  readonly #repositories = new Map<string, Seen>();
  #tags = 0;
  readonly #maxTags: number;

  constructor(most = maxTags) {
    this.#maxTags = most;
  }

  /** The tags that the registry listed, and when. */
  tags(repository: string): { readonly names: readonly string[]; readonly at: EpochMs } | undefined {
    return this.#repositories.get(repository);
  }

  /** What tags named when they were looked at. */
  digests(repository: string): ReadonlyMap<string, string> {
    return this.#repositories.get(repository)?.digests ?? none;
  }

  noteTags(repository: string, names: readonly string[], at: EpochMs): void {
    if (names.length > this.#maxTags) return;
    const known = this.#take(repository);
    if (known?.names === names) {
      this.#repositories.set(repository, { ...known, at });
      this.#tags += names.length;
      return;
    }
    const listed = new Set(names);
    const digests = new Map([...(known?.digests ?? [])].filter(([tag]) => listed.has(tag)));
    this.#repositories.set(repository, { names, at, digests });
    this.#tags += names.length;
    for (const [oldest, { names: its }] of this.#repositories) {
      if (this.#tags <= this.#maxTags) return;
      this.#repositories.delete(oldest);
      this.#tags -= its.length;
    }
  }

  /** Of a tag that the registry listed. `none`: it has no manifest. */
  noteDigest(repository: string, tag: string, digest: string): void {
    const known = this.#repositories.get(repository);
    if (digest === 'none') known?.digests.delete(tag);
    else known?.digests.set(tag, digest);
  }

  #take(repository: string): Seen | undefined {
    const known = this.#repositories.get(repository);
    this.#repositories.delete(repository);
    this.#tags -= known?.names.length ?? 0;
    return known;
  }
}

const none: ReadonlyMap<string, string> = new Map();
