/** A registry in this process that remembers what it has and can be told to change behind the gateway's back, to lie and to fail. */
import { createHash } from 'node:crypto';
import { type IncomingMessage, type Server, type ServerResponse, createServer } from 'node:http';
import { freePort } from './free-port.mjs';

export const imageType = 'application/vnd.oci.image.manifest.v1+json';
export const sha256 = (text: string | Buffer): string => `sha256:${createHash('sha256').update(text).digest('hex')}`;

/** A manifest unlike any other; `size`: of its text, at least. */
export const manifestOf = (name: string, size = 0): string =>
  JSON.stringify({ schemaVersion: 2, mediaType: imageType, annotations: { name, padding: 'x'.repeat(size) } });

interface Repository {
  readonly manifests: Map<string, string>;
  readonly tags: Map<string, string>;
  readonly blobs: Map<string, Buffer>;
}

/** One change of what a repository has. */
export interface Change {
  /** On the clock of `performance.now()`. */
  readonly at: number;
  /** `repository tag`, `repository digest`, `repository blob digest`. */
  readonly name: string;
  /** The digest that a tag names now, or of what is there; undefined: nothing. */
  readonly digest: string | undefined;
  /** The `User-Agent` of who asked for it; empty when it happened behind everybody's back. */
  readonly by: string;
}

/** What becomes of a request, given as its line: nothing, another status, no answer, or a connection that breaks. */
export type Trouble = (line: string) => number | 'hang' | 'break' | undefined;

export class HistoryRegistry {
  readonly repositories = new Map<string, Repository>();
  /** Lines of all requests but those for `/v2/`. */
  readonly requests: string[] = [];
  readonly changes: Change[] = [];
  trouble: Trouble = () => undefined;
  /** A request waits for this before anything is done. */
  before: (line: string) => Promise<void> = () => Promise.resolve();
  /** An answer is made up, and then waits for this. */
  hold: (line: string) => Promise<void> = () => Promise.resolve();
  /** Headers that every 200 has as well. */
  extra: Readonly<Record<string, string>> = {};
  /** What it calls a manifest; the truth by default. */
  name: (digest: string) => string = (digest) => digest;
  /** What it gives instead of a manifest, by `Accept`. */
  convert: (text: string, accept: string) => string = (text) => text;
  #server: Server | undefined;
  #port = 0;

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  of(name: string): Repository {
    const known = this.repositories.get(name) ?? { manifests: new Map(), tags: new Map(), blobs: new Map() };
    this.repositories.set(name, known);
    return known;
  }

  /** As a push would, but unseen; the digest. */
  put(name: string, tag: string, text: string, by = ''): string {
    const digest = sha256(text);
    const { manifests, tags } = this.of(name);
    manifests.set(digest, text);
    this.#changed(name, digest, digest, by);
    if (tag !== '') {
      tags.set(tag, digest);
      this.#changed(name, tag, digest, by);
    }
    return digest;
  }

  putBlob(name: string, blob: Buffer): string {
    const digest = sha256(blob);
    this.of(name).blobs.set(digest, blob);
    this.#changed(`${name} blob`, digest, digest, '');
    return digest;
  }

  /** Takes the tags with it that name a digest; false when there is no such manifest. */
  remove(name: string, reference: string, by = ''): boolean {
    const { manifests, tags } = this.of(name);
    const isThere = tags.has(reference) || manifests.has(reference);
    for (const [tag, digest] of tags) {
      if (tag !== reference && digest !== reference) continue;
      tags.delete(tag);
      this.#changed(name, tag, undefined, by);
    }
    if (manifests.delete(reference)) this.#changed(name, reference, undefined, by);
    return isThere;
  }

  removeBlob(name: string, digest: string, by = ''): boolean {
    const isThere = this.of(name).blobs.delete(digest);
    if (isThere) this.#changed(`${name} blob`, digest, undefined, by);
    return isThere;
  }

