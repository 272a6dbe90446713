/** What the tags of a repository name at one moment: where an image has to be under a tag. */
import { isCalledContent, mayLeadOn } from '../distribution/manifest.ts';
import { type Content, readPlainManifest } from '../distribution/plain-manifest.ts';
import { isNamed } from '../policy/gates.ts';
import type { Gate } from '../policy/model.ts';
import type { ListPlace, Registry, RegistryFailure } from '../ports.ts';
import { AtOnce } from './at-once.ts';
import type { GateMemory, KnownManifest } from './gate-memory.ts';

/** Tags looked at, of those that count. */
const maxTags = 2000;
/** Some registries give fifty at once, whatever they are asked for. */
const maxPages = 1000;
const askedAtOnce = 16;
/** Levels of indexes in indexes. */
const maxDepth = 4;
/** Manifests that are read for one walk. */
const maxReads = 10_000;
/** Milliseconds from its beginning after which it ends, wanted or not. */
const maxWalkMs = 60_000;

/** A manifest under a tag. */
export interface Held {
  readonly digest: string;
  /** Part of an index that the tag names: the index says so, whether or not it is still there. */
  readonly isPart: boolean;
  /** undefined where it did not have to be read. */
  readonly manifest: KnownManifest | undefined;
}

/** Whether this is what is looked for; what cannot be told now is a failure. */
export type Test = (held: Held) => Promise<boolean | RegistryFailure>;

export type WalkResult =
  | { readonly found: true }
  /** `isCut`: there are more tags. `failed`: it may be under one that could not be looked at. */
  | { readonly found: false; readonly isCut: boolean; readonly failed: RegistryFailure['reason'] | undefined };

export interface WalkTerms {
  readonly registry: Pick<Registry, 'resolveTag' | 'manifest' | 'tags'>;
  readonly memory: GateMemory;
  readonly repository: string;
  /** Which of its tags count; absent: all. */
  readonly tags: Gate['fromTags'];
  /** Looked at before any other, if it counts. */
  readonly first: string | undefined;
  /** Images are compared by what they are made of. */
  readonly readsImages: boolean;
  /** Milliseconds after which somebody else's walk behind an answer makes this one needless. */
  readonly answerMs: number;
}

interface Look {
  readonly held: readonly Held[];
  readonly failed: RegistryFailure['reason'] | undefined;
}

type TagList = { readonly ok: true; readonly tags: readonly string[]; readonly isCut: boolean } | RegistryFailure;

/** Each tag is looked at once, however often something is looked for under it. */
export class SourceWalk {
  readonly #terms: WalkTerms;
  readonly #looks = new Map<string, Promise<Look>>();
  readonly #begun = performance.now();
  readonly #turns = new AtOnce(askedAtOnce);
  #list: Promise<TagList> | undefined;
  #reads = 0;

  constructor(terms: WalkTerms) {
    this.#terms = terms;
  }

  /** The tags one after the other, some at once, until it is found. */
  async find(test: Test): Promise<WalkResult> {
    const { first, tags, repository, memory } = this.#terms;
    let failed: RegistryFailure['reason'] | undefined;
    let found = false;
    const lookAt = async (tag: string): Promise<void> => {
      const look = await this.#look(tag);
      failed ??= look.failed;
      for (const held of look.held) {
        const result = found || (await test(held));
        if (typeof result === 'object') failed ??= result.reason;
        else found ||= result;
      }
    };
    if (first !== undefined && (tags === undefined || isNamed(tags, first))) await lookAt(first);
    if (found) return { found };
    const list = await (this.#list ??= this.#listTags());
    if (!list.ok) return { found, isCut: false, failed: list.reason };
    const waiting = list.tags.values();
    let isBehind = false;
    const worker = async (): Promise<void> => {
      for (const tag of waiting) {
        if (found) return;
        const late = this.#isLate(isBehind);
        if (late === 'behind') isBehind = true;
        if (late === 'over') return void (failed ??= 'timeout');
        await lookAt(tag);
      }
    };
    await Promise.all(Array.from({ length: askedAtOnce }, worker));
    if (isBehind) memory.behind.delete(repository);
    return found ? { found } : { found, isCut: list.isCut, failed };
  }

  /** After the answer is given one walk of a repository goes on, so that the next answer has less to read. */
  #isLate(isBehind: boolean): 'behind' | 'over' | undefined {
    const { repository, memory, answerMs } = this.#terms;
    const ms = performance.now() - this.#begun;
    if (ms > maxWalkMs) return 'over';
    if (ms <= answerMs || isBehind) return undefined;
    if (memory.behind.has(repository)) return 'over';
    memory.behind.add(repository);
    return 'behind';
  }

