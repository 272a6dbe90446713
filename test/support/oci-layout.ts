/** An OCI image layout on disk, as its reader sees it: every digest is checked. */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ImageConfig } from './dockerfile.ts';

export interface ReadImage {
  /** Of the manifest. */
  readonly digest: string;
  readonly architecture: string;
  readonly config: ImageConfig & { readonly Labels: Readonly<Record<string, string>> };
  /** Files with a gzipped archive each, lowest first. */
  readonly layers: readonly { readonly path: string; readonly size: number }[];
}

interface Descriptor {
  readonly digest: string;
  readonly size: number;
}

/** Its only image. Throws where content is not what its digest says. */
export async function readImage(dir: string): Promise<ReadImage> {
  const pathOf = ({ digest }: Descriptor): string => join(dir, 'blobs', digest.replace(':', '/'));
  const json = async <T>(descriptor: Descriptor): Promise<T> =>
    JSON.parse((await checked(pathOf(descriptor), descriptor)).toString()) as T;
  const index = JSON.parse(await readFile(join(dir, 'index.json'), 'utf8')) as { manifests: readonly Descriptor[] };
  const [found, ...more] = index.manifests;
  if (found === undefined || more.length > 0) throw new Error(`${dir} holds ${index.manifests.length} images`);
  const manifest = await json<{ config: Descriptor; layers: readonly Descriptor[] }>(found);
  for (const layer of manifest.layers) await checked(pathOf(layer), layer);
  const image = await json<Pick<ReadImage, 'architecture' | 'config'>>(manifest.config);
  const layers = manifest.layers.map((layer) => ({ path: pathOf(layer), size: layer.size }));
  return { digest: found.digest, architecture: image.architecture, config: image.config, layers };
}

async function checked(path: string, { digest, size }: Descriptor): Promise<Buffer> {
  const content = await readFile(path);
  const actual = `sha256:${createHash('sha256').update(content).digest('hex')}`;
  if (actual !== digest || content.length !== size) throw new Error(`${path} is ${actual}, ${content.length} bytes`);
  return content;
}
