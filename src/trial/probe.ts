/** What answers at an address: an open registry, a guarded one, something else, nobody. */
import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';

/** What a `GET /v2/` without credentials says about an address. */
export type Probe =
  /** `instance` is the value of instanceHeader, when the registry sends one. */
  | { readonly kind: 'open'; readonly instance: string | undefined }
  | { readonly kind: 'guarded' }
  | { readonly kind: 'other'; readonly status: number }
  | { readonly kind: 'unreachable'; readonly reason: string };

/** Response header by which a registry that we started proves that it is that one and not a stranger on its port. */
export const instanceHeader = 'x-registry-instance';

const maxBodyBytes = 64 * 1024;

/** Asks `origin` for `/v2/` (OCI distribution-spec, end-1) without credentials. Never rejects, follows no redirect. */
export function probeRegistry(origin: string, timeoutMs: number, signal?: AbortSignal): Promise<Probe> {
  return new Promise((resolve) => {
    const unreachable = (error: Error): void => resolve({ kind: 'unreachable', reason: describe(error) });
    const deadline = AbortSignal.timeout(timeoutMs);
    const url = new URL('/v2/', origin);
    const send = url.protocol === 'https:' ? httpsRequest : httpRequest;
    const request = send(
      url,
      { agent: false, signal: signal === undefined ? deadline : AbortSignal.any([signal, deadline]) },
      (response) => {
        const chunks: Buffer[] = [];
        let size = 0;
        response.on('data', (chunk: Buffer) => {
          size += chunk.length;
          if (size <= maxBodyBytes) chunks.push(chunk);
          else response.destroy(new Error('the answer is too long for a registry'));
        });
        response.on('error', unreachable);
        response.on('end', () => {
          const status = response.statusCode ?? 0;
          const instance = response.headers[instanceHeader];
          if (status === 401) resolve({ kind: 'guarded' });
          else if (
            status === 200 &&
            (response.headers['docker-distribution-api-version'] !== undefined || isJson(Buffer.concat(chunks)))
          ) {
            resolve({ kind: 'open', instance: typeof instance === 'string' ? instance : undefined });
          } else resolve({ kind: 'other', status });
        });
      },
    );
    request.on('error', (error) => {
      unreachable(deadline.aborted ? new Error(`no answer within ${timeoutMs / 1000} s`) : error);
    });
    request.end();
  });
}

function isJson(body: Buffer): boolean {
  try {
    const value: unknown = JSON.parse(body.toString('utf8'));
    return typeof value === 'object' && value !== null;
  } catch {
    return false;
  }
}

function describe(error: Error): string {
  const code = 'code' in error && typeof error.code === 'string' ? error.code : undefined;
  if (code === 'ECONNREFUSED') return 'nothing listens there (ECONNREFUSED)';
  if (code === 'ENOTFOUND') return 'the host name is unknown (ENOTFOUND)';
  return error.message === '' ? (code ?? error.name) : error.message;
}
