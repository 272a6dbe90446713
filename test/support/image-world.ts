/**
 * Registries as a model: what each repository holds, made of images of all kinds, and a handler that answers from it. Blobs
 * are found in every repository that is asked, as a registry answers that keeps content of all of them once.
 */
import { createHash } from 'node:crypto';
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { gzipSync } from 'node:zlib';
import { createTar } from './image.ts';

export const types = {
  image: 'application/vnd.oci.image.manifest.v1+json',
  index: 'application/vnd.oci.image.index.v1+json',
  dockerImage: 'application/vnd.docker.distribution.manifest.v2+json',
  dockerList: 'application/vnd.docker.distribution.manifest.list.v2+json',
  config: 'application/vnd.oci.image.config.v1+json',
  dockerConfig: 'application/vnd.docker.container.image.v1+json',
  layer: 'application/vnd.oci.image.layer.v1.tar+gzip',
  dockerLayer: 'application/vnd.docker.image.rootfs.diff.tar.gzip',
  plainLayer: 'application/vnd.oci.image.layer.v1.tar',
  empty: 'application/vnd.oci.empty.v1+json',
} as const;

export const digestOf = (content: string | Uint8Array): string =>
  `sha256:${createHash('sha256').update(content).digest('hex')}`;

export interface Stored {
  readonly content: Buffer;
  readonly mediaType: string;
}

export interface WorldRepository {
  readonly manifests: Map<string, Stored>;
  /** Tag -> digest. */
  readonly tags: Map<string, string>;
  readonly blobs: Map<string, Buffer>;
}

export interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
}

/** An image before it is anywhere: its manifest, and the blobs that it names. */
export interface Made extends Stored {
  readonly digest: string;
  readonly blobs: readonly Buffer[];
}

/** A manifest of these fields, its type in it. */
export function made(mediaType: string, fields: object, blobs: readonly Buffer[] = []): Made {
  const content = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType, ...fields }));
  return { content, mediaType, digest: digestOf(content), blobs };
}

export function describe(content: Uint8Array, mediaType: string): Descriptor {
  return { mediaType, digest: digestOf(content), size: content.length };
}

/** A layer with one file, packed: the archive and what it is stored as. */
export interface Layer {
  readonly tar: Buffer;
  readonly stored: Buffer;
}

export function layerOf(text: string, pack: (tar: Buffer) => Buffer = (tar) => gzipSync(tar)): Layer {
  const tar = createTar(new Map([['file.txt', Buffer.from(text)]]));
  return { tar, stored: pack(tar) };
}

export interface ImageOptions {
  readonly isDocker?: boolean;
  /** Further fields of the manifest. */
  readonly fields?: object;
  /** Further fields of the configuration, which make it another one. */
  readonly config?: object;
  readonly configType?: string;
  readonly layerType?: string;
}

/** An image of these layers. */
export function imageOf(layers: readonly Layer[], options: ImageOptions = {}): Made {
  const { isDocker = false, fields = {}, config: more = {} } = options;
  const rootfs = { type: 'layers', diff_ids: layers.map(({ tar }) => digestOf(tar)) };
  const config = Buffer.from(JSON.stringify({ architecture: 'amd64', os: 'linux', config: {}, rootfs, ...more }));
  const { configType = isDocker ? types.dockerConfig : types.config } = options;
  const { layerType = isDocker ? types.dockerLayer : types.layer } = options;
  const body = {
    config: describe(config, configType),
    layers: layers.map(({ stored }) => describe(stored, layerType)),
    ...fields,
  };
  return made(isDocker ? types.dockerImage : types.image, body, [config, ...layers.map(({ stored }) => stored)]);
}

/** An index of these, in the order given; `entry`: more about one of them. */
export function indexOf(
  parts: readonly (Stored | readonly [part: Stored, entry: object])[],
  { isDocker = false, fields = {} }: { readonly isDocker?: boolean; readonly fields?: object } = {},
): Made {
  const manifests = parts.map((each) => {
    const [part, entry] = 'content' in each ? [each, {}] : each;
    return { ...describe(part.content, part.mediaType), ...entry };
  });
  return made(isDocker ? types.dockerList : types.index, { manifests, ...fields });
}

/** What BuildKit writes beside an image: a manifest in the form of one, and its entry in the index. */
export function attestationOf(of: { readonly digest: string }, text = 'provenance'): readonly [Made, object] {
  const statement = Buffer.from(JSON.stringify({ _type: 'https://in-toto.io/Statement/v0.1', text, of: of.digest }));
  const rootfs = { type: 'layers', diff_ids: [digestOf(statement)] };
  const config = Buffer.from(JSON.stringify({ architecture: 'unknown', os: 'unknown', config: {}, rootfs }));
  const manifest = made(
    types.image,
    { config: describe(config, types.config), layers: [describe(statement, 'application/vnd.in-toto+json')] },
    [config, statement],
  );
  return [manifest, attestationEntry(of.digest)];
}

export function attestationEntry(digest: string): object {
  return {
    platform: { os: 'unknown', architecture: 'unknown' },
    annotations: { 'vnd.docker.reference.type': 'attestation-manifest', 'vnd.docker.reference.digest': digest },
  };
}

