/** The gate's own questions to the registry, over node:http: small answers, bounded in size and time. */
import { Agent as HttpAgent, type IncomingMessage, request as httpRequest } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { z } from 'zod';
import { parseDigest } from '../../distribution/reference.ts';
import type { Registry } from '../../ports.ts';

export interface RegistryClientOptions {
  readonly url: string;
  /** Milliseconds for one whole answer. */
  readonly timeoutMs: number;
}

/** Bytes of an answer that are read; a page of a thousand names stays far below. */
const maxAnswerBytes = 1_048_576;
/** distribution 2.8 gives all tags of a repository at once: room for 90,000 commit ids. */
const maxTagsBytes = 4_194_304;

interface RegistryAnswer {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly body: Buffer;
}

type Asked = RegistryAnswer | { readonly failed: 'unreachable' | 'timeout' | 'broken'; readonly detail: string };

/** Without the full list distribution converts a manifest on the way out, and names the digest of the conversion. */
const manifestTypes = [
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
  'application/vnd.docker.distribution.manifest.v2+json',
  'application/vnd.docker.distribution.manifest.v1+prettyjws',
  'application/vnd.oci.artifact.manifest.v1+json',
  '*/*;q=0.1',
].join(', ');

const tagsBody = z.object({ tags: z.array(z.string()).nullable().optional() });
const catalogBody = z.object({ repositories: z.array(z.string()).nullable() });

export function createRegistryClient({ url, timeoutMs }: RegistryClientOptions): Registry & { close(): void } {
  const target = new URL(url);
  const isTls = target.protocol === 'https:';
  const agent = new (isTls ? HttpsAgent : HttpAgent)({ keepAlive: true, maxSockets: 16, timeout: 15_000 });
  const open = isTls ? httpsRequest : httpRequest;

  function ask(
    method: 'GET' | 'HEAD',
    path: string,
    {
      accept = '*/*',
      maxBytes = maxAnswerBytes,
      withinMs = timeoutMs,
    }: { accept?: string; maxBytes?: number; withinMs?: number } = {},
  ): Promise<Asked> {
    return new Promise((resolve) => {
      const request = open(target, { method, path, agent, headers: { accept } });
      const timer = setTimeout(() => {
        resolve({ failed: 'timeout', detail: `no answer within ${withinMs} ms` });
        request.destroy();
      }, withinMs);
      const settle = (asked: Asked): void => {
        clearTimeout(timer);
        resolve(asked);
      };
      request.on('error', (error) => settle({ failed: 'unreachable', detail: error.message }));
      // The socket is nobody's from here on: an error given to it would end the process.
      request.on('upgrade', (_response, socket) => socket.destroy());
      request.on('close', () => settle({ failed: 'broken', detail: 'no answer' }));
      request.on('response', (response) => {
        const chunks: Buffer[] = [];
        let size = 0;
        response.on('data', (chunk: Buffer) => {
          size += chunk.length;
          if (size <= maxBytes) chunks.push(chunk);
          else request.destroy(new Error('the answer is too large'));
        });
        response.on('error', (error) => settle({ failed: 'broken', detail: error.message }));
        response.on('end', () =>
          settle({ status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(chunks) }),
        );
      });
      request.end();
    });
  }

  return {
    async resolveTag(repository, tag) {
      const asked = await ask('HEAD', `/v2/${repository}/manifests/${tag}`, { accept: manifestTypes });
      if ('failed' in asked) return { ok: false, reason: asked.failed };
      if (asked.status === 404) return { ok: true, digest: undefined };
      const digest = asked.headers['docker-content-digest'];
      const known = asked.status === 200 && typeof digest === 'string' ? parseDigest(digest) : undefined;
      return known === undefined ? { ok: false, reason: 'broken' } : { ok: true, digest: known };
    },
    async tags(repository, size, last) {
      const asked = await ask('GET', `/v2/${repository}/tags/list?${pageQuery(size, last)}`, {
        maxBytes: maxTagsBytes,
      });
      if ('failed' in asked) return { ok: false, reason: asked.failed };
      if (asked.status === 404) return { ok: false, reason: 'unknown' };
      const page = asked.status === 200 ? tagsBody.safeParse(parseJson(asked.body)) : undefined;
      if (page?.success !== true) return { ok: false, reason: 'broken' };
      const names = page.data.tags ?? [];
      if (asked.headers.link !== undefined) return { ok: true, names, more: true };
      // distribution 2.8 ignores `n` and `last` and gives the tags as its file system does.
      return { ok: true, names: names.filter((name) => last === undefined || name > last).sort(), more: false };
    },
    async repositories(size, last) {
      const asked = await ask('GET', `/v2/_catalog?${pageQuery(size, last)}`);
      if ('failed' in asked) return { ok: false, reason: asked.failed };
      const page = asked.status === 200 ? catalogBody.safeParse(parseJson(asked.body)) : undefined;
      if (page?.success !== true) return { ok: false, reason: 'broken' };
      return { ok: true, names: page.data.repositories ?? [], more: asked.headers.link !== undefined };
    },
    async ping(withinMs = timeoutMs) {
      const asked = await ask('GET', '/v2/', { withinMs });
      if ('failed' in asked) return { ok: false, detail: `${asked.failed}: ${asked.detail}` };
      if (asked.status === 200) return { ok: true };
      const detail =
        asked.status === 401
          ? 'the registry has access control of its own (401); Portcullis needs it open and reachable only from here'
          : `GET /v2/ answers ${asked.status}`;
      return { ok: false, detail };
    },
    close: () => agent.destroy(),
  };
}

function pageQuery(size: number, last: string | undefined): string {
  return new URLSearchParams({ n: String(size), ...(last === undefined ? {} : { last }) }).toString();
}

function parseJson(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8'));
  } catch {
    return undefined;
  }
}
