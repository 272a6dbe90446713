/**
 * What a manifest says of itself: docker's schema 2, OCI image and index, artifacts. Of any content; what two readers could
 * take differently is no matter here, since nothing is decided by it.
 */
import { field, parseJson } from '../distribution/json.ts';
import { isCalledContent } from '../distribution/manifest.ts';
import { parseDigest } from '../distribution/reference.ts';
import type { PlatformFacts, StoredManifest } from '../ports.ts';
import { boundedText, listOf, sizeOf, textOf, textsOf } from './bounded.ts';
import { platformOf } from './read-config.ts';

export interface Descriptor {
  readonly digest: string;
  readonly mediaType: string;
  readonly size: number | undefined;
  /** `linux/amd64`; of an index only. */
  readonly platform: string | undefined;
  readonly annotations: Readonly<Record<string, string>>;
}

export interface ReadManifest {
  readonly digest: string;
  readonly mediaType: string;
  readonly artifactType: string | undefined;
  readonly annotations: Readonly<Record<string, string>>;
  readonly subject: string | undefined;
  /** Bytes of the manifest itself. */
  readonly ownSize: number;
  readonly config: Descriptor | undefined;
  readonly layers: readonly Descriptor[];
  /** The images of an index. */
  readonly images: readonly Descriptor[];
  /** What is attached to images of an index (BuildKit). */
  readonly attestations: readonly { readonly digest: string; readonly of: string }[];
  readonly isIndex: boolean;
}

/** Layers, and images of an index: beyond any that somebody built on purpose. */
const maxEntries = 500;
/** A larger one is not parsed: it would hold up everything else for as long. */
const maxParsedBytes = 1_048_576;

const imageConfig = /^application\/vnd\.(?:oci\.image\.config\.|docker\.container\.image\.)/;

/** Of one that is no JSON, or no object, only that it is there. */
export function readManifest({ digest, mediaType, content }: StoredManifest): ReadManifest {
  const value = content.length > maxParsedBytes ? undefined : parseJson(content);
  const entries = descriptorsIn(value, 'manifests');
  const named = textOf(field(value, 'mediaType')) ?? boundedText(mediaType?.split(';')[0]?.trim() ?? '');
  const attested = entries.filter(({ annotations }) => annotations[referenceType] !== undefined);
  return {
    digest,
    mediaType: named,
    artifactType: textOf(field(value, 'artifactType')) ?? artifactIn(readDescriptor(field(value, 'config'))),
    annotations: textsOf(field(value, 'annotations')),
    subject: parseDigest(textOf(field(value, 'subject', 'digest')) ?? ''),
    ownSize: content.length,
    config: readDescriptor(field(value, 'config')),
    // Of a cache of BuildKit, an index names layers.
    layers: [...descriptorsIn(value, 'layers'), ...descriptorsIn(value, 'blobs'), ...entries.filter(isCalledContent)],
    images: entries.filter((entry) => !attested.includes(entry) && !isCalledContent(entry)),
    attestations: attested.map(({ digest, annotations }) => ({ digest, of: annotations[referenceDigest] ?? '' })),
    isIndex: Array.isArray(field(value, 'manifests')),
  };
}

/** Image-spec, "Guidelines for Artifact Usage": without a type of its own it is what its config is called. */
function artifactIn(config: Descriptor | undefined): string | undefined {
  return config === undefined || config.mediaType === '' || imageConfig.test(config.mediaType)
    ? undefined
    : config.mediaType;
}

const referenceType = 'vnd.docker.reference.type';
const referenceDigest = 'vnd.docker.reference.digest';

/** Whether the config is that of an image, and not of a chart or something else that is kept like one. */
export function hasImageConfig({ config }: ReadManifest): boolean {
  return config !== undefined && imageConfig.test(config.mediaType);
}

/** Bytes of a manifest, its config and its layers; undefined where one of them says nothing. */
export function sizeOfImage({ ownSize, config, layers }: ReadManifest): number | undefined {
  return sum([ownSize, ...(config === undefined ? [] : [config.size]), ...layers.map(({ size }) => size)]);
}

/** undefined where one of them is. */
export function sum(sizes: readonly (number | undefined)[]): number | undefined {
  return sizes.reduce((all, size) => (all === undefined || size === undefined ? undefined : all + size), 0);
}

/** As a page shows them. */
export function layersOf({ layers }: ReadManifest): PlatformFacts['layers'] {
  return layers.map(({ digest, size, mediaType }) => ({ digest, size: size ?? 0, mediaType }));
}

function descriptorsIn(value: unknown, name: string): readonly Descriptor[] {
  return listOf(field(value, name), maxEntries).flatMap((entry) => readDescriptor(entry) ?? []);
}

function readDescriptor(value: unknown): Descriptor | undefined {
  const digest = parseDigest(textOf(field(value, 'digest')) ?? '');
  if (digest === undefined) return undefined;
  return {
    digest,
    mediaType: textOf(field(value, 'mediaType')) ?? '',
    size: sizeOf(field(value, 'size')),
    platform: platformOf(field(value, 'platform')),
    annotations: textsOf(field(value, 'annotations')),
  };
}
