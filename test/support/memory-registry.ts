/** A whole registry in memory, as strict as distribution about what a manifest names, that does what a test says. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { randomUUID } from 'node:crypto';
import { digestOf } from './content.ts';
import { type StandIn, startStandIn } from './stand-in.ts';

export interface MemoryRegistry extends StandIn {
  /** Method and target of every request that is not `GET /v2/`, in the order of their coming. */
  readonly requests: readonly string[];
  /** Uploads that are neither finished nor cancelled. */
  readonly openUploads: () => number;
  /** Forgets a blob that manifests name. */
  readonly lose: (repository: string, digest: string) => void;
  /** Sees each request first; true: it has answered, or will not. */
  intercept: (line: string, request: IncomingMessage, response: ServerResponse) => boolean | Promise<boolean>;
  /** Whether it has the API for what is attached. */
  hasReferrers: boolean;
  /** Whether it links blobs of other repositories; otherwise it wants them sent. */
  mounts: boolean;
  /** Whether it looks at what is sent to it. */
  verifies: boolean;
}

interface Kept {
  readonly content: Buffer;
  readonly type: string;
}

/** Nothing is there at first, and everything may be written. */
export async function startMemoryRegistry(): Promise<MemoryRegistry> {
  const blobs = new Map<string, Buffer>();
  const manifests = new Map<string, Kept>();
  const uploads = new Set<string>();
  const requests: string[] = [];

  const serve = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const { method = '', url = '' } = request;
    const { pathname, searchParams } = new URL(url, 'http://registry');
    const end = (status: number, headers: Record<string, string> = {}, content: Buffer | string = ''): void => {
      response.writeHead(status, { 'content-length': String(Buffer.byteLength(content)), ...headers });
      response.end(method === 'HEAD' ? undefined : content);
    };
    if (pathname === '/v2/') return end(200, {}, '{}');
    const line = `${method} ${url}`;
    requests.push(line);
    if (await registry.intercept(line, request, response)) return;
    const body = Buffer.concat(await request.toArray().catch(() => []));
    const [, repository = '', kind = '', name = ''] =
      /^\/v2\/(.+?)\/(blobs\/uploads|blobs|manifests|referrers|tags)\/(.*)$/.exec(pathname) ?? [];
    const place = `${repository} ${name}`;
    if (kind === 'blobs/uploads') {
      if (method === 'POST') {
        const digest = searchParams.get('mount') ?? '';
        const blob = blobs.get(`${searchParams.get('from')} ${digest}`);
        if (registry.mounts && blob !== undefined) {
          blobs.set(`${repository} ${digest}`, blob);
          return end(201, { location: `/v2/${repository}/blobs/${digest}`, 'docker-content-digest': digest });
        }
        const id = randomUUID();
        uploads.add(id);
        return end(202, { location: `/v2/${repository}/blobs/uploads/${id}?_state=a%2Fb` });
      }
      if (!uploads.delete(name)) return end(404);
      if (method === 'DELETE') return end(204);
      const digest = searchParams.get('digest') ?? '';
      if (registry.verifies && digestOf(body) !== digest) return end(400, {}, error('DIGEST_INVALID'));
      blobs.set(`${repository} ${digest}`, body);
      return end(201, { 'docker-content-digest': digest });
    }
    if (kind === 'blobs') {
      const blob = blobs.get(place);
      return blob === undefined ? end(404, {}, error('BLOB_UNKNOWN')) : end(200, {}, blob);
    }
    if (kind === 'referrers' && registry.hasReferrers) {
      const attached = [...manifests].filter(
        ([key, { content }]) => key.startsWith(`${repository} sha256:`) && subjectOf(content) === name,
      );
      const list = attached.map(([, { content, type }]) => ({
        digest: digestOf(content),
        size: content.length,
        mediaType: type,
      }));
      return end(200, {}, JSON.stringify({ schemaVersion: 2, manifests: list }));
    }
    if (kind === 'tags') {
      const names = [...manifests.keys()].filter((key) => key.startsWith(`${repository} `) && !key.includes(':'));
      return end(200, {}, JSON.stringify({ tags: names.map((key) => key.slice(repository.length + 1)) }));
    }
    if (kind !== 'manifests') return end(404);
    if (method === 'PUT') {
      const missing = namesOf(body).some(
        (digest) => !blobs.has(`${repository} ${digest}`) && !manifests.has(`${repository} ${digest}`),
      );
      if (missing) return end(400, {}, error('MANIFEST_BLOB_UNKNOWN'));
      const kept = { content: body, type: request.headers['content-type'] ?? '' };
      manifests.set(`${repository} ${digestOf(body)}`, kept);
      manifests.set(place, kept);
      return end(201, { 'docker-content-digest': digestOf(body) });
    }
    const found = manifests.get(place);
    if (found === undefined) return end(404, {}, error('MANIFEST_UNKNOWN'));
    end(200, { 'content-type': found.type, 'docker-content-digest': digestOf(found.content) }, found.content);
  };

  const standIn = await startStandIn((request, response) => void serve(request, response));
  const registry: MemoryRegistry = {
    ...standIn,
    requests,
    openUploads: () => uploads.size,
    lose: (repository, digest) => void blobs.delete(`${repository} ${digest}`),
    intercept: () => false,
    hasReferrers: false,
    mounts: true,
    verifies: true,
  };
  return registry;
}

interface Named {
  readonly digest: string;
  readonly urls?: readonly string[];
}

/** All that must be there already. */
function namesOf(content: Buffer): readonly string[] {
  const {
    config,
    layers = [],
    manifests = [],
  } = JSON.parse(content.toString()) as {
    readonly config?: Named;
    readonly layers?: readonly Named[];
    readonly manifests?: readonly Named[];
  };
  const named = [...(config === undefined ? [] : [config]), ...layers, ...manifests];
  return named.filter(({ urls }) => urls === undefined).map(({ digest }) => digest);
}

function subjectOf(content: Buffer): string | undefined {
  return (JSON.parse(content.toString()) as { readonly subject?: Named }).subject?.digest;
}

function error(code: string): string {
  return JSON.stringify({ errors: [{ code, message: code.toLowerCase().replaceAll('_', ' ') }] });
}
