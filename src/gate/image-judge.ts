/** What one gate says of one write, by the rules of provenance: a copy, the same image, an index of such, or attached to one. */
import { digestOf, hasDigest } from '../distribution/digest.ts';
import { isCalledContent } from '../distribution/manifest.ts';
import {
  type ImageIndex,
  type ImageManifest,
  type IndexEntry,
  type PlainManifest,
  isImageConfig,
  readPlainManifest,
} from '../distribution/plain-manifest.ts';
import type { StandingGate } from '../policy/gates.ts';
import type { Found, RegistryFailure } from '../ports.ts';
import { judgeAttached } from './attached.ts';
import { attachmentsApart, cutShort, elsewhere, notThere, partMissing, tooManyParts } from './gate-words.ts';
import type { Moment } from './moment.ts';
import type { Held } from './source-walk.ts';

/** A manifest about to be written to a repository, in which everything it names is already. */
export interface WrittenManifest {
  readonly repository: string;
  /** Of the content. */
  readonly digest: string;
  readonly content: Buffer;
  readonly mediaType: string | undefined;
  /** undefined for a write by digest alone. */
  readonly tag: string | undefined;
}

type Reason = RegistryFailure['reason'];

export type FinalAnswer =
  | { readonly kind: 'passed'; readonly how: 'same_digest' | 'same_image' | 'attachment'; readonly from: string }
  | { readonly kind: 'refused'; readonly why: string }
  | { readonly kind: 'unknown'; readonly reason: Reason };

export type Answer =
  | FinalAnswer
  /** It passes if the layers of each are the same when unpacked; `unknown` instead of a refusal, if given. */
  | {
      readonly kind: 'compare';
      readonly from: string;
      readonly alike: readonly Alike[];
      readonly unknown: Reason | undefined;
    };

/** An image, and the layers of approved ones with the same configuration. */
interface Alike {
  readonly image: ImageManifest;
  readonly approved: readonly (readonly string[])[];
}

/** What is written, or a part of it. */
interface Thing {
  readonly digest: string;
  readonly isSameAs: (digest: string) => boolean;
  readonly manifest: PlainManifest | undefined;
  readonly isMissing: boolean;
  readonly tag: string | undefined;
  readonly attests: string | undefined;
  readonly depth: number;
}

/** Parts of an index, and of indexes in it, that are looked at one by one. */
const maxParts = 100;
const maxDepth = 3;
const partsAtOnce = 8;

export class ImageJudge {
  readonly #moment: Moment;
  readonly #standing: StandingGate;
  readonly #written: WrittenManifest;
  #parts = 0;

  constructor(moment: Moment, standing: StandingGate, written: WrittenManifest) {
    this.#moment = moment;
    this.#standing = standing;
    this.#written = written;
  }

