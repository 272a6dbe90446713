/** What a manifest is made of: OCI image-spec (manifest, index, the former artifact manifest) and docker's schema 2. */
import { parseJson } from './json.ts';
import { type Descriptor, isCalledContent, manifestsIn } from './manifest.ts';

export interface NamedBlob {
  /** As written there: to be parsed before it goes anywhere. */
  readonly digest: string;
  /** Bytes. */
  readonly size: number;
  /** The manifest says where else it can be had, and a registry need not have it (Windows base layers). */
  readonly isElsewhere: boolean;
}

export interface ManifestContents {
  readonly manifests: readonly Descriptor[];
  readonly blobs: readonly NamedBlob[];
}

/** undefined for what cannot be read, and for kinds of which nobody knows what they lead to (docker's schema 1). */
export function contentsOf(content: Buffer): ManifestContents | undefined {
  const value = parseJson(content);
  const manifests = manifestsIn(content);
  if (!isObject(value) || manifests === undefined) return undefined;
  const { config } = value;
  const [layers, blobs, entries] = [listIn(value, 'layers'), listIn(value, 'blobs'), listIn(value, 'manifests')];
  if (layers === undefined || blobs === undefined || entries === undefined) return undefined;
  const isKnown = ['config', 'blobs', 'manifests'].some((key) => value[key] !== undefined);
  if (!isKnown) return undefined;
  // A cache of BuildKit is an index of layers.
  const called = entries.filter(isContentEntry);
  const named = [...(config === undefined ? [] : [config]), ...layers, ...blobs, ...called].map(readBlob);
  const read = named.filter((blob) => blob !== undefined);
  if (read.length !== named.length) return undefined;
  return { manifests: manifests.filter((each) => !isCalledContent(each)), blobs: read };
}

/** Empty where there is none; undefined for what is no list. */
function listIn(value: Readonly<Record<string, unknown>>, key: string): readonly unknown[] | undefined {
  const list = value[key] ?? [];
  return Array.isArray(list) ? (list as readonly unknown[]) : undefined;
}

function isContentEntry(entry: unknown): boolean {
  if (!isObject(entry)) return false;
  const { digest, mediaType } = entry;
  return isCalledContent({ digest: String(digest), mediaType: typeof mediaType === 'string' ? mediaType : undefined });
}

function readBlob(value: unknown): NamedBlob | undefined {
  if (!isObject(value)) return undefined;
  const { digest, size, urls } = value;
  if (typeof digest !== 'string' || !Number.isSafeInteger(size) || Number(size) < 0) return undefined;
  return { digest, size: Number(size), isElsewhere: Array.isArray(urls) && urls.length > 0 };
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
