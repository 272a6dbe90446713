/**
 * Signatures, attestations and SBOMs of what a repository has already. A daemon runs whatever has a configuration with a
 * root file system and archives for layers, by whatever name it goes: that is an image, and never attached to another one.
 */
import { attachmentsTag } from '../distribution/attachments.ts';
import { isCalledContent } from '../distribution/manifest.ts';
import { folded, isJsonObject } from '../distribution/plain-json.ts';
import { parseJson } from '../distribution/json.ts';
import { type ImageManifest, type PlainManifest, isImageConfig } from '../distribution/plain-manifest.ts';
import type { RegistryFailure } from '../ports.ts';
import { packingOf, readHead, readSmallBlob } from './layer-content.ts';
import type { Moment } from './moment.ts';

/** Entries of a list, and layers of which each is one. */
const maxAttached = 100;

export type Attached =
  /** What it is made of that has to be somewhere else, too, where attachments do not pass of themselves. */
  | { readonly kind: 'attached'; readonly digests: readonly string[] }
  /** `why`: in words, where more can be said than that it is none. */
  | { readonly kind: 'none'; readonly why?: string }
  | { readonly kind: 'unknown'; readonly reason: RegistryFailure['reason'] };

/** Something that is written to a repository, or part of it. */
export interface Asked {
  readonly repository: string;
  readonly digest: string;
  readonly manifest: PlainManifest;
  readonly tag: string | undefined;
  /** For an entry of an index: what it says that this is an attestation of, which the index has as well. */
  readonly attests: string | undefined;
}

const none: Attached = { kind: 'none' };

/** Whether it is attached to something that its repository has already. */
export async function judgeAttached(moment: Moment, asked: Asked): Promise<Attached> {
  const { repository, digest, manifest, attests } = asked;
  const tagged = asked.tag === undefined ? undefined : attachmentsTag(asked.tag);
  const { subject } = manifest;
  if (manifest.kind === 'index') return tagged?.form === 'list' ? judgeList(moment, asked, tagged.of) : none;
  const itself: Attached = { kind: 'attached', digests: [digest] };
  if (manifest.kind === 'image' && (tagged?.form === 'layers' || attests !== undefined)) {
    const missing = tagged?.form === 'layers' ? await missingFrom(moment, repository, tagged.of) : undefined;
    return missing ?? (await judgeLayers(moment, repository, manifest)) ?? itself;
  }
  if (subject === undefined) return none;
  return (
    (await missingFrom(moment, repository, subject)) ?? (await judgeConfig(moment, repository, manifest)) ?? itself
  );
}

/** undefined when it is there. */
async function missingFrom(moment: Moment, repository: string, digest: string): Promise<Attached | undefined> {
  const has = await moment.has(repository, digest);
  if (!has.ok) return { kind: 'unknown', reason: has.reason };
  return has.found
    ? undefined
    : { kind: 'none', why: `what it is attached to is not in ${repository}; push that first` };
}

/** A list of what is attached to `of`: each entry is there, and is that. */
async function judgeList(moment: Moment, { repository, manifest }: Asked, of: string): Promise<Attached> {
  if (manifest.kind !== 'index') return none;
  const digests = [...new Set(manifest.entries.map((entry) => entry.digest))];
  if (digests.length > maxAttached)
    return { kind: 'none', why: `a list of more than ${maxAttached} is not looked into` };
  const missing = await missingFrom(moment, repository, of);
  if (missing !== undefined) return missing;
  for (const digest of digests) {
    const reading = await moment.read(repository, digest, []);
    if (!reading.ok) return { kind: 'unknown', reason: reading.reason };
    const entry = reading.manifest;
    if (entry === undefined || entry.kind === 'index' || entry.subject !== of) return none;
    const isImage = await judgeConfig(moment, repository, entry);
    if (isImage !== undefined) return isImage;
  }
  return { kind: 'attached', digests };
}

/** undefined when it is no image by its configuration, whatever that is called. */
async function judgeConfig(moment: Moment, repository: string, manifest: PlainManifest): Promise<Attached | undefined> {
  if (manifest.kind !== 'image') return undefined;
  const { config } = manifest;
  if (isImageConfig(config)) return none;
  if (config.digest === emptyConfig) return undefined;
  const blob = await readSmallBlob({ registry: moment.registry, repository }, config.digest);
  if (!blob.ok) return { kind: 'unknown', reason: blob.reason };
  return blob.content === undefined || hasRootfs(blob.content) ? none : undefined;
}

/** `{}`; image-spec, "Guidance for an Empty Descriptor". */
const emptyConfig = 'sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a';

function hasRootfs(config: Buffer): boolean {
  const value = parseJson(config);
  return isJsonObject(value) && Object.keys(value).some((key) => folded(key) === 'rootfs');
}

/** undefined when none of its layers is one of a file system: signatures have the configuration of an image. */
async function judgeLayers(
  moment: Moment,
  repository: string,
  { layers, hasUrls }: ImageManifest,
): Promise<Attached | undefined> {
  if (hasUrls || layers.length > maxAttached || layers.some(isCalledContent)) return none;
  for (const digest of new Set(layers.map((layer) => layer.digest))) {
    const head = await readHead({ registry: moment.registry, repository }, digest, blockBytes);
    if (!head.ok) return { kind: 'unknown', reason: head.reason };
    if (head.content === undefined || packingOf(head.content) !== 'none' || isTar(head.content)) return none;
  }
  return undefined;
}

/**
 * POSIX ustar, "The header block": at its place stands the sum of all bytes, it counting as spaces; some wrote it signed. Read
 * as liberally as by any reader: Go takes what stands behind a NUL for nothing, and no digits for zero.
 */
const blockBytes = 512;
const sumAt = { from: 148, to: 156 };

function isTar(head: Buffer): boolean {
  if (head.length < blockBytes) return false;
  const header = Buffer.from(head.subarray(0, blockBytes));
  const [digits = '0'] = /[0-7]+/.exec(header.toString('latin1', sumAt.from, sumAt.to)) ?? [];
  header.fill(' ', sumAt.from, sumAt.to);
  const unsigned = header.reduce((sum, byte) => sum + byte, 0);
  const signed = header.reduce((sum, byte) => sum + (byte < 128 ? byte : byte - 256), 0);
  return [unsigned, signed].includes(parseInt(digits, 8));
}
