/** What answers at an address: an open registry, a guarded one, something else, nobody. */
import { parseJson } from '../distribution/json.ts';
import { codeOf, send } from './request.ts';

/** What a `GET /v2/` without credentials says about an address. */
export type Probe =
  /** `instance` is the value of instanceHeader, when the registry sends one. */
  | { readonly kind: 'open'; readonly instance: string | undefined }
  | { readonly kind: 'guarded' }
  | { readonly kind: 'other'; readonly status: number }
  | { readonly kind: 'unreachable'; readonly reason: string };

/** Response header by which a registry that we started proves that it is that one and not a stranger on its port. */
export const instanceHeader = 'x-registry-instance';

const maxBytes = 64 * 1024;

/** Asks `origin` for `/v2/` (OCI distribution-spec, end-1) without credentials. Never rejects, follows no redirect. */
export async function probeRegistry(origin: string, timeoutMs: number, signal?: AbortSignal): Promise<Probe> {
  const deadline = AbortSignal.timeout(timeoutMs);
  const either = signal === undefined ? deadline : AbortSignal.any([signal, deadline]);
  const answer = await send(new URL('/v2/', origin), { signal: either, maxBytes });
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