  judge(): Promise<Answer> {
    const { content, mediaType, tag } = this.#written;
    const digest = digestOf(content);
    return this.#judge({
      digest,
      isSameAs: (other) => other === digest || (!other.startsWith('sha256:') && hasDigest(content, other)),
      manifest: readPlainManifest(content, [mediaType]),
      isMissing: false,
      tag,
      attests: undefined,
      depth: 0,
    });
  }

  async #judge(thing: Thing): Promise<Answer> {
    const { gate, sources } = this.#standing;
    const copies = await this.#copiesOf(thing.digest);
    const [copy] = copies.in;
    if (copy !== undefined && gate.fromTags === undefined) return { kind: 'passed', how: 'same_digest', from: copy };
    const attached = await this.#attached(thing);
    if (attached.kind === 'passed') return attached;
    let unknown = copies.unknown ?? (attached.kind === 'unknown' ? attached.reason : undefined);

    const image = gate.match === 'image' ? comparable(thing.manifest) : undefined;
    const alike: { readonly from: string; readonly layers: readonly string[] }[] = [];
    let isCut = false;
    for (const from of sources) {
      const hasCopy = gate.fromTags !== undefined && copies.in.includes(from);
      if (!hasCopy && image === undefined) continue;
      let how: 'same_digest' | 'same_image' | undefined;
      const walk = this.#moment.walk(from, gate, this.#written.tag);
      const result = await walk.find(async (held) => {
        const match = matchOf(held, thing, image);
        if (match === undefined) return false;
        // What an index names may be gone, and be known from elsewhere.
        const has = held.isPart ? await this.#moment.has(from, held.digest) : found;
        if (!has.ok || !has.found) return has.ok ? false : has;
        if (typeof match === 'string') how = match;
        else alike.push({ from, ...match });
        return typeof match === 'string';
      });
      if (result.found) return { kind: 'passed', how: how ?? 'same_digest', from };
      unknown ??= result.failed;
      isCut ||= result.isCut;
    }
    const [first] = alike;
    if (image !== undefined && first !== undefined) {
      const approved = alike.map(({ layers }) => layers);
      return { kind: 'compare', from: first.from, alike: [{ image, approved }], unknown };
    }
    if (thing.manifest?.kind === 'index' && gate.match === 'image' && unknown === undefined) {
      const parts = await this.#judgeParts(thing.manifest, thing.depth);
      return parts.kind === 'refused' && attached.kind === 'none' ? { ...parts, ...attached, kind: 'refused' } : parts;
    }
    if (unknown !== undefined) return { kind: 'unknown', reason: unknown };
    return { kind: 'refused', why: this.#whyNot(thing, attached, isCut) };
  }

  #whyNot({ manifest, isMissing }: Thing, attached: Answer | { readonly why?: string }, isCut: boolean): string {
    if ('why' in attached && attached.why !== undefined) return attached.why;
    if (isMissing) return partMissing(this.#written.repository);
    if (manifest?.kind === 'image' && manifest.hasUrls) return elsewhere;
    return isCut ? cutShort(this.#standing) : notThere(this.#standing);
  }

  /** In which sources there is exactly this manifest. */
  async #copiesOf(digest: string): Promise<{ readonly in: readonly string[]; readonly unknown: Reason | undefined }> {
    const found: string[] = [];
    let unknown: Reason | undefined;
    for (const from of this.#standing.sources) {
      const has = await this.#moment.has(from, digest);
      if (!has.ok) unknown ??= has.reason;
      else if (has.found) found.push(from);
    }
    return { in: found, unknown };
  }

  /** Passes, where it is attached to something in the target; its gate may ask that it be where images come from, too. */
  async #attached({ digest, manifest, tag, attests }: Thing): Promise<FinalAnswer | { kind: 'none'; why?: string }> {
    if (manifest === undefined) return { kind: 'none' };
    const { repository } = this.#written;
    const attached = await judgeAttached(this.#moment, { repository, digest, manifest, tag, attests });
    if (attached.kind !== 'attached') return attached;
    const [first = ''] = this.#standing.sources;
    if (this.#standing.gate.attachments === 'allow') return { kind: 'passed', how: 'attachment', from: first };
    let from = first;
    for (const each of attached.digests) {
      const copies = await this.#copiesOf(each);
      if (copies.in[0] !== undefined) from = copies.in[0];
      else if (copies.unknown !== undefined) return { kind: 'unknown', reason: copies.unknown };
      else return { kind: 'none', why: attachmentsApart(this.#standing) };
    }
    return { kind: 'passed', how: 'attachment', from };
  }

  async #judgeParts({ entries }: ImageIndex, depth: number): Promise<Answer> {
    this.#parts += entries.length;
    if (this.#parts > maxParts || depth === maxDepth) return { kind: 'refused', why: tooManyParts(maxParts) };
    if (entries.length === 0 || entries.some(isCalledContent)) {
      return { kind: 'refused', why: notThere(this.#standing) };
    }
    const images = new Set(entries.flatMap(({ digest, attests }) => (attests === undefined ? [digest] : [])));
    const answers: Answer[] = [];
    for (let at = 0; at < entries.length; at += partsAtOnce) {
      const some = entries.slice(at, at + partsAtOnce);
      answers.push(...(await Promise.all(some.map((entry) => this.#judgePart(entry, images, depth + 1)))));
      if (answers.some(({ kind }) => kind === 'refused')) break;
    }
    return allOf(answers);
  }

  async #judgePart(
    { digest, mediaType, attests }: IndexEntry,
    images: ReadonlySet<string>,
    depth: number,
  ): Promise<Answer> {
    const reading = await this.#moment.read(this.#written.repository, digest, [mediaType]);
    if (!reading.ok) return { kind: 'unknown', reason: reading.reason };
    return this.#judge({
      digest,
      isSameAs: (other) => other === digest,
      manifest: reading.manifest,
      isMissing: !reading.isThere,
      tag: undefined,
      attests: attests !== undefined && images.has(attests) ? attests : undefined,
      depth,
    });
  }
}

const found: Found = { ok: true, found: true };

/** An image that may be compared with others by what it is made of. */
function comparable(manifest: PlainManifest | undefined): ImageManifest | undefined {
  return manifest?.kind === 'image' && isImageConfig(manifest.config) && !manifest.hasUrls ? manifest : undefined;
}

/** How what is under a tag is the thing; its layers where only the configuration is the same. */
function matchOf(
  { digest, manifest }: Held,
  thing: Thing,
  image: ImageManifest | undefined,
): 'same_digest' | 'same_image' | { readonly layers: readonly string[] } | undefined {
  if (thing.isSameAs(digest)) return 'same_digest';
  if (image === undefined || manifest?.kind !== 'image' || manifest.config !== image.config.digest) return undefined;
  const { layers } = manifest;
  const isSame =
    layers.length === image.layers.length && image.layers.every((layer, at) => layer.digest === layers[at]);
  return isSame ? 'same_image' : { layers };
}

/** What is said of an index by what is said of each of its parts. */
function allOf(answers: readonly Answer[]): Answer {
  const refused = answers.find(({ kind }) => kind === 'refused');
  if (refused !== undefined) return refused;
  const unknown = answers.find(({ kind }) => kind === 'unknown');
  if (unknown !== undefined) return unknown;
  const compared = answers.filter((answer) => answer.kind === 'compare');
  const [first] = compared;
  if (first !== undefined) {
    const alike = compared.flatMap((answer) => answer.alike);
    return { ...first, alike, unknown: compared.find((answer) => answer.unknown !== undefined)?.unknown };
  }
  const passed = answers.filter((answer) => answer.kind === 'passed');
  const from = passed.find(({ how }) => how !== 'attachment')?.from ?? passed[0]?.from ?? '';
  return { kind: 'passed', how: 'same_image', from };
}
