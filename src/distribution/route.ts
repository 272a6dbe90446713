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
import { type Query, type QueryProblem, isQuery, parseQuery } from './query.ts';

export type Method = 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

/** A manifest is named by a tag or by a digest, never both. */
export type Reference = { readonly tag: Tag } | { readonly digest: Digest };

export interface Page {
  /** Entries asked for, 0 to `maxPageSize`. */
  readonly size?: number;
  /** The entry after which the page starts. */
  readonly last?: string;
}

export interface Mount {
  readonly digest: Digest;
  readonly from: RepositoryName;
  /** The registry that `from` is in, as some clients add. Never sent upstream. */
  readonly origin?: string;
}

export type RegistryRoute =
  | { readonly kind: 'ping' }
  | {
      readonly kind: 'catalog';
      readonly page: Page;
      /** Ours, instead of `last`: where the list goes on, sealed. Never sent upstream. */
      readonly cursor?: string;
    }
  | { readonly kind: 'tags'; readonly repository: RepositoryName; readonly page: Page; readonly cursor?: string }
  | {
      readonly kind: 'referrers';
      readonly repository: RepositoryName;
      readonly digest: Digest;
      readonly artifactType?: string;
      readonly page: Page;
      readonly cursor?: string;
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
      readonly mount?: Mount;
      readonly digest?: Digest;
      readonly digestAlgorithm?: string;
    }
  | {
      readonly kind: 'upload-status' | 'upload-chunk' | 'upload-finish' | 'upload-cancel';
      readonly repository: RepositoryName;
      readonly id: UploadId;
      readonly digest?: Digest;
      /** Ours: who opened this upload, and where the registry said that it goes on. Never sent upstream. */
      readonly ticket?: string;
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
export const maxTargetLength = 8192;
/** distribution's default `catalog.maxentries`; above it some backends allocate what the client asks for (CVE-2023-2253). */
export const maxPageSize = 1000;
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
  const parsed = isMethod(method) ? dispatch(method, segments, rawQuery) : wrongMethod;
  return parsed === wrongMethod ? refusedMethod(segments) : parsed;
}

function refusedMethod(segments: readonly string[]): Parsed {
  const allowed = methods.filter((method) => dispatch(method, segments, '') !== wrongMethod);
  return { problem: { reason: 'method_not_allowed', allowed } };
}

function isMethod(method: string): method is Method {
  return methods.some((known) => known === method);
}

const malformed: Parsed = { problem: { reason: 'target_malformed' } };
const unknownRoute: Parsed = { problem: { reason: 'route_unknown' } };
const wrongMethod: Parsed = { problem: { reason: 'method_not_allowed', allowed: [] } };

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

function dispatch(method: Method, segments: readonly string[], rawQuery: string): Parsed {
  const count = segments.length;
  const [last = '', second = '', third = ''] = [segments[count - 1], segments[count - 2], segments[count - 3]];
  const name = (tail: number): string => segments.slice(0, count - tail).join('/');

  if (count === 0) return isRead(method) ? { route: { kind: 'ping' } } : wrongMethod;
  if (count === 1 && last === '_catalog') return catalog(method, rawQuery);
  if (count > 2 && second === 'tags' && last === 'list') return tags(method, name(2), rawQuery);
  if (count > 2 && second === 'blobs' && last === 'uploads') return uploadStart(method, name(2), rawQuery);
  if (count > 3 && third === 'blobs' && second === 'uploads') return upload(method, name(3), last, rawQuery);
  if (count > 2 && second === 'manifests') return manifest(method, name(2), last, rawQuery);
  if (count > 2 && second === 'blobs') return blob(method, name(2), last);
  if (count > 2 && second === 'referrers') return referrers(method, name(2), last, rawQuery);
  return unknownRoute;
}

const isRead = (method: Method): method is 'GET' | 'HEAD' => method === 'GET' || method === 'HEAD';

function catalog(method: Method, rawQuery: string): Parsed {
  if (method !== 'GET') return wrongMethod;
  const list = parseList(rawQuery);
  return 'reason' in list ? { problem: list } : { route: { kind: 'catalog', ...list } };
}

