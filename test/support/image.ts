import { createHash, randomBytes } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { arch } from 'node:os';
import { dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';

/** A one-layer image nobody else has, as the files of an OCI image layout (image-spec, image-layout.md). */
export interface ImageLayout {
  /** Of the manifest, as every client prints it after a push that changes nothing. */
  readonly digest: string;
  readonly layerDigest: string;
  readonly files: ReadonlyMap<string, Uint8Array>;
}

/** `tag` is what `oci:DIR:TAG` and containerd's import call the image. */
export function createImageLayout(tag: string, layerBytes = 512): ImageLayout {
  const blobs: Blob[] = [];
  const { manifest, layer } = addImage(blobs, ownArchitecture, layerBytes);
  return { digest: manifest.digest, layerDigest: layer.digest, files: layoutFiles(tag, manifest, blobs) };
}

/** The same for an image of several platforms, this machine's and another: the digest is that of the index. */
export function createIndexLayout(tag: string): Omit<ImageLayout, 'layerDigest'> {
  const blobs: Blob[] = [];
  const architectures = [ownArchitecture, ownArchitecture === 'amd64' ? 'arm64' : 'amd64'];
  const manifests = architectures.map((architecture) => ({
    ...addImage(blobs, architecture, 512).manifest,
    platform: { os: 'linux', architecture },
  }));
  const mediaType = 'application/vnd.oci.image.index.v1+json';
  const index = addBlob(blobs, mediaType, json({ schemaVersion: 2, mediaType, manifests }));
  return { digest: index.digest, files: layoutFiles(tag, index, blobs) };
}

/** A one-layer image nobody else has, as `docker load` takes it. */
export function createDockerArchive(name: string, layerBytes = 512): Buffer {
  const tar = createTar(new Map([['unique.txt', randomBytes(layerBytes)]]));
  const rootfs = { type: 'layers', diff_ids: [sha256(tar)] };
  return createTar(
    new Map([
      ['layer.tar', tar],
      ['config.json', json({ architecture: ownArchitecture, os: 'linux', config: {}, rootfs })],
      ['manifest.json', json([{ Config: 'config.json', RepoTags: [name], Layers: ['layer.tar'] }])],
    ]),
  );
}

const ownArchitecture = arch() === 'x64' ? 'amd64' : arch();

function addImage(
  blobs: Blob[],
  architecture: string,
  layerBytes: number,
): { readonly manifest: Descriptor; readonly layer: Descriptor } {
  const tar = createTar(new Map([['unique.txt', randomBytes(layerBytes)]]));
  const layer = addBlob(blobs, 'application/vnd.oci.image.layer.v1.tar+gzip', gzipSync(tar));
  const rootfs = { type: 'layers', diff_ids: [sha256(tar)] };
  const image = json({ architecture, os: 'linux', config: {}, rootfs });
  const config = addBlob(blobs, 'application/vnd.oci.image.config.v1+json', image);
  const mediaType = 'application/vnd.oci.image.manifest.v1+json';
  return { manifest: addBlob(blobs, mediaType, json({ schemaVersion: 2, mediaType, config, layers: [layer] })), layer };
}

function addBlob(blobs: Blob[], mediaType: string, content: Uint8Array): Descriptor {
  const descriptor = { mediaType, digest: sha256(content), size: content.length };
  blobs.push({ descriptor, content });
  return descriptor;
}

function layoutFiles(tag: string, root: Descriptor, blobs: readonly Blob[]): ReadonlyMap<string, Uint8Array> {
  const annotations = { 'org.opencontainers.image.ref.name': tag };
  return new Map([
    ['oci-layout', json({ imageLayoutVersion: '1.0.0' })],
    ['index.json', json({ schemaVersion: 2, manifests: [{ ...root, annotations }] })],
    ...blobs.map(
      ({ descriptor, content }) => [descriptor.digest.replace('sha256:', 'blobs/sha256/'), content] as const,
    ),
  ]);
}

/** Writes the layout for `oci:DIR:TAG`. */
export async function writeImageLayout(dir: string, layout: ImageLayout): Promise<void> {
  for (const [name, content] of layout.files) {
    await mkdir(dirname(join(dir, name)), { recursive: true });
    await writeFile(join(dir, name), content);
  }
}

/** Pushes the image straight to an open registry: content that was there before the gateway. */
export async function pushImage(registryUrl: string, repository: string, tag: string): Promise<ImageLayout> {
  const layout = createImageLayout(tag);
  const base = `${registryUrl}/v2/${repository}`;
  const manifest = layout.files.get(layout.digest.replace('sha256:', 'blobs/sha256/'));
  if (manifest === undefined) throw new Error('the layout has no manifest');
  for (const [name, content] of layout.files) {
    if (!name.startsWith('blobs/') || content === manifest) continue;
    const begun = await fetch(`${base}/blobs/uploads/`, { method: 'POST' });
    const location = new URL(begun.headers.get('location') ?? '', registryUrl);
    location.searchParams.set('digest', name.replace('blobs/sha256/', 'sha256:'));
    const type = { 'content-type': 'application/octet-stream' };
    await expectCreated(fetch(location, { method: 'PUT', headers: type, body: Buffer.from(content) }));
  }
  const type = { 'content-type': 'application/vnd.oci.image.manifest.v1+json' };
  await expectCreated(fetch(`${base}/manifests/${tag}`, { method: 'PUT', headers: type, body: Buffer.from(manifest) }));
  return layout;
}

/** A tar archive of regular files (POSIX ustar). Names may have 100 bytes. */
export function createTar(files: ReadonlyMap<string, Uint8Array>): Buffer {
  const blocks: Uint8Array[] = [];
  for (const [name, content] of files) {
    const header = Buffer.alloc(512);
    header.write(name, 0);
    header.write('0000644\0', 100);
    header.write('0000000\0', 108);
    header.write('0000000\0', 116);
    header.write(`${content.length.toString(8).padStart(11, '0')}\0`, 124);
    header.write('00000000000\0', 136);
    header.write('0', 156);
    header.write('ustar\x0000', 257);
    // The checksum is summed with spaces in its own place.
    header.fill(' ', 148, 156);
    const checksum = header.reduce((sum, byte) => sum + byte, 0);
    header.write(`${checksum.toString(8).padStart(6, '0')}\0 `, 148);
    blocks.push(header, content, Buffer.alloc((512 - (content.length % 512)) % 512));
  }
  return Buffer.concat([...blocks, Buffer.alloc(1024)]);
}

interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
}

interface Blob {
  readonly descriptor: Descriptor;
  readonly content: Uint8Array;
}

function json(value: object): Buffer {
  return Buffer.from(JSON.stringify(value));
}

function sha256(content: Uint8Array): string {
  return `sha256:${createHash('sha256').update(content).digest('hex')}`;
}

async function expectCreated(replying: Promise<Response>): Promise<void> {
  const reply = await replying;
  if (reply.status !== 201) throw new Error(`the registry answered ${reply.status}: ${await reply.text()}`);
}
