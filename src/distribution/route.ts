/**
 * Routes of the OCI distribution-spec, parsed from the request target exactly as it was sent.
 * One parser feeds policy, audit and upstream: what is judged is what is forwarded (`formatTarget`).
 */
import {
  type Digest,
  type RepositoryName,
  type Tag,
  type UploadId,
  parseDigest,
  parseRepositoryName,
  parseTag,
  parseUploadId,
} from './reference.ts';
import type { Upstreams } from './upstreams.ts';
import { type Query, type QueryProblem, isQuery, parseQuery } from './query.ts';

export type Method = 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

/** A manifest is named by a tag or by a digest, never both. */
export type Reference = { readonly tag: Tag } | { readonly digest: Digest };

export interface Page {
  /** Entries asked for, 0 to `maxPageSize`. */
  readonly size?: number | undefined;
  /** The entry after which the page starts. */
  readonly last?: string | undefined;
}

export interface Mount {
  readonly digest: Digest;
  readonly from: RepositoryName;
  /** The registry that `from` is in, as some clients add. Never sent upstream. */
  readonly origin?: string | undefined;
}

/** `spelled`: as the client wrote the name of the repository, where that is another one for the same. */
export type RegistryRoute = RouteShape & { readonly spelled?: RepositoryName | undefined };

type RouteShape =
  | { readonly kind: 'ping' }
  | {
      readonly kind: 'catalog';
      readonly page: Page;
      /** Ours, instead of `last`: where the list goes on, sealed. Never sent upstream. */
      readonly cursor?: string | undefined;
    }
  | {
      readonly kind: 'tags';
      readonly repository: RepositoryName;
      readonly page: Page;
      readonly cursor?: string | undefined;
    }
  | {
      readonly kind: 'referrers';
      readonly repository: RepositoryName;
      readonly digest: Digest;
      readonly artifactType?: string | undefined;
      readonly page: Page;
      readonly cursor?: string | undefined;
    }
  | { readonly kind: 'manifest-get'; readonly repository: RepositoryName; readonly reference: Reference }
  | {
      readonly kind: 'manifest-put';
      readonly repository: RepositoryName;
      readonly reference: Reference;
      /** `?tag=` of a push by digest: each is a write of that tag. */
      readonly tags: readonly Tag[];
    }
  | { readonly kind: 'manifest-delete'; readonly repository: RepositoryName; readonly reference: Reference }
  | { readonly kind: 'blob-get'; readonly repository: RepositoryName; readonly digest: Digest }
  | { readonly kind: 'blob-delete'; readonly repository: RepositoryName; readonly digest: Digest }
  | {
      readonly kind: 'upload-start';
      readonly repository: RepositoryName;
      /** Only with a valid `from`; anything else is an ordinary upload (threats: zot mounts from anywhere). */
      readonly mount?: Mount | undefined;
      readonly digest?: Digest | undefined;
      readonly digestAlgorithm?: string | undefined;
    }
  | {
      readonly kind: 'upload-status' | 'upload-chunk' | 'upload-finish' | 'upload-cancel';
      readonly repository: RepositoryName;
      readonly id: UploadId;
      readonly digest?: Digest | undefined;
      /** Ours: who opened this upload, and where the registry said that it goes on. Never sent upstream. */
      readonly ticket?: string | undefined;
    };

export type RouteProblem =
  | { readonly reason: 'target_malformed' }
  | { readonly reason: 'route_unknown' }
  /** `allowed`: what the route is there for. */
  | { readonly reason: 'method_not_allowed'; readonly allowed: readonly Method[] }
  | { readonly reason: 'name_invalid' }
  | { readonly reason: 'reference_invalid' }
  /** Asked for by a name that no manifest can have. */
  | { readonly reason: 'manifest_unknown' }
  | { readonly reason: 'digest_invalid' }
  | { readonly reason: 'upload_unknown' }
  | { readonly reason: 'page_invalid' }
  | QueryProblem;

export type Parsed = { readonly route: RegistryRoute } | { readonly problem: RouteProblem };

