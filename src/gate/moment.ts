/** What the registry says while one write is judged: each thing is asked once, however many gates want to know it. */
import { type Content, type PlainManifest, readPlainManifest } from '../distribution/plain-manifest.ts';
import type { Gate } from '../policy/model.ts';
import type { Found, Registry, RegistryFailure } from '../ports.ts';
import type { GateMemory } from './gate-memory.ts';
import { SourceWalk } from './source-walk.ts';

/** What judging asks of a registry. */
export type Provenance = Pick<Registry, 'resolveTag' | 'manifest' | 'tags' | 'hasManifest' | 'openBlob'>;

export type PlainReading =
  { readonly ok: true; readonly isThere: boolean; readonly manifest: PlainManifest | undefined } | RegistryFailure;

export class Moment {
  readonly registry: Provenance;
  readonly memory: GateMemory;
  readonly #answerMs: number;
  readonly #answers = new Map<string, unknown>();

  /** `answerMs`: milliseconds after which somebody stops waiting for an answer. */
  constructor(registry: Provenance, memory: GateMemory, answerMs: number) {
    this.registry = registry;
    this.memory = memory;
    this.#answerMs = answerMs;
  }

  has(repository: string, digest: string): Promise<Found | RegistryFailure> {
    return this.#once(`has ${repository} ${digest}`, () => this.registry.hasManifest(repository, digest));
  }

  /** `types`: what others call it. `manifest` is undefined where it cannot be read in one way. */
  read(repository: string, digest: string, types: readonly Content['mediaType'][]): Promise<PlainReading> {
    return this.#once(`read ${repository} ${digest} ${types.join(' ')}`, async (): Promise<PlainReading> => {
      const reading = await this.registry.manifest(repository, digest);
      if (!reading.ok) return reading;
      if (reading.manifest === undefined) return { ok: true, isThere: false, manifest: undefined };
      const { content, mediaType } = reading.manifest;
      const manifest = readPlainManifest(content, types) ?? readPlainManifest(content, [...types, mediaType]);
      return { ok: true, isThere: true, manifest };
    });
  }

  /** The walk of the tags that count for a gate. */
  walk(repository: string, gate: Pick<Gate, 'fromTags' | 'match'>, first: string | undefined): SourceWalk {
    const { fromTags: tags, match } = gate;
    const readsImages = match === 'image';
    const named = tags?.map(({ text }) => text).join(' ') ?? '*';
    const { registry, memory } = this;
    const terms = { registry, memory, repository, tags, first, readsImages, answerMs: this.#answerMs };
    return this.#once(`walk ${repository} ${match} ${named}`, () => new SourceWalk(terms));
  }

  #once<T>(key: string, ask: () => T): T {
    const known = this.#answers.get(key) as T | undefined;
    if (known !== undefined) return known;
    const answer = ask();
    this.#answers.set(key, answer);
    return answer;
  }
}
