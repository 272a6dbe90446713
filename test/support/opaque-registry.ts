import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { type IncomingMessage, type ServerResponse, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface OpaqueRegistry {
  readonly url: string;
  /** Every request: method, path and query, byte for byte. */
  readonly requests: readonly string[];
  /** Content of finished uploads. */
  readonly blobs: ReadonlyMap<string, string>;
  readonly close: () => Promise<void>;
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

  const server = createServer((request, response) => {
    const { method = '', url = '' } = request;
    const [path = '', query = ''] = url.split('?');
    requests.push(`${method} ${url}`);
    if (path.includes('/uploads/')) return void upload(method, path, query, request, response);
    if (path !== '/v2/') return list(path, query, response);
    response.end('{}');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    blobs,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

export function digestOf(content: string): string {
  return `sha256:${createHash('sha256').update(content).digest('hex')}`;
}

const indexType = 'application/vnd.oci.image.index.v1+json';
const invalid = '{"errors":[{"code":"BLOB_UPLOAD_INVALID","message":"invalid state"}]}';
