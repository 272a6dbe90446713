/** The gate's own questions to the registry, over node:http: small answers, bounded in size and time. A redirect is broken. */
import { type Agent, type IncomingMessage, request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { z } from 'zod';
import { parseDigest } from '../../distribution/reference.ts';
import { parseJson } from '../../distribution/json.ts';
import { registryScope } from '../../distribution/registry-scope.ts';
import { digestOf, hasDigest } from '../../distribution/digest.ts';
import { registryAddress } from '../../distribution/registry-address.ts';
import type {
  Found,
  ListPlace,
  ManifestReading,
  ReferrersReading,
  Registry,
  RegistryFailure,
  RepositoriesPage,
  TagResolution,
  TagsPage,
  UpstreamLogin,
} from '../../ports.ts';
import { within } from '../../time.ts';
import { loggedIn } from './logged-in.ts';
import { nextPage } from '../../distribution/link.ts';
import { namesPage, pageTarget } from './list-pages.ts';
import { type Origins, hostsOf } from './upstream-headers.ts';

export interface AskTerms {
  readonly origins: Origins;
  readonly agent: Agent;
  /** Milliseconds for one whole answer. */
  readonly timeoutMs: number;
  /** Absent: nobody logs in there. */
  readonly login?: UpstreamLogin | undefined;
}

/** Bytes of an answer that are read; a page of a thousand names stays far below. */
const maxAnswerBytes = 1_048_576;
/** distribution and zot take no larger manifest. */
const maxManifestBytes = 4_194_304;
/** distribution 2.8 gives all tags of a repository at once: room for 90,000 commit ids. */
const maxTagsBytes = 4_194_304;

export interface RegistryAnswer {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly body: Buffer;
}

export type Asked = RegistryAnswer | { readonly failed: RegistryFailure['reason']; readonly detail: string };

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

/** Pages of one list of referrers: far more than anything is signed. */
const maxReferrersPages = 10;

const tagsBody = z.object({ tags: z.array(z.string()).nullable().optional() });
const referrersBody = z.object({ manifests: z.array(z.object({ digest: z.string() })).nullable() });
const errorBody = z.object({ errors: z.array(z.unknown()).min(1) });
const catalogBody = z.object({ repositories: z.array(z.string()).nullable() });

/** Whatever the registry does is an answer; no question throws. */
export function createQuestions(ask: Ask, openBlob: Registry['openBlob'], origins: Origins): Registry {
  const hosts = hostsOf(origins);
  return {
    resolveTag: (repository, tag) => resolveTag(ask, repository, tag),
    manifest: (repository, reference) => readManifest(ask, repository, reference),
    hasManifest: (repository, digest) => hasManifest(ask, repository, digest),
    openBlob,
    referrers: (repository, digest) => readReferrers(ask, hosts, `/v2/${repository}/referrers/${digest}`),
    tags: (repository, size, place) => readTags(ask, hosts, `/v2/${repository}/tags/list`, size, place),
    repositories: (size, place) => readRepositories(ask, hosts, '/v2/_catalog', size, place),
  };
}

interface AskOptions {
  /** Empty: the header is left out. */
  readonly accept?: string;
  readonly maxBytes?: number;
  readonly withinMs?: number | undefined;
}

export type Ask = (method: 'GET' | 'HEAD', path: string, options?: AskOptions) => Promise<Asked>;

/** One question, its answer read whole. It never rejects. */
export function createAsk(terms: AskTerms): Ask {
  const { login, timeoutMs } = terms;
  const ask = asker(terms);
  if (login === undefined) return (method, path, options) => ask(method, path, options, undefined);
  return (method, path, options = {}) => {
    const { withinMs = timeoutMs } = options;
    const asked = loggedIn<Asked>({
      login,
      scope: registryScope(method, path),
      send: (authorization) => ask(method, path, options, authorization),
      headOf: (answer) => ('failed' in answer ? undefined : { statusCode: answer.status, headers: answer.headers }),
      mayRepeat: () => true,
    });
    const late = { failed: 'timeout', detail: `no answer within ${withinMs} ms` } as const;
    const told = asked.then((answer) => ('ok' in answer ? { failed: answer.reason, detail: answer.detail } : answer));
    return within(withinMs, told, late);
  };
}

function asker({ origins, agent, timeoutMs }: AskTerms) {
  const { host, protocol } = origins.upstream;
  const address = registryAddress(origins.upstream);
  const open = protocol === 'https:' ? httpsRequest : httpRequest;
  return (
    method: 'GET' | 'HEAD',
    path: string,
    { accept = '*/*', maxBytes = maxAnswerBytes, withinMs = timeoutMs }: AskOptions = {},
    authorization: string | undefined,
  ): Promise<Asked> =>
    new Promise((resolve) => {
      const headers = { ...(accept === '' ? {} : { accept }), ...(authorization && { authorization }), host };
      const request = open({ ...address, method, path, agent, headers });
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
        response.on('end', () => {
          const { statusCode: status = 0, headers } = response;
          if (status === 429) return settle({ failed: 'limited', detail: 'it answers 429' });
          settle({ status, headers, body: Buffer.concat(chunks) });
        });
      });
      request.end();
    });
}

