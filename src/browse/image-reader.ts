/** What an image is, read from the registry once: its manifest, those of an index's images, and their configs. */
import type { ConfigFacts, ImageFacts, PlatformFacts, Registry, RegistryFailure } from '../ports.ts';
import { isFailure } from './questions.ts';
import { readConfig } from './read-config.ts';
import {
  type Descriptor,
  type ReadManifest,
  hasImageConfig,
  layersOf,
  readManifest,
  sizeOfImage,
  sum,
} from './read-manifest.ts';

export type Asked = Pick<Registry, 'manifest' | 'openBlob'>;
export type ImageReading = ImageFacts | 'none' | RegistryFailure;

/** A larger config is not read. */
const maxConfigBytes = 262_144;
/** Images of an index that are looked at. */
const maxImages = 100;

/** `none`: the repository has no such manifest. Never rejects. `isWhole`: with the configs of an index's images. */
export async function readImage(
  registry: Asked,
  repository: string,
  digest: string,
  isWhole: boolean,
): Promise<ImageReading> {
  const reading = await registry.manifest(repository, digest);
  if (!reading.ok) return reading;
  if (reading.manifest === undefined) return 'none';
  const manifest = readManifest(reading.manifest);
  if (!manifest.isIndex) {
    const platform = await readPlatform(registry, repository, manifest, undefined, true);
    return isFailure(platform) ? platform : factsOf(manifest, [platform], platform.size, true);
  }
  const images = manifest.images.slice(0, maxImages);
  const read = await Promise.all(images.map((image) => readImageOf(registry, repository, image, isWhole)));
  const failed = read.find(isFailure);
  if (failed !== undefined) return failed;
  const platforms = read.flatMap((each) => (isFailure(each) ? [] : [each]));
  const own = manifest.layers.map(({ size }) => size);
  const isCut = images.length < manifest.images.length;
  const size = isCut ? undefined : sum([manifest.ownSize, ...own, ...platforms.map(({ size }) => size)]);
  return factsOf(manifest, platforms, size, isWhole);
}

/** One image of an index, which need not be there. */
async function readImageOf(
  registry: Asked,
  repository: string,
  entry: Descriptor,
  isWhole: boolean,
): Promise<PlatformFacts | RegistryFailure> {
  const unread = { digest: entry.digest, name: entry.platform, size: undefined, layers: [] };
  const reading = await registry.manifest(repository, entry.digest);
  if (!reading.ok) return reading;
  if (reading.manifest === undefined) return unread;
  const manifest = readManifest(reading.manifest);
  if (manifest.isIndex) return unread;
  return readPlatform(registry, repository, manifest, entry.platform, isWhole || entry.platform === undefined);
}

async function readPlatform(
  registry: Asked,
  repository: string,
  manifest: ReadManifest,
  name: string | undefined,
  withConfig: boolean,
): Promise<PlatformFacts | RegistryFailure> {
  const facts = { digest: manifest.digest, name, size: sizeOfImage(manifest), layers: layersOf(manifest) };
  const { config } = manifest;
  if (!withConfig || config === undefined || !hasImageConfig(manifest)) return facts;
  const content = await readSmall(registry, repository, config.digest);
  if (content === undefined) return facts;
  if (isFailure(content)) return content;
  const read = readConfig(content);
  const known: { readonly config?: ConfigFacts } = read === undefined ? {} : { config: read.facts };
  return { ...facts, name: name ?? read?.platform, ...known };
}

function factsOf(
  manifest: ReadManifest,
  platforms: readonly PlatformFacts[],
  size: number | undefined,
  isWhole: boolean,
): ImageFacts {
  const { digest, mediaType, artifactType, annotations, subject, attestations } = manifest;
  return { digest, mediaType, size, artifactType, platforms, attestations, annotations, subject, isWhole };
}

/** undefined for one that is not there, or larger. */
async function readSmall(
  registry: Asked,
  repository: string,
  digest: string,
): Promise<Buffer | undefined | RegistryFailure> {
  const reading = await registry.openBlob(repository, digest);
  if (!reading.ok) return reading;
  if (reading.blob === undefined) return undefined;
  const { content, size } = reading.blob;
  // Leaving it destroys it; whatever error comes of that has been seen.
  content.on('error', () => {});
  if (size !== undefined && size > maxConfigBytes) return void content.destroy();
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const chunk of content) {
      const part = chunk as Buffer;
      bytes += part.length;
      if (bytes > maxConfigBytes) return undefined;
      chunks.push(part);
    }
  } catch {
    return { ok: false, reason: 'broken' };
  }
  return Buffer.concat(chunks);
}
