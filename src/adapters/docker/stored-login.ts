/** The logins that docker, podman and others stored on this machine: their files, and their credential helpers. */
import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { type StoredLogin, dockerLoginsFor } from '../../distribution/docker-logins.ts';
import { parseJson } from '../../distribution/json.ts';
import { askHelper } from './credential-helper.ts';

export type StoredLoginReading =
  /** `login` is undefined when nobody is logged in there. */
  | { readonly ok: true; readonly login: StoredLogin | undefined }
  /** In words, with what to do; holds no secret. */
  | { readonly ok: false; readonly problem: string; readonly fix: string };

type Environment = Readonly<Record<string, string | undefined>>;

/** A helper may ask a person to unlock a keychain. */
const helperMs = 60_000;

/**
 * How the tools of this machine are logged in at `host` (`name[:port]`): the first that is, of docker, then podman, skopeo
 * and buildah (containers-auth.json). Never throws. `waitMs` for tests.
 */
export async function readStoredLogin(
  env: Environment,
  host: string,
  isTls: boolean,
  waitMs = helperMs,
): Promise<StoredLoginReading> {
  for (const path of filesOf(env)) {
    const found = await readFrom(path, { env, host, isTls, waitMs });
    if (!found.ok || found.login !== undefined) return found;
  }
  return { ok: true, login: undefined };
}

/** In the order in which they are looked at. */
function filesOf(env: Environment): readonly string[] {
  const home = env['HOME'] || homedir();
  const named = env['REGISTRY_AUTH_FILE'];
  const runtime = env['XDG_RUNTIME_DIR'];
  return [
    ...(named ? [named] : []),
    join(env['DOCKER_CONFIG'] || join(home, '.docker'), 'config.json'),
    ...(runtime ? [join(runtime, 'containers', 'auth.json')] : []),
    join(env['XDG_CONFIG_HOME'] || join(home, '.config'), 'containers', 'auth.json'),
  ];
}

interface Wanted {
  readonly env: Environment;
  readonly host: string;
  readonly isTls: boolean;
  readonly waitMs: number;
}

async function readFrom(path: string, { env, host, isTls, waitMs }: Wanted): Promise<StoredLoginReading> {
  let text;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR'))
      return { ok: true, login: undefined };
    const reason = error instanceof Error ? error.message : String(error);
    return unreadable(`${path} cannot be read: ${reason}`, path);
  }
  const config = parseJson(text.replace(/^\ufeff/, ''));
  if (typeof config !== 'object' || config === null) return unreadable(`${path} is not JSON`, path);
  const { helper, kept } = dockerLoginsFor(config, host, isTls);
  for (const server of helper?.servers ?? []) {
    const told = await askHelper({ name: helper?.name ?? '', server, env, waitMs, isAttended: true });
    if (!told.ok) {
      const fix = `repair it, take it out of ${path} and log in again, or use --user NAME --password-stdin`;
      return { ok: false, problem: told.problem, fix };
    }
    if (told.login !== undefined) return { ok: true, login: told.login };
  }
  return { ok: true, login: kept };
}

function unreadable(problem: string, path: string): StoredLoginReading {
  return { ok: false, problem, fix: `mend ${path}, or use --user NAME --password-stdin` };
}
