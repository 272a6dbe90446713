/** What lies beside the files of a directory: the public keys that signed them; and which of them have been kept for long enough. */
import { randomUUID } from 'node:crypto';
import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { dayOf } from '../../audit/file-name.ts';
import type { TokenKey } from '../../ports.ts';
import { hasCode } from '../failure.ts';
import { listAuditFiles } from '../files/audit-files.ts';

/** Public keys of everybody who signed here, as a JWK set (RFC 7517). */
export const keysFile = 'keys.jwks';

const dayMs = 86_400_000;

/** Adds a key that is not there yet; those of others stay. Rejects when it cannot be written. */
export async function keepPublicKey(directory: string, { publicKey, kid, algorithm }: TokenKey): Promise<void> {
  const path = join(directory, keysFile);
  const known = await publicKeysIn(path);
  if (known.some((key) => key.kid === kid)) return;
  const keys = [...known, { ...publicKey.export({ format: 'jwk' }), kid, alg: algorithm, use: 'sig' }];
  const unfinished = join(directory, `.${keysFile}.${randomUUID()}`);
  await writeFile(unfinished, `${JSON.stringify({ keys }, null, 2)}\n`, { mode: 0o640, flag: 'wx' });
  await rename(unfinished, path);
}

/** Of a JWK set; nothing of a file that is missing or none. */
async function publicKeysIn(path: string): Promise<readonly { readonly kid?: unknown }[]> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return [];
    throw error;
  }
  try {
    const { keys } = JSON.parse(text) as { readonly keys?: unknown };
    return Array.isArray(keys)
      ? (keys as readonly { readonly kid?: unknown }[]).filter((key) => typeof key?.kid === 'string')
      : [];
  } catch {
    return [];
  }
}

/**
 * Deletes the files of days that ended more than `keepMs` ago, whoever wrote them. Their names. The newest file of an
 * earlier day says how late it is as well: a clock that is years ahead takes nothing away on the day that it tells.
 */
export async function deleteOld(directory: string, keepMs: number, now: number): Promise<readonly string[]> {
  const files = await listAuditFiles(directory);
  const today = dayOf(now);
  const newest = files.findLast(({ day }) => day < today);
  if (newest === undefined) return [];
  const first = dayOf(Math.min(now, Date.parse(newest.day) + 2 * dayMs - 1) - keepMs);
  const old = files.filter(({ day }) => day < first);
  for (const { path } of old) await rm(path, { force: true });
  return old.map(({ name }) => name);
}
