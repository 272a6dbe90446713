/** Calls to the admin listener of the gateway that runs on this configuration. */
import { readAdminToken } from '../adapters/files/admin-token.ts';
import { formatHostPort } from '../network/host.ts';
import type { Config } from '../config/load.ts';

export type AdminReply =
  | { readonly ok: true; readonly body: unknown }
  /** In words, with what to do. `status` is undefined when there was no answer. */
  | { readonly ok: false; readonly status: number | undefined; readonly message: string };

/** `path` below `/api/v1`, with its query. */
export async function callAdmin(
  config: Config,
  method: 'GET' | 'POST' | 'DELETE',
  path: string,
  timeoutMs = 10_000,
): Promise<AdminReply> {
  const { host, port } = config.admin.listen;
  const everywhere = host === '' || host === '0.0.0.0' || host === '::';
  const address = formatHostPort(everywhere ? '127.0.0.1' : host, port);
  let token;
  try {
    token = readAdminToken(config.stateDir);
  } catch (error) {
    const message = `admin-token in ${config.stateDir} cannot be read: ${error instanceof Error ? error.message : String(error)}`;
    return { ok: false, status: undefined, message };
  }
  if (token === undefined) {
    const message = `there is no admin-token in ${config.stateDir}: no gateway has run with this state directory (stateDir, PORTCULLIS_STATE_DIR)`;
    return { ok: false, status: undefined, message };
  }
  try {
    const response = await fetch(`http://${address}/api/v1${path}`, {
      method,
      headers: { authorization: `Bearer ${token.reveal()}` },
      signal: AbortSignal.timeout(timeoutMs),
    });
    const body: unknown = await response.json();
    if (response.ok) return { ok: true, body };
    const detail =
      typeof body === 'object' && body !== null && 'detail' in body ? String(body.detail) : `status ${response.status}`;
    return { ok: false, status: response.status, message: detail };
  } catch {
    const message = `no gateway answers on its admin listener at ${address} (admin.listen, PORTCULLIS_ADMIN_LISTEN)`;
    return { ok: false, status: undefined, message };
  }
}
