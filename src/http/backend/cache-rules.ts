/** What may be answered from memory, what may be kept there, and what still counts as true. Nothing here waits or sends. */
import type { IncomingHttpHeaders, OutgoingHttpHeaders } from 'node:http';
import type { RegistryRoute } from '../../distribution/route.ts';
import { maxManifestBytes } from '../front/manifest-body.ts';
import type { Reply } from './reply.ts';
import type { BackendRequest } from './transfer.ts';

export interface CacheTerms {
  /** Bytes for everything that is kept; 0: nothing is. */
  readonly memoryBytes: number;
  /** Bytes of the largest blob that is kept. */
  readonly blobBytes: number;
  /** How long a tag may lead where it led, when somebody writes to the registry behind the gateway's back; 0: tags are not kept. */
  readonly tagTtlMs: number;
  /** The same of whether there is a manifest or blob with a digest. */
  readonly contentTtlMs: number;
  /** How long after that all of it may stand in for a registry that does not answer; 0: never. */
  readonly staleIfErrorMs: number;
  /** Milliseconds that the registry may take to answer where memory can as well. */
  readonly patienceMs: number;
}

/** A read that memory may answer. */
export interface Wanted {
  readonly kind: 'tag' | 'digest' | 'blob';
  readonly repository: string;
  /** That the request names. */
  readonly digest: string | undefined;
  /** As sent, but for spaces and capitals; empty where there is none. */
  readonly accept: string;
  readonly isHead: boolean;
  /** Tells apart what the registry may answer differently. */
  readonly key: string;
}

/** Characters of `Accept`; the longest of a real client has 400. */
const maxAccept = 1024;
/** These ask for something else than the whole of what is there. */
const peculiar = ['range', 'if-match', 'if-range', 'if-modified-since', 'if-unmodified-since'] as const;

/** undefined for whatever only the registry can answer. */
export function wantedOf({ exchange, route, target }: BackendRequest): Wanted | undefined {
  if (route.kind !== 'manifest-get' && route.kind !== 'blob-get') return undefined;
  const { headers, method } = exchange.request;
  if (target !== undefined || exchange.expectsContinue || peculiar.some((name) => headers[name] !== undefined))
    return undefined;
  const { repository } = route;
  const isHead = method === 'HEAD';
  if (route.kind === 'blob-get') {
    const { digest } = route;
    return { kind: 'blob', repository, digest, accept: '', isHead, key: `${repository} blob ${digest}` };
  }
  const accept = normalAccept(headers.accept);
  if (accept === undefined) return undefined;
  const { reference } = route;
  if ('tag' in reference)
    return {
      kind: 'tag',
      repository,
      digest: undefined,
      accept,
      isHead,
      key: `${repository} ${reference.tag} ${accept}`,
    };
  const { digest } = reference;
  return { kind: 'digest', repository, digest, accept, isHead, key: `${repository} ${digest} ${accept}` };
}

/** The same for headers that say the same; undefined for one that no client sends. */
export function normalAccept(accept = ''): string | undefined {
  if (accept.length > maxAccept) return undefined;
  return accept.replace(/[ \t]*([,;])[ \t]*/g, '$1').toLowerCase();
}

/** Whether requests with this route change what is remembered of their repository. */
export function isWrite({ kind }: RegistryRoute): boolean {
  return kind === 'manifest-put' || kind === 'manifest-delete' || kind === 'blob-delete';
}

/** Milliseconds for which an answer counts as true once the registry gave or confirmed it. */
export function ttlOf({ kind }: Wanted, { tagTtlMs, contentTtlMs }: CacheTerms): number {
  return kind === 'tag' ? tagTtlMs : contentTtlMs;
}

/** The bytes of the content, where the reply may be kept if it has them and they have its digest. */
export function keepableBytes(
  { status, headers, content }: Reply,
  { kind }: Wanted,
  blobBytes: number,
): number | undefined {
  if (status !== 200 || headers['content-encoding'] !== undefined || headers['content-range'] !== undefined)
    return undefined;
  if (/no-store|private/i.test(textOf(headers['cache-control']))) return undefined;
  if (!Buffer.isBuffer(content) && !/^(?:accept(?:-encoding)?|origin|[\s,])*$/i.test(content.headers.vary ?? ''))
    return undefined;
  const length = Buffer.isBuffer(content) ? content.length : lengthOf(headers);
  return length === undefined || length > (kind === 'blob' ? blobBytes : maxManifestBytes) ? undefined : length;
}

function lengthOf(headers: OutgoingHttpHeaders): number | undefined {
  const length = textOf(headers['content-length']);
  return /^\d{1,9}$/.test(length) ? Number(length) : undefined;
}

/** What goes out again with each answer; the length is that of the content. */
export function keptHeaders(headers: OutgoingHttpHeaders, length: number): OutgoingHttpHeaders {
  const kept: OutgoingHttpHeaders = { ...headers, 'content-length': length };
  delete kept['warning'];
  delete kept['retry-after'];
  return kept;
}

/** Whether the client has it already (RFC 9110, 13.1.2); distribution compares the bare digest as well. */
export function isKnownToClient(
  { 'if-none-match': known }: IncomingHttpHeaders,
  digest: string,
  etag: string,
): boolean {
  if (known === undefined) return false;
  return known.split(',').some((entry) => {
    const tag = entry.trim().replace(/^W\//, '');
    return tag === '*' || tag === digest || tag === `"${digest}"` || (etag !== '' && tag === etag.replace(/^W\//, ''));
  });
}

/** One line of a header; empty where there is none. */
export function textOf(value: OutgoingHttpHeaders[string]): string {
  return value === undefined ? '' : Array.isArray(value) ? value.join(', ') : String(value);
}