/** Bytes of a request target; longer ones are refused. */
const maxTargetLength = 8192;
/** distribution's default `catalog.maxentries`; above it some backends allocate what the client asks for (CVE-2023-2253). */
const maxPageSize = 1000;
/** Characters of `last`; no name is as long. */
const maxPlaceLength = 512;

/** Our own query parameter: the ticket on upload locations, the cursor of a list. */
export const ownParameter = '_portcullis';

const maxTagParameters = 46;
const methods: readonly Method[] = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'];

/**
 * Parses method and raw request target of a request below `/v2`. No normalising: a target that another parser could read
 * differently (`%2f`, `//`, `..`, `\`, `;`, `#`, absolute form) is a problem. The only escape accepted is `%3A` for the
 * colon of a digest in the last segment.
 * Names are matched from the right, as distribution does: `/v2/a/tags/list/manifests/x` is manifest `x` of `a/tags/list`.
 */
export function parseRoute(method: string, target: string): Parsed {
  if (target.length > maxTargetLength) return malformed;
  const mark = target.indexOf('?');
  const path = mark === -1 ? target : target.slice(0, mark);
  const rawQuery = mark === -1 ? '' : target.slice(mark + 1);
  if (path !== '/v2' && !path.startsWith('/v2/')) return malformed;
  const segments = splitPath(path);
  if (segments === undefined) return malformed;
  const shape = shapeOf(segments);
  if (!isMethod(method)) return { problem: { reason: 'method_not_allowed', allowed: shape?.methods ?? methods } };
  if (shape === undefined) return { problem: { reason: 'route_unknown' } };
  if (!shape.methods.includes(method)) return { problem: { reason: 'method_not_allowed', allowed: shape.methods } };
  if (!('readIn' in shape)) return shape.read(rawQuery);
  const repository = parseRepositoryName(segments.slice(0, -shape.tail).join('/'));
  if (repository === undefined) return { problem: { reason: 'name_invalid' } };
  return shape.readIn(repository, { method, last: segments.at(-1) ?? '', rawQuery });
}

function isMethod(method: string): method is Method {
  return methods.some((known) => known === method);
}

const malformed: Parsed = { problem: { reason: 'target_malformed' } };

