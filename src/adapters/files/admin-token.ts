/** The secret between the command line and the admin listener: whoever may read the state directory may use both. */
import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Secret } from '../../config/secret.ts';

const fileName = 'admin-token';

/** Reads the token of a state directory; undefined when there is none. Throws when it cannot be read. */
export function readAdminToken(stateDir: string): Secret | undefined {
  try {
    const text = readFileSync(join(stateDir, fileName), 'utf8').trim();
    return text === '' ? undefined : new Secret(text);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}

/** The token, made at the first start. */
export function ensureAdminToken(stateDir: string): Secret {
  const known = readAdminToken(stateDir);
  if (known !== undefined) return known;
  mkdirSync(stateDir, { recursive: true, mode: 0o700 });
  const text = randomBytes(32).toString('base64url');
  writeFileSync(join(stateDir, fileName), `${text}\n`, { mode: 0o600, flag: 'wx' });
  return new Secret(text);
}
