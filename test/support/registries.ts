/** Whole registries in memory, as handlers of a stand-in. */
import { createHash, randomBytes } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { type StandIn, startStandIn } from './stand-in.ts';

export interface StandInRegistry extends StandIn {
  /** Method, path and query of every request that is not `GET /v2/`, byte for byte. */
  readonly requests: readonly string[];
}

export interface ObedientOptions {
  readonly repositories?: readonly string[];
  /** A request, given as its line, is answered when this resolves. */
  readonly hold?: ((line: string) => Promise<void>) | undefined;
  /** What it has under a digest or tag, of any repository; anything else is a manifest of no interest. */
  readonly manifests?: ReadonlyMap<string, string> | undefined;
}

/** Lists its repositories page by page, has every manifest and blob, and takes everything. */
export async function startObedientRegistry({
  repositories = [],
  hold = () => Promise.resolve(),
  manifests = new Map(),
}: ObedientOptions): Promise<StandInRegistry> {
  const requests: string[] = [];
  const standIn = await startStandIn((request, response) => {
    const url = new URL(request.url ?? '', 'http://registry');
    request.resume();
    if (url.pathname === '/v2/') return void response.end('{}');
    const line = `${request.method ?? ''} ${request.url ?? ''}`;
    if (url.pathname === '/v2/_catalog') {
      const last = url.searchParams.get('last') ?? '';
      const rest = repositories.filter((name) => name > last);
      const page = rest.slice(0, Number(url.searchParams.get('n') ?? 100));
      const next = `/v2/_catalog?last=${page.at(-1) ?? ''}&n=${page.length}`;
      if (rest.length > page.length) response.setHeader('Link', `<${next}>; rel="next"`);
      const body = JSON.stringify({ repositories: page });
      return void hold(line).then(() => response.end(body));
    }
    requests.push(line);
    const manifest = request.method === 'GET' ? manifests.get(url.pathname.split('/').at(-1) ?? '') : undefined;
    if (manifest !== undefined) return void hold(line).then(() => response.end(manifest));
    void hold(line).then(() => answer(request, response, url.pathname));
  });
  return { ...standIn, requests };
}

function answer(request: IncomingMessage, response: ServerResponse, path: string): void {
  if (path.endsWith('/tags/list')) return void response.end('{"tags":["wip"]}');
  if (request.method === 'GET' || request.method === 'HEAD') {
    response.setHeader('Docker-Content-Digest', `sha256:${'0123456789abcdef'.repeat(4)}`);
    response.setHeader('Content-Type', 'application/vnd.oci.image.manifest.v1+json');
    return void response.end('{"manifest":true}');
  }
  response.writeHead(request.method === 'DELETE' ? 202 : 201, { Location: path });
  response.end();
}

export interface OpaqueRegistry extends StandInRegistry {
  /** Content of finished uploads. */
  readonly blobs: ReadonlyMap<string, string>;
}

/** Whether an upload's id is the last part of its path, or all there is stands in the query. */
export type UploadPlace = 'path' | 'query';

const pageSize = 2;

/**
 * Goes on only in words of its own, taken back once and byte for byte: lists by a `Link` (`last` and `n` mean nothing to it),
 * uploads by the parameters `state` and `session`, which differ after every step.
 */
export async function startOpaqueRegistry(names: readonly string[], place: UploadPlace): Promise<OpaqueRegistry> {
  const requests: string[] = [];
  const blobs = new Map<string, string>();
  const uploads = new Map<string, string>();
  const pages = new Map<string, number>();
  // Neither sorted nor in the form that a URL parser would write.
  const word = (): string => `z=%7E${randomBytes(6).toString('hex')}+%2f==&A=b%20`;

  const list = (path: string, query: string, response: ServerResponse): void => {
    const begin = pages.get(`${path}?${query}`) ?? 0;
    const shown = names.slice(begin, begin + pageSize);
    const next = `${path}?token=${word()}`;
    pages.set(next, begin + pageSize);
    if (begin + pageSize < names.length) response.setHeader('Link', `<${next}>; rel="next"`);
    const manifests = shown.map((artifactType) => ({ digest: digestOf(artifactType), size: 1, artifactType }));
    response.setHeader('Content-Type', path.includes('/referrers/') ? indexType : 'application/json');
    const index = { schemaVersion: 2, mediaType: indexType, manifests };
    response.end(JSON.stringify({ ...index, name: 'team/app', repositories: shown, tags: shown }));
  };
  const upload = async (method: string, path: string, query: string, request: IncomingMessage, to: ServerResponse) => {
    const root = path.slice(0, path.lastIndexOf('/') + 1);
    const asked = query.replace(/&digest=[^&]*$/, '');
    const sent = uploads.get(`${path}?${asked}`);
    const content = (sent ?? '') + Buffer.concat(await request.toArray()).toString();
    if (method !== 'POST' && sent === undefined) return void to.writeHead(400).end(invalid);
    uploads.delete(`${path}?${asked}`);
    if (method === 'DELETE') return void to.writeHead(204).end();
    if (method === 'PUT') {
      blobs.set(decodeURIComponent(query.slice(asked.length + '&digest='.length)), content);
      return void to.writeHead(201, { location: `/v2/team/app/blobs/${digestOf(content)}` }).end();
    }
    const path2 = method === 'POST' && place === 'path' ? `${root}Session.${randomBytes(4).toString('hex')}` : path;
    const location = `${path2}?state=${word()}&session=${randomBytes(4).toString('hex')}`;
    uploads.set(location, content);
    to.writeHead(method === 'GET' ? 204 : 202, { location, range: `0-${Math.max(content.length - 1, 0)}` }).end();
  };

  const standIn = await startStandIn((request, response) => {
    const { method = '', url = '' } = request;
    const [path = '', query = ''] = url.split('?');
    if (url === '/v2/') return void response.end('{}');
    requests.push(`${method} ${url}`);
    if (path.includes('/uploads/')) return void upload(method, path, query, request, response);
    return list(path, query, response);
  });
  return { ...standIn, requests, blobs };
}

export function digestOf(content: string): string {
  return `sha256:${createHash('sha256').update(content).digest('hex')}`;
}

const indexType = 'application/vnd.oci.image.index.v1+json';
const invalid = '{"errors":[{"code":"BLOB_UPLOAD_INVALID","message":"invalid state"}]}';
