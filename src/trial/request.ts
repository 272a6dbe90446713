/** Requests of try mode, each on a connection of its own, and what one to a registry says of it. */
import { type IncomingHttpHeaders, request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { parseJson } from '../distribution/json.ts';

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

interface Sending {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Buffer | undefined;
  readonly signal: AbortSignal;
  /** Of the answer. */
  readonly maxBytes: number;
}

/** Never rejects: an Error where no answer came, or not the whole of it. Follows no redirect. */
export function send(
  url: URL,
  { method = 'GET', headers = {}, body, signal, maxBytes }: Sending,
): Promise<Answer | Error> {
  return new Promise((resolve) => {
    const open = url.protocol === 'https:' ? httpsRequest : httpRequest;
    const request = open(url, { method, headers, agent: false, signal }, (response) => {
      const chunks: Buffer[] = [];
      let size = 0;
      response.on('error', resolve);
      response.on('data', (chunk: Buffer) => {
        size += chunk.length;
        chunks.push(chunk);
        if (size > maxBytes) response.destroy(new Error('the answer is too long'));
      });
      response.on('end', () => {
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(chunks) });
      });
    });
    request.on('error', resolve);
    request.end(body);
  });
}

/** As Node names failures of connections; undefined for others. */
export function codeOf(error: Error): string | undefined {
  return 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}

/** What a `GET /v2/` without credentials says about an address. */
type Probe =
  /** `instance` is the value of instanceHeader, when the registry sends one. */
  | { readonly kind: 'open'; readonly instance: string | undefined }
  | { readonly kind: 'guarded' }
  | { readonly kind: 'other'; readonly status: number }
  | { readonly kind: 'unreachable'; readonly reason: string };

/** Response header by which a registry that we started proves that it is that one and not a stranger on its port. */
export const instanceHeader = 'x-registry-instance';

const maxProbeBytes = 64 * 1024;

/** Asks `origin` for `/v2/` (OCI distribution-spec, end-1) without credentials. Never rejects, follows no redirect. */
export async function probeRegistry(origin: string, timeoutMs: number, signal?: AbortSignal): Promise<Probe> {
  const deadline = AbortSignal.timeout(timeoutMs);
  const either = signal === undefined ? deadline : AbortSignal.any([signal, deadline]);
  const answer = await send(new URL('/v2/', origin), { signal: either, maxBytes: maxProbeBytes });
  if (answer instanceof Error) {
    const reason = deadline.aborted ? `no answer within ${timeoutMs / 1000} s` : describe(answer);
    return { kind: 'unreachable', reason };
  }
  const { status, headers, body } = answer;
  if (status === 401) return { kind: 'guarded' };
  const isRegistry = headers['docker-distribution-api-version'] !== undefined || isJson(body);
  if (status !== 200 || !isRegistry) return { kind: 'other', status };
  const instance = headers[instanceHeader];
  return { kind: 'open', instance: typeof instance === 'string' ? instance : undefined };
}

function isJson(body: Buffer): boolean {
  const value = parseJson(body);
  return typeof value === 'object' && value !== null;
}

function describe(error: Error): string {
  const code = codeOf(error);
  if (code === 'ECONNREFUSED') return 'nothing listens there (ECONNREFUSED)';
  if (code === 'ENOTFOUND') return 'the host name is unknown (ENOTFOUND)';
  return error.message === '' ? (code ?? error.name) : error.message;
}