async function readManifest(ask: Ask, repository: string, reference: string): Promise<ManifestReading> {
  const options = { accept: manifestTypes, maxBytes: maxManifestBytes };
  const asked = await ask('GET', `/v2/${repository}/manifests/${reference}`, options);
  if ('failed' in asked) return { ok: false, reason: asked.failed };
  if (asked.status === 404) return { ok: true, manifest: undefined };
  const { body: content, headers } = asked;
  if (asked.status !== 200 || headers['content-encoding'] !== undefined) return { ok: false, reason: 'broken' };
  const digest = parseDigest(reference) ?? namedDigest(asked) ?? digestOf(content);
  if (!hasDigest(content, digest)) return { ok: false, reason: 'broken' };
  return { ok: true, manifest: { digest, mediaType: headers['content-type'], content } };
}

async function resolveTag(ask: Ask, repository: string, tag: string): Promise<TagResolution> {
  const asked = await ask('HEAD', `/v2/${repository}/manifests/${tag}`, { accept: manifestTypes });
  if ('failed' in asked) return { ok: false, reason: asked.failed };
  if (asked.status === 404) return { ok: true, digest: undefined };
  const digest = namedDigest(asked);
  if (asked.status === 200 && digest !== undefined) {
    return { ok: true, digest, mediaType: asked.headers['content-type'] };
  }
  if (asked.status !== 200 && asked.status !== 405) return { ok: false, reason: 'broken' };
  // The header is optional (distribution-spec, "Pulling manifests"): then only the content tells.
  const reading = await readManifest(ask, repository, tag);
  return reading.ok ? { ok: true, digest: undefined, ...reading.manifest } : reading;
}

async function hasManifest(ask: Ask, repository: string, digest: string): Promise<Found | RegistryFailure> {
  const asked = await ask('HEAD', `/v2/${repository}/manifests/${digest}`, { accept: manifestTypes });
  if ('failed' in asked) return { ok: false, reason: asked.failed };
  if (asked.status === 404) return { ok: true, found: false };
  const named = namedDigest(asked);
  if (asked.status === 200 && (named === undefined || named === digest)) return { ok: true, found: true };
  if (asked.status !== 405) return { ok: false, reason: 'broken' };
  const reading = await readManifest(ask, repository, digest);
  return reading.ok ? { ok: true, found: reading.manifest !== undefined } : reading;
}

async function readTags(
  ask: Ask,
  hosts: readonly string[],
  path: string,
  size: number,
  place?: ListPlace,
): Promise<TagsPage> {
  const target = pageTarget(path, size, place);
  if (target === undefined) return { ok: false, reason: 'broken' };
  const asked = await ask('GET', target, { maxBytes: maxTagsBytes });
  if ('failed' in asked) return { ok: false, reason: asked.failed };
  if (asked.status === 404 && isOciError(asked.body)) return { ok: false, reason: 'unknown' };
  if (hasNoRoute(asked)) return { ok: false, reason: 'unsupported' };
  const page = asked.status === 200 ? tagsBody.safeParse(parseJson(asked.body)) : undefined;
  if (page?.success !== true) return { ok: false, reason: 'broken' };
  return namesPage(page.data.tags ?? [], linkOf(asked), { path, target, size, hosts });
}

async function readRepositories(
  ask: Ask,
  hosts: readonly string[],
  path: string,
  size: number,
  place?: ListPlace,
): Promise<RepositoriesPage> {
  const target = pageTarget(path, size, place);
  if (target === undefined) return { ok: false, reason: 'broken' };
  const asked = await ask('GET', target);
  if ('failed' in asked) return { ok: false, reason: asked.failed };
  if (hasNoRoute(asked)) return { ok: false, reason: 'unsupported' };
  const page = asked.status === 200 ? catalogBody.safeParse(parseJson(asked.body)) : undefined;
  if (page?.success !== true) return { ok: false, reason: 'broken' };
  return namesPage(page.data.repositories ?? [], linkOf(asked), { path, target, size, hosts });
}

async function readReferrers(ask: Ask, hosts: readonly string[], path: string): Promise<ReferrersReading> {
  const digests: string[] = [];
  let target = path;
  for (let page = 0; page < maxReferrersPages; page++) {
    const asked = await ask('GET', target, {
      accept: 'application/vnd.oci.image.index.v1+json',
      maxBytes: maxManifestBytes,
    });
    if ('failed' in asked) return { ok: false, reason: asked.failed };
    if (hasNoRoute(asked) && page === 0) return { ok: false, reason: 'unsupported' };
    const body = asked.status === 200 ? referrersBody.safeParse(parseJson(asked.body)) : undefined;
    if (body?.success !== true) return { ok: false, reason: 'broken' };
    digests.push(...(body.data.manifests ?? []).map(({ digest }) => digest));
    const next = nextPage(linkOf(asked), path, hosts);
    if (next.kind === 'end') return { ok: true, digests };
    if (next.kind !== 'next' || next.target === target) return { ok: false, reason: 'broken' };
    target = next.target;
  }
  return { ok: false, reason: 'broken' };
}

/** Node joins lines of one name; its types allow for those that it does not. */
function linkOf({ headers: { link } }: RegistryAnswer): string | undefined {
  return Array.isArray(link) ? link.join(', ') : link;
}

function namedDigest({ headers }: RegistryAnswer): string | undefined {
  const digest = headers['docker-content-digest'];
  return typeof digest === 'string' ? parseDigest(digest) : undefined;
}

function hasNoRoute({ status }: RegistryAnswer): boolean {
  return status === 404 || status === 405 || status === 501;
}

function isOciError(body: Buffer): boolean {
  return errorBody.safeParse(parseJson(body)).success;
}
