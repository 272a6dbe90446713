/** Errors of the registry in the form that its API has for them, whatever stands behind the gateway or in front of it says. */
import type { IncomingMessage, OutgoingHttpHeaders } from 'node:http';
import { z } from 'zod';
import { type ErrorCode, errorBody } from '../../distribution/error-codes.ts';
import type { RegistryRoute } from '../../distribution/route.ts';
import { GrowingBuffer } from '../../limits/growing-buffer.ts';
import type { MemoryShare } from '../../limits/memory-budget.ts';
import { type Named, namingRequest } from '../front/named-request.ts';

/** Bytes of an error; one for each of a thousand missing layers fits. */
const maxErrorBytes = 262_144;
/** Milliseconds that its content may take. */
const maxErrorMs = 5000;

const envelope = z.object({ errors: z.array(z.object({ code: z.string().min(1) })).min(1) });

/** What describes content that does not go on. */
const replaced = ['content-type', 'content-length', 'content-encoding', 'etag', 'last-modified', 'accept-ranges'];

/** What was asked, and by which request. */
interface Asked {
  readonly route: RegistryRoute;
  readonly exchange: Named;
}

export interface RegistryError {
  readonly headers: OutgoingHttpHeaders;
  readonly body: Buffer;
  /** For the log: words that the client does not get. */
  readonly detail?: string;
}

/**
 * The error in `response`: as the registry put it if that has the form of the distribution-spec ("Error Codes"), else in
 * words of our own. Content that is larger, slower or shorter than it should be, or has no room in `share`, is taken for no words at all: the status
 * has come. Never rejects.
 */
export async function readError(
  response: IncomingMessage,
  asked: Asked,
  headers: OutgoingHttpHeaders,
  { idleMs, share }: { readonly idleMs: number; readonly share: MemoryShare },
): Promise<RegistryError> {
  const { statusCode: status = 500 } = response;
  const content = await readBounded(response, share, Math.min(maxErrorMs, idleMs / 2));
  if (content !== undefined && headers['content-encoding'] === undefined && hasEnvelope(content))
    return { headers: { ...headers, 'content-type': jsonType(response) }, body: content };
  const said = content
    ?.toString('utf8', 0, 200)
    .replace(/[^\x21-\x7e]+/g, ' ')
    .trim();
  return {
    ...ownError(status, asked, headers),
    ...(said === undefined || said === '' ? {} : { detail: `the registry said: ${said}` }),
  };
}

/** The error in words of our own. */
export function ownError(status: number, { route, exchange }: Asked, headers: OutgoingHttpHeaders): RegistryError {
  const message = `the registry behind the gateway answers ${status}, and gives no reason`;
  return {
    headers: { ...withoutContent(headers), 'content-type': 'application/json' },
    body: Buffer.from(namingRequest(errorBody(codeFor(status, route), message), exchange)),
  };
}

/** To a HEAD: without a length, since only a GET would show what there is to say. */
export function errorHeaders(response: IncomingMessage, headers: OutgoingHttpHeaders): OutgoingHttpHeaders {
  return isJson(response) ? headers : { ...withoutContent(headers), 'content-type': 'application/json' };
}

function withoutContent(headers: OutgoingHttpHeaders): OutgoingHttpHeaders {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !replaced.includes(name)));
}

function isJson({ headers }: IncomingMessage): boolean {
  return /^application\/(?:[a-z0-9.+-]+\+)?json(?:\s*;|$)/i.test(headers['content-type'] ?? '');
}

function jsonType(response: IncomingMessage): string {
  return isJson(response) ? (response.headers['content-type'] ?? '') : 'application/json';
}

function hasEnvelope(content: Buffer): boolean {
  try {
    return envelope.safeParse(JSON.parse(content.toString('utf8'))).success;
  } catch {
    return false;
  }
}

/** undefined for what is too large, has no room, does not come in time, or breaks off. */
function readBounded(response: IncomingMessage, share: MemoryShare, withinMs: number): Promise<Buffer | undefined> {
  return new Promise((resolve) => {
    const buffer = new GrowingBuffer(share, maxErrorBytes);
    const settle = (content: Buffer | undefined): void => {
      clearTimeout(timer);
      resolve(content);
      if (content === undefined) response.destroy();
    };
    const timer = setTimeout(() => settle(undefined), withinMs);
    response.on('data', (chunk: Buffer) => {
      if (buffer.add(chunk) !== undefined) settle(undefined);
    });
    response.on('end', () => settle(response.complete ? buffer.content : undefined));
    response.on('error', () => settle(undefined));
    response.on('close', () => settle(undefined));
  });
}

/** The code that a registry would give. Clients repeat what is UNKNOWN, so nothing is that would only fail again. */
export function codeFor(status: number, { kind }: RegistryRoute): ErrorCode {
  switch (status) {
    case 400:
      return kind === 'manifest-put' ? 'MANIFEST_INVALID' : 'UNSUPPORTED';
    case 404:
      return missing[kind];
    case 413:
      return 'SIZE_INVALID';
    case 416:
      return 'RANGE_INVALID';
    case 429:
      return 'TOOMANYREQUESTS';
    case 501:
      return 'UNSUPPORTED';
    case 502:
    case 503:
    case 504:
      return 'UNAVAILABLE';
    default:
      return status < 500 ? 'UNSUPPORTED' : 'UNKNOWN';
  }
}

const missing: Readonly<Record<RegistryRoute['kind'], ErrorCode>> = {
  ping: 'UNSUPPORTED',
  catalog: 'UNSUPPORTED',
  tags: 'NAME_UNKNOWN',
  // NAME_UNKNOWN would keep clients from looking at the referrers tag of a registry without this route.
  referrers: 'UNSUPPORTED',
  'manifest-get': 'MANIFEST_UNKNOWN',
  'manifest-put': 'NAME_UNKNOWN',
  'manifest-delete': 'MANIFEST_UNKNOWN',
  'blob-get': 'BLOB_UNKNOWN',
  'blob-delete': 'BLOB_UNKNOWN',
  'upload-start': 'NAME_UNKNOWN',
  'upload-status': 'BLOB_UPLOAD_UNKNOWN',
  'upload-chunk': 'BLOB_UPLOAD_UNKNOWN',
  'upload-finish': 'BLOB_UPLOAD_UNKNOWN',
  'upload-cancel': 'BLOB_UPLOAD_UNKNOWN',
};
