/** The logins that `docker login` stored on this machine: docker's `config.json` and its credential helpers. */
import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { type StoredLogin, dockerLoginsFor } from '../../distribution/docker-logins.ts';
import { parseJson } from '../../distribution/json.ts';
import { askHelper } from './credential-helper.ts';

export type StoredLoginReading =
  /** `login` is undefined when docker is not logged in there. */
  | { readonly ok: true; readonly login: StoredLogin | undefined }
  /** In words, with what to do; holds no secret. */
  | { readonly ok: false; readonly problem: string; readonly fix: string };

type Environment = Readonly<Record<string, string | undefined>>;

/** A helper may ask a person to unlock a keychain. */
const helperMs = 60_000;

/** How docker is logged in at `host` (`name[:port]`), from `$DOCKER_CONFIG` or `~/.docker`. Never throws. `waitMs` for tests. */
export async function readStoredLogin(
  env: Environment,
  host: string,
  isTls: boolean,
  waitMs = helperMs,
): Promise<StoredLoginReading> {
  const directory = env['DOCKER_CONFIG'] || join(env['HOME'] || homedir(), '.docker');
  const path = join(directory, 'config.json');
  let text;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR'))
      return { ok: true, login: undefined };
    const reason = error instanceof Error ? error.message : String(error);
    return unreadable(`docker's configuration cannot be read: ${reason}`, path);
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
