/**
 * Manifests as every client reads them: OCI image-spec (manifest, index), docker's schema 2 and manifest list, and the
 * artifact manifest that image-spec 1.1 dropped. What one reader takes for an image and another for an index is none of them.
 */
import { type JsonObject, isJsonObject, isPlainlyNamed, parsePlainObject } from './plain-json.ts';
import { parseDigest } from './reference.ts';

export interface Content {
  readonly digest: string;
  readonly mediaType: string | undefined;
}

export interface IndexEntry extends Content {
  /** For an attestation of BuildKit: the digest of the image beside it that it is about. */
  readonly attests: string | undefined;
}

interface Attachable {
  /** The digest of what it is attached to. */
  readonly subject: string | undefined;
}

export interface ImageManifest extends Attachable {
  readonly kind: 'image';
  readonly config: Content;
  readonly layers: readonly Content[];
  /** Clients are told to fetch some of it from elsewhere. */
  readonly hasUrls: boolean;
}

export interface ImageIndex extends Attachable {
  readonly kind: 'index';
  readonly entries: readonly IndexEntry[];
}

export interface ArtifactManifest extends Attachable {
  readonly kind: 'artifact';
}

export type PlainManifest = ImageManifest | ImageIndex | ArtifactManifest;

const kinds: ReadonlyMap<string, PlainManifest['kind']> = new Map([
  ['application/vnd.oci.image.manifest.v1+json', 'image'],
  ['application/vnd.docker.distribution.manifest.v2+json', 'image'],
  ['application/vnd.oci.image.index.v1+json', 'index'],
  ['application/vnd.docker.distribution.manifest.list.v2+json', 'index'],
  ['application/vnd.oci.artifact.manifest.v1+json', 'artifact'],
]);

const imageConfigs = new Set([
  'application/vnd.oci.image.config.v1+json',
  'application/vnd.docker.container.image.v1+json',
]);

/** Whether a manifest says itself that its configuration is that of an image. */
export function isImageConfig({ mediaType }: Content): boolean {
  return mediaType !== undefined && imageConfigs.has(mediaType.toLowerCase());
}

/**
 * `types`: what others call it, who all have to agree with it and with one another. undefined for what cannot be read, or
 * in more than one way.
 */
export function readPlainManifest(content: Buffer, types: readonly (string | undefined)[]): PlainManifest | undefined {
  const value = parsePlainObject(content);
  if (value === undefined || !isPlainlyNamed(value)) return undefined;
  const { mediaType } = value;
  if (mediaType !== undefined && typeof mediaType !== 'string') return undefined;
  const called = new Set([...types, mediaType].flatMap((type) => type?.split(';')[0]?.trim() ?? []));
  const [type = '', ...others] = called;
  const kind = kinds.get(type);
  if (kind === undefined || others.length > 0) return undefined;
  const subject = isGiven(value['subject']) ? readContent(value['subject'])?.digest : undefined;
  if (isGiven(value['subject']) && subject === undefined) return undefined;
  return read[kind](value, subject);
}

const read: Readonly<
  Record<PlainManifest['kind'], (value: JsonObject, subject: string | undefined) => PlainManifest | undefined>
> = {
  image(value, subject) {
    if (!hasOnly(value, ['config', 'layers']) || !Array.isArray(value['layers'])) return undefined;
    const found: readonly unknown[] = [value['config'], ...(value['layers'] as readonly unknown[])];
    const [config, ...layers] = found.map(readContent);
    if (config === undefined || !layers.every((layer) => layer !== undefined)) return undefined;
    return { kind: 'image', config, layers, subject, hasUrls: found.some(isElsewhere) };
  },
  index(value, subject) {
    const list: unknown = value['manifests'];
    if (!hasOnly(value, ['manifests']) || !Array.isArray(list)) return undefined;
    const entries = list.map(readEntry);
    return entries.every((entry) => entry !== undefined) ? { kind: 'index', entries, subject } : undefined;
  },
  artifact: (value, subject) => (hasOnly(value, ['blobs']) ? { kind: 'artifact', subject } : undefined),
};

const structure = ['config', 'layers', 'manifests', 'blobs', 'fsLayers', 'history', 'signatures'];

function hasOnly(value: JsonObject, names: readonly string[]): boolean {
  return structure.every((name) => names.includes(name) || !isGiven(value[name]));
}

function isGiven(value: unknown): boolean {
  return value !== undefined && value !== null;
}

function readContent(value: unknown): Content | undefined {
  if (!isJsonObject(value) || !isPlainlyNamed(value)) return undefined;
  const { digest, mediaType } = value;
  if (typeof digest !== 'string' || parseDigest(digest) === undefined) return undefined;
  if (mediaType !== undefined && typeof mediaType !== 'string') return undefined;
  return { digest, mediaType };
}

function isElsewhere(value: unknown): boolean {
  const urls = isJsonObject(value) ? value['urls'] : undefined;
  return isGiven(urls) && !(Array.isArray(urls) && urls.length === 0);
}

function readEntry(value: unknown): IndexEntry | undefined {
  const content = readContent(value);
  return content && { ...content, attests: attestedBy(value as JsonObject) };
}

/** BuildKit, "Image attestation storage". */
function attestedBy({ platform, annotations }: JsonObject): string | undefined {
  if (!isJsonObject(platform) || !isPlainlyNamed(platform) || !isJsonObject(annotations)) return undefined;
  const named = annotations['vnd.docker.reference.digest'];
  const isUnknown = platform['os'] === 'unknown' && platform['architecture'] === 'unknown';
  return isUnknown && typeof named === 'string' ? named : undefined;
}