  #changed(repository: string, reference: string, digest: string | undefined, by: string): void {
    this.changes.push({ at: performance.now(), name: `${repository} ${reference}`, digest, by });
  }

  async start(): Promise<void> {
    const server = createServer((request, response) => void this.#handle(request, response));
    this.#port ||= await freePort();
    await new Promise<void>((resolve) => server.listen(this.#port, '127.0.0.1', resolve));
    this.#server = server;
  }

  /** From now on connections are refused. */
  async stop(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    server?.closeAllConnections();
    await new Promise<void>((resolve) => (server === undefined ? resolve() : server.close(() => resolve())));
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = '', url = '' } = request;
    const line = `${method} ${url}`;
    const chunks: Buffer[] = [];
    try {
      for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
    } catch {
      // Who asked is gone before all of it was here.
      return;
    }
    if (url === '/v2/') return void response.end('{}');
    this.requests.push(line);
    await this.before(line);
    const trouble = this.trouble(line);
    if (trouble === 'hang') return;
    if (trouble === 'break') return void request.socket.destroy();
    if (trouble !== undefined) return void response.writeHead(trouble).end();
    const send = this.#answer(request, Buffer.concat(chunks).toString());
    await this.hold(line);
    send(response);
  }

  /** Everything is decided now, whenever it is sent. */
  #answer({ method = '', url = '', headers }: IncomingMessage, body: string): (response: ServerResponse) => void {
    const [, name = '', kind = '', reference = ''] = /^\/v2\/(.+)\/(manifests|blobs|tags)\/([^?]+)/.exec(url) ?? [];
    const missing = (response: ServerResponse): void =>
      void response
        .writeHead(404, { 'Content-Type': 'application/json' })
        .end('{"errors":[{"code":"MANIFEST_UNKNOWN","message":"unknown"}]}');
    const { manifests, tags, blobs } = this.of(name);
    const by = headers['user-agent'] ?? '';
    if (kind === 'tags') return (response) => void response.end(JSON.stringify({ name, tags: [...tags.keys()] }));
    if (method === 'PUT') {
      const digest = this.put(name, reference.startsWith('sha256:') ? '' : reference, body, by);
      for (const tag of new URL(url, 'http://x').searchParams.getAll('tag')) this.put(name, tag, body, by);
      return (response) => void response.writeHead(201, { Location: url, 'Docker-Content-Digest': digest }).end();
    }
    if (kind === 'blobs') {
      const blob = blobs.get(reference);
      if (blob === undefined) return missing;
      if (method === 'DELETE') {
        this.removeBlob(name, reference, by);
        return (response) => void response.writeHead(202).end();
      }
      return this.#content(blob, reference, 'application/octet-stream', method, headers.range);
    }
    const digest = tags.get(reference) ?? reference;
    const text = manifests.get(digest);
    if (text === undefined) return missing;
    if (method === 'DELETE') {
      this.remove(name, reference, by);
      return (response) => void response.writeHead(202).end();
    }
    const given = this.convert(text, headers.accept ?? '');
    return this.#content(Buffer.from(given), this.name(given === text ? digest : sha256(given)), imageType, method);
  }

  #content(
    content: Buffer,
    digest: string,
    type: string,
    method: string,
    range?: string,
  ): (response: ServerResponse) => void {
    const extra = this.extra;
    return (response) => {
      const [, first, last] = /^bytes=(\d+)-(\d+)$/.exec(range ?? '') ?? [];
      const part = first === undefined ? content : content.subarray(Number(first), Number(last) + 1);
      const where = first === undefined ? {} : { 'Content-Range': `bytes ${first}-${last}/${content.length}` };
      const described = { 'Content-Type': type, 'Content-Length': part.length, ...where };
      const named = { 'Docker-Content-Digest': digest, ETag: `"${digest}"` };
      response.writeHead(first === undefined ? 200 : 206, { ...described, ...named, ...extra });
      response.end(method === 'HEAD' ? undefined : part);
    };
  }
}