  async #listTags(): Promise<TagList> {
    const { registry, repository, tags: wanted } = this.#terms;
    const tags = new Set<string>();
    const visited = new Set<string>();
    let place: ListPlace | undefined;
    while (visited.size < maxPages) {
      const page = await registry.tags(repository, 1000, place);
      if (!page.ok && page.reason === 'unknown') return { ok: true, tags: [], isCut: false };
      // Whoever cannot list tags has said nothing about them.
      if (!page.ok) return { ok: false, reason: page.reason === 'unsupported' ? 'broken' : page.reason };
      for (const tag of page.names) if (wanted === undefined || isNamed(wanted, tag)) tags.add(tag);
      if (tags.size > maxTags) return { ok: true, tags: [...tags].slice(0, maxTags), isCut: true };
      if (page.next === undefined) return { ok: true, tags: [...tags], isCut: false };
      if (visited.has(page.next)) return broken;
      visited.add(page.next);
      place = { next: page.next };
    }
    return broken;
  }

  #look(tag: string): Promise<Look> {
    const known = this.#looks.get(tag) ?? this.#lookAt(tag);
    this.#looks.set(tag, known);
    return known;
  }

  async #lookAt(tag: string): Promise<Look> {
    const { registry, repository } = this.#terms;
    const named = await this.#turns.run(() => registry.resolveTag(repository, tag));
    if (!named.ok) return { held: [], failed: named.reason };
    if (named.digest === undefined) return { held: [], failed: undefined };
    const held = new Map<string, Held>();
    const root = { digest: named.digest, mediaType: named.mediaType };
    const failed = await this.#gather(root, mayLeadOn(named.mediaType), 0, held);
    return { held: [...held.values()], failed };
  }

  /** Adds it and what is below it; the reason why something of that is not known. */
  async #gather(
    { digest, mediaType }: Content,
    leadsOn: boolean,
    depth: number,
    held: Map<string, Held>,
  ): Promise<RegistryFailure['reason'] | undefined> {
    if (held.has(digest) || (depth > 0 && isCalledContent({ digest, mediaType }))) return undefined;
    const isPart = depth > 0;
    held.set(digest, { digest, isPart, manifest: undefined });
    if (!leadsOn && !this.#terms.readsImages) return undefined;
    const manifest = await this.#read(digest);
    if (typeof manifest === 'string') return manifest;
    if (manifest === undefined) return undefined;
    held.set(digest, { digest, isPart, manifest });
    if (manifest.kind !== 'index' || depth === maxDepth) return undefined;
    const failures = await Promise.all(
      manifest.parts.map((part) => this.#gather(part, mayLeadOn(part.mediaType), depth + 1, held)),
    );
    return failures.find((failure) => failure !== undefined);
  }

  /** undefined when it is not there. */
  async #read(digest: string): Promise<KnownManifest | RegistryFailure['reason'] | undefined> {
    const { registry, memory, repository } = this.#terms;
    const known = memory.manifest(digest);
    if (known !== undefined) return known;
    if (this.#reads++ >= maxReads) return 'broken';
    const reading = await this.#turns.run(() => registry.manifest(repository, digest));
    if (!reading.ok) return reading.reason;
    if (reading.manifest === undefined) return undefined;
    const { content, mediaType } = reading.manifest;
    const manifest = summaryOf(content, mediaType);
    memory.rememberManifest(digest, manifest);
    return manifest;
  }
}

/** Of a manifest that is where it may come from. What it says of itself comes before what the registry calls it. */
export function summaryOf(content: Buffer, mediaType: string | undefined): KnownManifest {
  const plain = readPlainManifest(content, []) ?? readPlainManifest(content, [mediaType]);
  if (plain?.kind === 'index')
    return { kind: 'index', parts: plain.entries.map(({ digest, mediaType: type }) => ({ digest, mediaType: type })) };
  if (plain?.kind !== 'image') return { kind: 'other' };
  return { kind: 'image', config: plain.config.digest, layers: plain.layers.map(({ digest }) => digest) };
}

const broken: RegistryFailure = { ok: false, reason: 'broken' };
