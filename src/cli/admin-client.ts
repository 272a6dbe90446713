/** Calls to the admin listener of the gateway that runs on this configuration. */
import { readAdminToken } from '../adapters/files/admin-token.ts';
import { formatHostPort, isEveryInterface } from '../network/host.ts';
import type { Config } from '../config/load.ts';
import { readConfiguration } from './configuration.ts';
import { type ExitCode, complain, exitCodes, reportBroken } from './report.ts';

type AdminReply =
  | { readonly ok: true; readonly body: unknown }
  /** In words, with what to do. */
  | { readonly ok: false; readonly message: string };

/** `host:port` at which the admin listener can be reached from here. */
export function adminAddress({ admin: { listen } }: Config): string {
  return formatHostPort(isEveryInterface(listen.host) ? '127.0.0.1' : listen.host, listen.port);
}

/** `path` below `/api/v1`, with its query; `body` of a POST as JSON. */
export async function callAdmin(
  config: Config,
  method: 'GET' | 'POST' | 'DELETE',
  path: string,
  timeoutMs = 10_000,
  body?: unknown,
): Promise<AdminReply> {
  const address = adminAddress(config);
  let token;
  try {
    token = readAdminToken(config.stateDir);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return { ok: false, message: `admin-token in ${config.stateDir} cannot be read: ${reason}` };
  }
  if (token === undefined) {
    const message = `there is no admin-token in ${config.stateDir}: no gateway has run with this state directory (stateDir, PORTCULLIS_STATE_DIR)`;
    return { ok: false, message };
  }
  try {
    const response = await fetch(`http://${address}/api/v1${path}`, {
      method,
      headers: { authorization: `Bearer ${token.reveal()}`, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(timeoutMs),
    });
    const said: unknown = await response.json();
    if (response.ok) return { ok: true, body: said };
    const isProblem = typeof said === 'object' && said !== null && 'detail' in said;
    return { ok: false, message: isProblem ? String(said.detail) : `status ${response.status}` };
  } catch {
    const message = `no gateway answers on its admin listener at ${address} (admin.listen, PORTCULLIS_ADMIN_LISTEN)`;
    return { ok: false, message };
  }
}

/** Shows what the listener of the configured gateway answers; 1 when there is no answer. */
export async function askAdmin(
  method: 'GET' | 'DELETE',
  path: string,
  show: (body: unknown) => void,
): Promise<ExitCode> {
  const configuration = readConfiguration();
  if (!configuration.ok) return reportBroken(configuration.problems);
  const reply = await callAdmin(configuration.config, method, path);
  if (!reply.ok) return complain(reply.message);
  show(reply.body);
  return exitCodes.ok;
}

const aliveMs = 3000;

/** 0 when the gateway of this configuration is alive. */
export async function healthcheck(): Promise<ExitCode> {
  const configuration = readConfiguration();
  if (!configuration.ok) return reportBroken(configuration.problems);
  const address = adminAddress(configuration.config);
  try {
    const response = await fetch(`http://${address}/livez`, { signal: AbortSignal.timeout(aliveMs) });
    return response.ok ? exitCodes.ok : complain(`the admin listener answers ${response.status}`);
  } catch {
    return complain(`no answer from the admin listener at ${address}`);
  }
}
