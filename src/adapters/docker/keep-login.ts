/** A login put where docker, podman and others look for it: with a credential helper, or in docker's `config.json`. */
import { mkdir, readFile, realpath } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { dockerLoginsFor } from '../../distribution/docker-logins.ts';
import { field, parseJson } from '../../distribution/json.ts';
import { hasCode, wordsOf } from '../failure.ts';
import { writePrivateFile } from '../files/whole-file.ts';
import { askHelper } from './credential-helper.ts';

export interface KeptLogin {
  /** `name[:port]`. */
  readonly host: string;
  readonly isTls: boolean;
  readonly account: string;
  readonly secret: string;
}

export type Keeping =
  /** `where`: a file, or the helper that has it. */
  | { readonly ok: true; readonly where: string; readonly isHelper: boolean }
  /** In words, with what to do; holds no secret. */
  | { readonly ok: false; readonly problem: string; readonly fix: string };

/** A helper may ask a person to unlock a keychain. */
const helperMs = 60_000;

/** All else in the file stays; it is replaced as a whole, for its owner alone. Never rejects. */
export async function keepLogin(
  env: Readonly<Record<string, string | undefined>>,
  { host, isTls, account, secret }: KeptLogin,
): Promise<Keeping> {
  const path = join(env['DOCKER_CONFIG'] || join(env['HOME'] || homedir(), '.docker'), 'config.json');
  const config = await readConfig(path);
  if ('problem' in config) return { ok: false, ...config };
  const { helper } = dockerLoginsFor(config.value, host, isTls);
  if (helper !== undefined) {
    const login = { account, secret };
    const told = await askHelper({ name: helper.name, server: host, env, waitMs: helperMs, isAttended: true, login });
    if (!told.ok) return { ok: false, problem: told.problem, fix: `repair it, or take it out of ${path}` };
  }
  const auths = field(config.value, 'auths');
  // As docker does: an empty entry tells that a helper has it.
  const entry = helper === undefined ? { auth: Buffer.from(`${account}:${secret}`).toString('base64') } : {};
  const next = { ...config.value, auths: { ...(typeof auths === 'object' ? auths : {}), [host]: entry } };
  try {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    await writePrivateFile(await target(path), `${JSON.stringify(next, null, '\t')}\n`);
  } catch (error) {
    return { ok: false, problem: `${path} cannot be written: ${wordsOf(error)}`, fix: 'make room or rights for it' };
  }
  return {
    ok: true,
    where: helper === undefined ? path : `docker-credential-${helper.name}`,
    isHelper: helper !== undefined,
  };
}

/** Behind a link, as people have who keep their settings elsewhere. */
async function target(path: string): Promise<string> {
  return realpath(path).catch(() => path);
}

async function readConfig(
  path: string,
): Promise<{ readonly value: object } | { readonly problem: string; readonly fix: string }> {
  let text;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return { value: {} };
    return { problem: `${path} cannot be read: ${wordsOf(error)}`, fix: `mend ${path}` };
  }
  const value = text.trim() === '' ? {} : parseJson(text.replace(/^\ufeff/, ''));
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? { value }
    : { problem: `${path} is not JSON`, fix: `mend ${path}; nothing in it was changed` };
}
