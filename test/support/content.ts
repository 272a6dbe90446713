/** Images of every kind, put straight into an open registry: what was there before the gateway. */
import { createHash, randomBytes } from 'node:crypto';

export const types = {
  index: 'application/vnd.oci.image.index.v1+json',
  manifest: 'application/vnd.oci.image.manifest.v1+json',
  config: 'application/vnd.oci.image.config.v1+json',
  layer: 'application/vnd.oci.image.layer.v1.tar+gzip',
  empty: 'application/vnd.oci.empty.v1+json',
} as const;

export interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
  readonly [more: string]: unknown;
}

export interface Stored extends Descriptor {
  readonly content: Buffer;
}

export function digestOf(content: Buffer): string {
  return `sha256:${createHash('sha256').update(content).digest('hex')}`;
}

/** As an index or manifest names it. */
export function named({ mediaType, digest, size }: Descriptor): Descriptor {
  return { mediaType, digest, size };
}

export interface ContentWriter {
  readonly blob: (repository: string, content: Buffer, mediaType?: string) => Promise<Stored>;
  /** Under its digest, and under a tag when one is given. */
  readonly manifest: (repository: string, value: object, tag?: string) => Promise<Stored>;
  /** One platform: a configuration and `layers` layers of so many bytes, unlike every other. */
  readonly image: (repository: string, tag?: string, options?: ImageOptions) => Promise<Stored>;
  /** Two platforms. */
  readonly index: (repository: string, tag?: string, options?: ImageOptions) => Promise<Stored>;
  /** Something attached to a manifest, in the list of the referrers tag as well. */
  readonly attach: (repository: string, subject: Descriptor, kind?: string) => Promise<Stored>;
  /** A signature as cosign keeps it. */
  readonly sign: (repository: string, subject: Descriptor) => Promise<Stored>;
  readonly read: (repository: string, reference: string) => Promise<Stored | undefined>;
  readonly tags: (repository: string) => Promise<readonly string[]>;
}

export interface ImageOptions {
  readonly layers?: number;
  readonly layerBytes?: number;
}

/** Throws for whatever the registry does not take. */
export function contentWriter(url: string): ContentWriter {
  const sent = async (path: string, init: RequestInit): Promise<Response> => {
    const reply = await fetch(new URL(path, url), init);
    if (reply.status >= 300) throw new Error(`${init.method} ${path}: ${reply.status} ${await reply.text()}`);
    return reply;
  };
  const writer: ContentWriter = {
    async blob(repository, content, mediaType = types.layer) {
      const digest = digestOf(content);
      const begun = await sent(`/v2/${repository}/blobs/uploads/`, { method: 'POST' });
      const location = new URL(begun.headers.get('location') ?? '', url);
      location.searchParams.set('digest', digest);
      const headers = { 'content-type': 'application/octet-stream' };
      await sent(location.href, { method: 'PUT', headers, body: new Uint8Array(content) });
      return { mediaType, digest, size: content.length, content };
    },
    async manifest(repository, value, tag) {
      const content = Buffer.from(JSON.stringify(value, undefined, 2));
      const mediaType = 'mediaType' in value ? String(value.mediaType) : types.manifest;
      const digest = digestOf(content);
      const put = { method: 'PUT', headers: { 'content-type': mediaType }, body: new Uint8Array(content) };
      await sent(`/v2/${repository}/manifests/${tag ?? digest}`, put);
      return { mediaType, digest, size: content.length, content };
    },
    async image(repository, tag, { layers = 2, layerBytes = 300 } = {}) {
      const config = await writer.blob(
        repository,
        Buffer.from(JSON.stringify({ architecture: 'amd64', os: 'linux', x: randomBytes(8).toString('hex') })),
        types.config,
      );
      const made = await Promise.all(
        Array.from({ length: layers }, () => writer.blob(repository, randomBytes(layerBytes))),
      );
      const value = { schemaVersion: 2, mediaType: types.manifest, config: named(config), layers: made.map(named) };
      return writer.manifest(repository, value, tag);
    },
    async index(repository, tag, options) {
      const images = [
        await writer.image(repository, undefined, options),
        await writer.image(repository, undefined, options),
      ];
      const manifests = images.map((image, at) => ({
        ...named(image),
        platform: { os: 'linux', architecture: at === 0 ? 'amd64' : 'arm64' },
      }));
      return writer.manifest(repository, { schemaVersion: 2, mediaType: types.index, manifests }, tag);
    },
    async attach(repository, subject, kind = 'application/spdx+json') {
      const config = await writer.blob(repository, Buffer.from('{}'), types.empty);
      const layer = await writer.blob(repository, randomBytes(200), kind);
      const value = {
        ...{ schemaVersion: 2, mediaType: types.manifest, artifactType: kind },
        ...{ config: named(config), layers: [named(layer)], subject: named(subject) },
      };
      const attached = await writer.manifest(repository, value);
      const tag = subject.digest.replace(':', '-');
      const list = await writer.read(repository, tag);
      const before =
        list === undefined ? [] : (JSON.parse(list.content.toString()) as { manifests: object[] }).manifests;
      const manifests = [...before, { ...named(attached), artifactType: kind }];
      await writer.manifest(repository, { schemaVersion: 2, mediaType: types.index, manifests }, tag);
      return attached;
    },
    async sign(repository, subject) {
      const config = await writer.blob(repository, Buffer.from('{"rootfs":{}}'), types.config);
      const layer = await writer.blob(repository, randomBytes(200), 'application/vnd.dev.cosign.simplesigning.v1+json');
      const value = { schemaVersion: 2, mediaType: types.manifest, config: named(config), layers: [named(layer)] };
      return writer.manifest(repository, value, `${subject.digest.replace(':', '-')}.sig`);
    },
    async read(repository, reference) {
      const accept = `${types.index}, ${types.manifest}, */*;q=0.1`;
      const reply = await fetch(new URL(`/v2/${repository}/manifests/${reference}`, url), { headers: { accept } });
      const content = Buffer.from(await reply.arrayBuffer());
      if (reply.status === 404) return undefined;
      if (reply.status !== 200) throw new Error(`${repository} ${reference}: ${reply.status}`);
      const mediaType = reply.headers.get('content-type') ?? '';
      return { mediaType, digest: digestOf(content), size: content.length, content };
    },
    async tags(repository) {
      const reply = await fetch(new URL(`/v2/${repository}/tags/list`, url));
      if (reply.status === 404) return [];
      return ((await reply.json()) as { readonly tags: readonly string[] | null }).tags ?? [];
    },
  };
  return writer;
}
