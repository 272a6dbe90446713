/** What a manifest leads to: OCI image-spec (index, manifest) and docker's manifest list and schema 2. */
import { parseJson } from './json.ts';

/** Of manifests that lead to no other manifest. */
const leafTypes: ReadonlySet<string> = new Set([
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.docker.distribution.manifest.v2+json',
  'application/vnd.docker.distribution.manifest.v1+json',
  'application/vnd.docker.distribution.manifest.v1+prettyjws',
  'application/vnd.oci.artifact.manifest.v1+json',
]);

/** Layers and configurations, which a cache of BuildKit names in an index; distribution 2.8 answers 500 to a look at one. */
const contentType =
  /^application\/vnd\.(?:oci\.image\.(?:layer|config)\.|docker\.(?:image\.rootfs|container\.image)\.|buildkit\.cacheconfig\.)/;

/**
 * Whether a manifest of this type may lead to others; so may one of which the type is not known. Only for what a registry
 * says of its own content: who writes an index writes any type into it.
 */
export function mayLeadOn(mediaType: string | undefined): boolean {
  const type = mediaType?.split(';')[0]?.trim().toLowerCase();
  return type === undefined || !(leafTypes.has(type) || contentType.test(type));
}

/** Whether an index calls this a layer or configuration. */
export function isCalledContent({ mediaType }: Descriptor): boolean {
  return contentType.test(mediaType?.toLowerCase() ?? '');
}

/** Whether content is a manifest or an index, by its type or by what it holds; a layer or configuration is neither. */
export function holdsManifest(mediaType: string | undefined, content: Buffer): boolean {
  return /manifest|image\.index/i.test(mediaType ?? '') || typeof parseObject(content)?.['schemaVersion'] === 'number';
}

export interface Descriptor {
  /** As written there: of any algorithm, and to be parsed before it goes anywhere. */
  readonly digest: string;
  readonly mediaType: string | undefined;
}

/** The manifests that an index names; none for a manifest of another kind. undefined for what cannot be read. */
export function manifestsIn(content: Buffer): readonly Descriptor[] | undefined {
  const manifest = parseObject(content);
  if (manifest === undefined) return undefined;
  // Go reads names without regard to case.
  const lists = Object.entries(manifest).flatMap(([key, list]) =>
    key.toLowerCase() === 'manifests' ? [list ?? []] : [],
  );
  if (!lists.every((list) => Array.isArray(list))) return undefined;
  const entries: readonly unknown[] = lists.flat();
  const descriptors = entries.map(readDescriptor).filter((descriptor) => descriptor !== undefined);
  return descriptors.length === entries.length ? descriptors : undefined;
}

function readDescriptor(value: unknown): Descriptor | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const { digest, mediaType } = value as { readonly digest?: unknown; readonly mediaType?: unknown };
  if (typeof digest !== 'string') return undefined;
  return { digest, mediaType: typeof mediaType === 'string' ? mediaType : undefined };
}

/** Whether content is a JSON object, as every manifest is. */
export function isObject(content: Buffer): boolean {
  return parseObject(content) !== undefined;
}

function parseObject(content: Buffer): Readonly<Record<string, unknown>> | undefined {
  const value = parseJson(content);
  return typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>) : undefined;
}
