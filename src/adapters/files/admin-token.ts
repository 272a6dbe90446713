/** The secret between the command line and the admin listener: whoever may read the state directory may use both. */
import { randomBytes } from 'node:crypto';
import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Secret } from '../../secret.ts';
import { hasCode } from '../failure.ts';
import { foreignPath } from './own-path.ts';

const fileName = 'admin-token';

/** Reads the token of a state directory; undefined when there is none. Throws when it cannot be read. */
export function readAdminToken(stateDir: string): Secret | undefined {
  try {
    const text = readFileSync(join(stateDir, fileName), 'utf8').trim();
    return text === '' ? undefined : new Secret(text);
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined;
    throw error;
  }
}

/** The token, made where there is none. Throws, with the fix, when others could have written it or can read it. */
export function ensureAdminToken(stateDir: string): Secret {
  const path = join(stateDir, fileName);
  for (const each of [stateDir, path]) {
    const foreign = foreignPath(each);
    if (foreign !== undefined) throw new Error(`${each} ${foreign}`);
  }
  const mode = statSync(path, { throwIfNoEntry: false })?.mode ?? 0;
  if ((mode & 0o007) !== 0)
    throw new Error(`${path} can be read by every user of this machine; fix: chmod 600 ${path}`);
  const known = readAdminToken(stateDir);
  if (known !== undefined) return known;
  mkdirSync(stateDir, { recursive: true, mode: 0o700 });
  // In place in one step: nobody finds half a token, and of two gateways that start at once both have the same.
  const unfinished = `${path}.${randomBytes(6).toString('hex')}.tmp`;
  writeFileSync(unfinished, `${randomBytes(32).toString('base64url')}\n`, { mode: 0o600, flag: 'wx' });
  try {
    if (statSync(path, { throwIfNoEntry: false }) === undefined) linkSync(unfinished, path);
    else renameSync(unfinished, path);
  } catch (error) {
    if (!hasCode(error, 'EEXIST')) throw error;
  } finally {
    rmSync(unfinished, { force: true });
  }
  const made = readAdminToken(stateDir);
  if (made === undefined) throw new Error(`${path} cannot be made; fix: remove it`);
  return made;
}
