/** A password against one that is stored here: guarded, hashed in turn, and remembered for a while when it was right. */
import { maxPasswordLength } from '../distribution/credentials.ts';
import type { PasswordHash } from '../policy/password-hash.ts';
import type { LoginGuard } from './login-guard.ts';
import type { Passwords, Peers } from './password.ts';
import type { Authentication, Presented } from './source.ts';
import type { VerifiedPasswords } from './verified-passwords.ts';
import type { EpochMs } from '../time.ts';

export interface StoredPasswordParts {
  readonly passwords: Passwords;
  readonly verified: VerifiedPasswords;
  readonly guard: LoginGuard;
}

/** Undefined when it is right. The same work for every name among `peers`, and for one that has no `hash` there. */
export async function checkStored(
  { passwords, verified, guard }: StoredPasswordParts,
  { account, password, address, isExcused = false }: Presented,
  { peers, hash, now }: { readonly peers: Peers; readonly hash: PasswordHash | undefined; readonly now: EpochMs },
): Promise<Extract<Authentication, { readonly ok: false }> | undefined> {
  if (password === '') return { ok: false, reason: 'password_missing' };
  if (Buffer.byteLength(password) > maxPasswordLength) return { ok: false, reason: 'password_too_long' };
  const storedHash = hash?.text ?? '';
  if (hash !== undefined && verified.has(account, password, storedHash, now)) return undefined;
  const outcome = await guard.attempt({ account, password, storedHash, address, isExcused }, () =>
    passwords.verify(peers, hash, password),
  );
  if (typeof outcome === 'object') return { ok: false, reason: 'login_held', ...outcome };
  if (outcome === 'busy') return { ok: false, reason: 'hashing_busy' };
  if (hash === undefined) return { ok: false, reason: 'account_unknown' };
  if (outcome === 'mismatch') return { ok: false, reason: 'password_wrong' };
  verified.add(account, password, storedHash, now);
  return undefined;
}