/** An artifact about something, as oras and notation write it. */
export function artifactOf(of: Stored, text = 'sbom', fields: object = {}): Made {
  const sbom = Buffer.from(JSON.stringify({ text }));
  const body = {
    artifactType: 'application/spdx+json',
    config: describe(Buffer.from('{}'), types.empty),
    layers: [describe(sbom, 'application/spdx+json')],
    subject: describe(of.content, of.mediaType),
    ...fields,
  };
  return made(types.image, body, [Buffer.from('{}'), sbom]);
}

/** A signature as cosign writes it, for the tag `sha256-….sig`. */
export function cosignOf(of: { readonly digest: string }): Made {
  const payload = Buffer.from(JSON.stringify({ critical: { image: { 'docker-manifest-digest': of.digest } } }));
  const rootfs = { type: 'layers', diff_ids: [digestOf(payload)] };
  const config = Buffer.from(JSON.stringify({ architecture: '', os: '', config: {}, rootfs }));
  const layer = describe(payload, 'application/vnd.dev.cosign.simplesigning.v1+json');
  return made(types.image, { config: describe(config, types.config), layers: [layer] }, [config, payload]);
}

export const referrersTag = (of: { readonly digest: string }, suffix = ''): string =>
  `${of.digest.replace(':', '-')}${suffix}`;

export class World {
  readonly repositories = new Map<string, WorldRepository>();
  /** Lines of all requests but `GET /v2/`. */
  readonly requests: string[] = [];
  /** What becomes of a request, given as its line: its answer, another status, or none for ever. */
  trouble: (line: string) => number | 'hang' | 'break' | undefined = () => undefined;
  /** A request waits for this before it is looked at. */
  before: (line: string) => Promise<void> = () => Promise.resolve();
  /** What is given instead of content. */
  lie: (content: Buffer, line: string) => Buffer = (content) => content;

  of(name: string): WorldRepository {
    const known = this.repositories.get(name) ?? { manifests: new Map(), tags: new Map(), blobs: new Map() };
    this.repositories.set(name, known);
    return known;
  }

  /** As clients push: everything that it is made of is there first. */
  put(name: string, image: Made, ...tags: readonly string[]): string {
    const repository = this.of(name);
    for (const blob of image.blobs) repository.blobs.set(digestOf(blob), blob);
    repository.manifests.set(image.digest, image);
    for (const tag of tags) repository.tags.set(tag, image.digest);
    return image.digest;
  }

  /** Only what a manifest names. */
  putBlobs(name: string, image: Made): void {
    for (const blob of image.blobs) this.of(name).blobs.set(digestOf(blob), blob);
  }

  readonly answer: RequestListener = (request, response) => void this.#answer(request, response);

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = '', url = '' } = request;
    const chunks: Buffer[] = [];
    for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
    if (url === '/v2/') return void response.end('{}');
    const line = `${method} ${url}`;
    this.requests.push(line);
    await this.before(line);
    const trouble = this.trouble(line);
    if (trouble === 'hang') return;
    if (trouble === 'break') return void request.socket.destroy();
    if (trouble !== undefined) return void response.writeHead(trouble).end();
    const path = new URL(url, 'http://registry');
    const [, name = '', kind = '', reference = ''] =
      /^\/v2\/(.+)\/(manifests|blobs|tags)\/([^?]+)/.exec(path.pathname) ?? [];
    if (kind === 'tags') return this.#tags(name, path, response);
    if (kind === 'manifests' && method === 'PUT') {
      const content = Buffer.concat(chunks);
      const mediaType = request.headers['content-type'] ?? '';
      const tags = reference.includes(':') ? path.searchParams.getAll('tag') : [reference];
      this.put(name, { content, mediaType, digest: digestOf(content), blobs: [] }, ...tags);
      const named = { 'Docker-Content-Digest': digestOf(content), Location: url };
      return void response.writeHead(201, named).end();
    }
    const found = kind === 'manifests' ? this.#manifest(name, reference) : this.#blob(reference);
    if (found === undefined) {
      return void response.writeHead(404).end('{"errors":[{"code":"MANIFEST_UNKNOWN","message":"unknown"}]}');
    }
    const content = this.lie(found.content, line);
    response.writeHead(200, {
      'Content-Type': found.mediaType,
      'Content-Length': content.length,
      'Docker-Content-Digest': kind === 'manifests' ? digestOf(found.content) : reference,
    });
    response.end(method === 'HEAD' ? undefined : content);
  }

  #manifest(name: string, reference: string): Stored | undefined {
    const { manifests, tags } = this.of(name);
    return manifests.get(tags.get(reference) ?? reference);
  }

  #blob(digest: string): Stored | undefined {
    for (const { blobs } of this.repositories.values()) {
      const content = blobs.get(digest);
      if (content !== undefined) return { content, mediaType: 'application/octet-stream' };
    }
    return undefined;
  }

  #tags(name: string, path: URL, response: ServerResponse): void {
    const { tags } = this.of(name);
    const last = path.searchParams.get('last') ?? '';
    const rest = [...tags.keys()].filter((tag) => tag > last).sort();
    const page = rest.slice(0, Number(path.searchParams.get('n') ?? 1000));
    const next = `/v2/${name}/tags/list?n=${page.length}&last=${page.at(-1) ?? ''}`;
    if (rest.length > page.length) response.setHeader('Link', `<${next}>; rel="next"`);
    response.setHeader('Content-Type', 'application/json');
    response.end(JSON.stringify({ name, tags: page }));
  }
}