/** Segments after `/v2`; `blobs/uploads/` keeps its meaning without the empty last segment. */
function splitPath(path: string): readonly string[] | undefined {
  const rest = path.slice('/v2'.length).replace(/^\//, '');
  if (rest === '') return [];
  const segments = rest.split('/');
  if (segments.at(-1) === '' && segments.at(-2) === 'uploads' && segments.at(-3) === 'blobs') segments.pop();
  const last = segments.pop() ?? '';
  segments.push(last.replace(/%3a/gi, ':'));
  const clean = segments.every((segment) => /^[A-Za-z0-9._:=@+~-]+$/.test(segment) && !/^\.{1,2}$/.test(segment));
  return clean ? segments : undefined;
}

/** What targets of one kind are there for, and how what stands in them is read. */
type Shape = { readonly methods: readonly Method[] } & (
  | { readonly read: (rawQuery: string) => Parsed }
  /** `tail`: segments behind the name of the repository. */
  | { readonly tail: number; readonly readIn: (repository: RepositoryName, rest: Rest) => Parsed }
);

interface Rest {
  readonly method: Method;
  readonly last: string;
  readonly rawQuery: string;
}

function shapeOf(segments: readonly string[]): Shape | undefined {
  const count = segments.length;
  const [last = '', second = '', third = ''] = [segments[count - 1], segments[count - 2], segments[count - 3]];
  if (count === 0) return { methods: ['GET', 'HEAD'], read: () => ({ route: { kind: 'ping' } }) };
  if (count === 1 && last === '_catalog') return { methods: ['GET'], read: catalog };
  if (count > 2 && second === 'tags' && last === 'list') return { methods: ['GET'], tail: 2, readIn: tags };
  if (count > 2 && second === 'blobs' && last === 'uploads') return { methods: ['POST'], tail: 2, readIn: uploadStart };
  if (count > 3 && third === 'blobs' && second === 'uploads')
    return { methods: uploadMethods, tail: 3, readIn: upload };
  if (count > 2 && second === 'manifests') return { methods: manifestMethods, tail: 2, readIn: manifest };
  if (count > 2 && second === 'blobs') return { methods: ['GET', 'HEAD', 'DELETE'], tail: 2, readIn: blob };
  return count > 2 && second === 'referrers' ? { methods: ['GET', 'HEAD'], tail: 2, readIn: referrers } : undefined;
}

const manifestMethods: readonly Method[] = ['GET', 'HEAD', 'PUT', 'DELETE'];
const uploadMethods: readonly Method[] = ['GET', 'HEAD', 'PUT', 'PATCH', 'DELETE'];

const isRead = (method: Method): method is 'GET' | 'HEAD' => method === 'GET' || method === 'HEAD';

function catalog(rawQuery: string): Parsed {
  const list = parseList(rawQuery);
  return 'reason' in list ? { problem: list } : { route: { kind: 'catalog', ...list } };
}

function tags(repository: RepositoryName, { rawQuery }: Rest): Parsed {
  const list = parseList(rawQuery);
  return 'reason' in list ? { problem: list } : { route: { kind: 'tags', repository, ...list } };
}

/** A page of a list, or a cursor of ours in place of where it begins. */
function parseList(rawQuery: string): { readonly page: Page; readonly cursor?: string } | RouteProblem {
  const query = parseQuery(rawQuery);
  if (!isQuery(query)) return query;
  const page = parsePage(query);
  if ('reason' in page) return page;
  const cursor = query.get(ownParameter);
  if (cursor === undefined) return { page };
  const isUsable = /^[A-Za-z0-9_-]+$/.test(cursor) && page.last === undefined;
  return isUsable ? { page, cursor } : { reason: 'page_invalid' };
}

function referrers(repository: RepositoryName, { last, rawQuery }: Rest): Parsed {
  const digest = parseDigest(last);
  if (digest === undefined) return { problem: { reason: 'digest_invalid' } };
  const query = parseQuery(rawQuery);
  if (!isQuery(query)) return { problem: query };
  const list = parseList(rawQuery);
  if ('reason' in list) return { problem: list };
  const artifactType = query.get('artifactType') || undefined;
  if (artifactType !== undefined && artifactType.length > 256) return { problem: { reason: 'query_malformed' } };
  return { route: { kind: 'referrers', repository, digest, ...list, artifactType } };
}

function manifest(repository: RepositoryName, { method, last, rawQuery }: Rest): Parsed {
  const reference = parseReference(last);
  if ('reason' in reference) {
    // What no manifest can be called is not there to be read or deleted; only to push it is a mistake.
    const unknown = reference.reason === 'reference_invalid' && method !== 'PUT';
    return { problem: unknown ? { reason: 'manifest_unknown' } : reference };
  }
  if (isRead(method)) return { route: { kind: 'manifest-get', repository, reference } };
  if (method === 'DELETE') return { route: { kind: 'manifest-delete', repository, reference } };
  const query = parseQuery(rawQuery, ['tag']);
  if (!isQuery(query)) return { problem: query };
  const named = [...new Set(query.get('tag')?.split('\n') ?? [])].map(parseTag);
  const written = named.filter((tag) => tag !== undefined);
  // With a tag in the path, `?tag=` has no meaning in the specification; refusing keeps one reading.
  const allowed = 'digest' in reference && written.length === named.length && named.length <= maxTagParameters;
  if (named.length > 0 && !allowed) return { problem: { reason: 'reference_invalid' } };
  return { route: { kind: 'manifest-put', repository, reference, tags: written } };
}

function blob(repository: RepositoryName, { method, last }: Rest): Parsed {
  const digest = parseDigest(last);
  if (digest === undefined) return { problem: { reason: 'digest_invalid' } };
  return { route: { kind: isRead(method) ? 'blob-get' : 'blob-delete', repository, digest } };
}

function uploadStart(repository: RepositoryName, { rawQuery }: Rest): Parsed {
  const query = parseQuery(rawQuery);
  if (!isQuery(query)) return { problem: query };
  const digestAlgorithm = query.get('digest-algorithm') || undefined;
  if (digestAlgorithm !== undefined && !/^sha(256|384|512)$/.test(digestAlgorithm)) {
    return { problem: { reason: 'digest_invalid' } };
  }
  // What cannot be used makes an ordinary upload: the client goes on, and names the digest again at the end.
  const digest = parseDigest(query.get('digest') ?? '');
  return { route: { kind: 'upload-start', repository, mount: parseMount(query), digest, digestAlgorithm } };
}

/** A mount without a usable digest and source is an ordinary upload: the client falls back. */
function parseMount(query: ReadonlyMap<string, string>): Mount | undefined {
  const digest = parseDigest(query.get('mount') ?? '');
  const from = parseRepositoryName(query.get('from') ?? '');
  const origin = query.get('origin') || undefined;
  return digest === undefined || from === undefined ? undefined : { digest, from, origin };
}

/** The same upload without its mount. */
export function ordinaryUpload(route: RegistryRoute & { readonly kind: 'upload-start' }): RegistryRoute {
  return { ...route, mount: undefined };
}

/** A mount from another registry than `host` becomes an ordinary upload: the name of its source means something else here. */
export function withoutForeignMount(parsed: Parsed, host: string): Parsed {
  if (!('route' in parsed) || parsed.route.kind !== 'upload-start') return parsed;
  const origin = parsed.route.mount?.origin;
  return origin === undefined || origin === host ? parsed : { route: ordinaryUpload(parsed.route) };
}

/** The same with the names by which repositories are judged. */
export function withCanonicalNames(parsed: Parsed, { canonical }: Pick<Upstreams, 'canonical'>): Parsed {
  if (!('route' in parsed) || !('repository' in parsed.route)) return parsed;
  const { route } = parsed;
  const repository = canonical(route.repository);
  const named = repository === route.repository ? route : { ...route, repository, spelled: route.repository };
  if (named.kind !== 'upload-start' || named.mount === undefined) return { route: named };
  const from = canonical(named.mount.from);
  return { route: from === named.mount.from ? named : { ...named, mount: { ...named.mount, from } } };
}

/** The name of the repository for the client that asked. */
export function spelledOf({
  repository,
  spelled,
}: Pick<RegistryRoute & { readonly repository: RepositoryName }, 'repository' | 'spelled'>): RepositoryName {
  return spelled ?? repository;
}

const uploadKinds = {
  GET: 'upload-status',
  HEAD: 'upload-status',
  PATCH: 'upload-chunk',
  PUT: 'upload-finish',
  DELETE: 'upload-cancel',
  // Never read: no upload that has begun takes it.
  POST: 'upload-status',
} as const;

function upload(repository: RepositoryName, { method, last, rawQuery }: Rest): Parsed {
  const id = parseUploadId(last);
  if (id === undefined) return { problem: { reason: 'upload_unknown' } };
  const query = parseQuery(rawQuery);
  if (!isQuery(query)) return { problem: query };
  const rawDigest = query.get('digest');
  const digest = rawDigest === undefined ? undefined : parseDigest(rawDigest);
  if (rawDigest !== undefined && digest === undefined) return { problem: { reason: 'digest_invalid' } };
  const ticket = query.get(ownParameter) || undefined;
  return { route: { kind: uploadKinds[method], repository, id, digest, ticket } };
}

function parseReference(text: string): Reference | RouteProblem {
  const digest = parseDigest(text);
  if (digest !== undefined) return { digest };
  if (text.includes(':')) return { reason: 'digest_invalid' };
  const tag = parseTag(text);
  return tag === undefined ? { reason: 'reference_invalid' } : { tag };
}

/** `last` is a place in an order, and need not be a name that could be in the list. */
function parsePage(query: Query): Page | RouteProblem {
  const [size = '', last] = [query.get('n'), query.get('last')];
  if (!/^(?:0|[1-9]\d*)?$/.test(size)) return { reason: 'page_invalid' };
  if (last !== undefined && last.length > maxPlaceLength) return { reason: 'page_invalid' };
  return { size: size === '' ? undefined : Math.min(Number(size), maxPageSize), last: last || undefined };
}
