/** The logins that `docker login` stored on this machine: docker's `config.json` and its credential helpers. */
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { type StoredLogin, dockerLoginsFor, storedLogin } from '../../distribution/docker-logins.ts';
import { field, parseJson } from '../../distribution/json.ts';
import { escapeUnprintable } from '../../document/problem.ts';

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
    const told = await askHelper(env, helper?.name ?? '', server, waitMs);
    if (typeof told === 'string') {
      const fix = `repair it, take it out of ${path} and log in again, or use --user NAME --password-stdin`;
      return { ok: false, problem: told, fix };
    }
    if (told.login !== undefined) return { ok: true, login: told.login };
  }
  return { ok: true, login: kept };
}

function unreadable(problem: string, path: string): StoredLoginReading {
  return { ok: false, problem, fix: `mend ${path}, or use --user NAME --password-stdin` };
}

/** `get` of docker's credential-helper protocol; why it cannot be asked, in words. */
function askHelper(
  env: Environment,
  name: string,
  server: string,
  waitMs: number,
): Promise<string | { readonly login: StoredLogin | undefined }> {
  const program = `docker-credential-${name}`;
  // The name becomes a program: not one of any folder.
  if (!/^[\w.-]+$/.test(name)) return Promise.resolve(`${JSON.stringify(name)} is no name of a credential helper`);
  return new Promise((resolve) => {
    const limits = { env: { ...env }, timeout: waitMs, killSignal: 'SIGKILL', maxBuffer: 1024 * 1024 } as const;
    const child = execFile(program, ['get'], limits, (error, stdout, stderr) => {
      if (error === null) {
        const told = parseJson(stdout);
        const [account, secret] = [field(told, 'Username'), field(told, 'Secret')];
        if (typeof account !== 'string' || typeof secret !== 'string')
          return resolve(`${program} answered in another form than docker's credential helpers do`);
        return resolve({ login: storedLogin(account, secret) });
      }
      if (error.code === 'ENOENT') return resolve(`${program} is not on PATH, and docker keeps its logins with it`);
      if (error.code === 'EACCES') return resolve(`${program} may not be run, and docker keeps its logins with it`);
      if (error.killed === true) return resolve(`${program} did not answer within ${waitMs / 1000} s`);
      // Helpers say it on standard output.
      const said = stdout.trim() || stderr.trim();
      if (/credentials not found/i.test(said)) return resolve({ login: undefined });
      const [line = ''] = said.split('\n', 1);
      // One that prints what it has and fails nevertheless would have its secret shown.
      const shown =
        line === '' || /[{}]|secret["']?\s*[:=]/i.test(line) ? '' : `: ${escapeUnprintable(line.slice(0, 200))}`;
      return resolve(`${program} failed${shown}`);
    });
    child.stdin?.on('error', () => undefined);
    child.stdin?.end(server);
  });
}