function tags(method: Method, name: string, rawQuery: string): Parsed {
  if (method !== 'GET') return wrongMethod;
  const repository = parseRepositoryName(name);
  if (repository === undefined) return { problem: { reason: 'name_invalid' } };
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

function referrers(method: Method, name: string, last: string, rawQuery: string): Parsed {
  if (!isRead(method)) return wrongMethod;
  const repository = parseRepositoryName(name);
  if (repository === undefined) return { problem: { reason: 'name_invalid' } };
  const digest = parseDigest(last);
  if (digest === undefined) return { problem: { reason: 'digest_invalid' } };
  const query = parseQuery(rawQuery);
  if (!isQuery(query)) return { problem: query };
  const list = parseList(rawQuery);
  if ('reason' in list) return { problem: list };
  const artifactType = query.get('artifactType');
  if (artifactType !== undefined && artifactType.length > 256) return { problem: { reason: 'query_malformed' } };
  return { route: { kind: 'referrers', repository, digest, ...list, ...(artifactType ? { artifactType } : {}) } };
}

function manifest(method: Method, name: string, last: string, rawQuery: string): Parsed {
  if (method === 'POST' || method === 'PATCH') return wrongMethod;
  const repository = parseRepositoryName(name);
  if (repository === undefined) return { problem: { reason: 'name_invalid' } };
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

function blob(method: Method, name: string, last: string): Parsed {
  if (!isRead(method) && method !== 'DELETE') return wrongMethod;
  const repository = parseRepositoryName(name);
  if (repository === undefined) return { problem: { reason: 'name_invalid' } };
  const digest = parseDigest(last);
  if (digest === undefined) return { problem: { reason: 'digest_invalid' } };
  return { route: { kind: isRead(method) ? 'blob-get' : 'blob-delete', repository, digest } };
}

function uploadStart(method: Method, name: string, rawQuery: string): Parsed {
  if (method !== 'POST') return wrongMethod;
  const repository = parseRepositoryName(name);
  if (repository === undefined) return { problem: { reason: 'name_invalid' } };
  const query = parseQuery(rawQuery);
  if (!isQuery(query)) return { problem: query };
  const algorithm = query.get('digest-algorithm');
  if (algorithm && !/^sha(256|384|512)$/.test(algorithm)) return { problem: { reason: 'digest_invalid' } };
  // What cannot be used makes an ordinary upload: the client goes on, and names the digest again at the end.
  const digest = parseDigest(query.get('digest') ?? '');
  const mount = parseMount(query);
  return {
    route: {
      kind: 'upload-start',
      repository,
      ...(mount ? { mount } : {}),
      ...(digest ? { digest } : {}),
      ...(algorithm ? { digestAlgorithm: algorithm } : {}),
    },
  };
}

/** A mount without a usable digest and source is an ordinary upload: the client falls back. */
function parseMount(query: ReadonlyMap<string, string>): Mount | undefined {
  const digest = parseDigest(query.get('mount') ?? '');
  const from = parseRepositoryName(query.get('from') ?? '');
  const origin = query.get('origin');
  return digest === undefined || from === undefined ? undefined : { digest, from, ...(origin ? { origin } : {}) };
}

/** The same upload without its mount. */
export function ordinaryUpload(route: RegistryRoute & { readonly kind: 'upload-start' }): RegistryRoute {
  const { kind, repository, digest, digestAlgorithm } = route;
  return { kind, repository, ...(digest ? { digest } : {}), ...(digestAlgorithm ? { digestAlgorithm } : {}) };
}

/** A mount from another registry than `host` becomes an ordinary upload: the name of its source means something else here. */
export function withoutForeignMount(parsed: Parsed, host: string): Parsed {
  if (!('route' in parsed) || parsed.route.kind !== 'upload-start') return parsed;
  const origin = parsed.route.mount?.origin;
  return origin === undefined || origin === host ? parsed : { route: ordinaryUpload(parsed.route) };
}

function upload(method: Method, name: string, last: string, rawQuery: string): Parsed {
  const kind = uploadKind(method);
  if (kind === undefined) return wrongMethod;
  const repository = parseRepositoryName(name);
  if (repository === undefined) return { problem: { reason: 'name_invalid' } };
  const id = parseUploadId(last);
  if (id === undefined) return { problem: { reason: 'upload_unknown' } };
  const query = parseQuery(rawQuery);
  if (!isQuery(query)) return { problem: query };
  const rawDigest = query.get('digest');
  const digest = rawDigest === undefined ? undefined : parseDigest(rawDigest);
  if (rawDigest !== undefined && digest === undefined) return { problem: { reason: 'digest_invalid' } };
  const ticket = query.get(ownParameter);
  return {
    route: {
      kind,
      repository,
      id,
      ...(digest ? { digest } : {}),
      ...(ticket ? { ticket } : {}),
    },
  };
}

function uploadKind(method: Method): 'upload-status' | 'upload-chunk' | 'upload-finish' | 'upload-cancel' | undefined {
  switch (method) {
    case 'GET':
    case 'HEAD':
      return 'upload-status';
    case 'PATCH':
      return 'upload-chunk';
    case 'PUT':
      return 'upload-finish';
    case 'DELETE':
      return 'upload-cancel';
    case 'POST':
      return undefined;
  }
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
  return {
    ...(size === '' ? {} : { size: Math.min(Number(size), maxPageSize) }),
    ...(last ? { last } : {}),
  };
}
