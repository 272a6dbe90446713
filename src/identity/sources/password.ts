/** People of the policy files, who log in with passwords. */
import { maxPasswordLength } from '../../distribution/credentials.ts';
import { type Policy, type User, namePattern } from '../../policy/model.ts';
import { principalOf } from '../../policy/principal.ts';
import type { LoginGuard } from '../login-guard.ts';
import type { Passwords } from '../password.ts';
import {
  type Authentication,
  type IdentitySource,
  type Login,
  type Presented,
  type Standing,
  isYetToCome,
} from '../source.ts';
import type { EpochMs } from '../../time.ts';
import type { VerifiedPasswords } from '../verified-passwords.ts';

export interface PasswordParts {
  readonly passwords: Passwords;
  readonly verified: VerifiedPasswords;
  readonly guard: LoginGuard;
  /** Other sources come behind: names that have no password here are theirs. */
  readonly hasNext?: boolean;
}

/**
 * Takes whatever is presented, or only people with a password of the files where another source comes next. Same work
 * whether or not the account exists, also when failed logins hold it back. A disabled account is told apart only after its
 * password was right.
 */
export function createPasswordSource(parts: PasswordParts): IdentitySource {
  return {
    method: 'password',
    authenticate(policy, presented, now): Promise<Authentication> | undefined {
      const isNext = parts.hasNext === true && policy.users.get(presented.account)?.password === undefined;
      return isNext ? undefined : logIn(parts, policy, presented, now);
    },
    standing(policy, { account, secretId }): Standing | undefined {
      const user = secretId === undefined ? policy.users.get(account) : undefined;
      return user && (user.disabled ? { ...loginOf(user), principal: undefined } : loginOf(user));
    },
  };
}

async function logIn(
  { passwords, verified, guard }: PasswordParts,
  policy: Policy,
  { account, password, address, isExcused = false }: Presented,
  now: EpochMs,
): Promise<Authentication> {
  if (password === '') return { ok: false, reason: 'password_missing' };
  if (Buffer.byteLength(password) > maxPasswordLength) return { ok: false, reason: 'password_too_long' };
  const user = namePattern.test(account) ? policy.users.get(account) : undefined;
  const hash = user?.password;
  const isRemembered = hash !== undefined && verified.has(account, password, hash.text, now);
  const storedHash = hash?.text ?? '';
  const outcome = isRemembered
    ? 'match'
    : await guard.attempt({ account, password, storedHash, address, isExcused }, () =>
        passwords.verify(policy, hash, password),
      );
  if (typeof outcome === 'object') return { ok: false, reason: 'login_held', ...outcome };
  if (outcome === 'busy') return { ok: false, reason: 'hashing_busy' };
  if (user === undefined || hash === undefined) return { ok: false, reason: 'account_unknown' };
  if (outcome === 'mismatch') return { ok: false, reason: 'password_wrong' };
  if (user.disabled || isYetToCome(user, now)) return { ok: false, reason: 'account_disabled' };
  if (!isRemembered) verified.add(account, password, hash.text, now);
  return { ok: true, login: loginOf(user) };
}

const logins = new WeakMap<User, Login>();

function loginOf(user: User): Login {
  const known = logins.get(user);
  if (known !== undefined) return known;
  const { password, validFrom = 0 } = user;
  const login: Login = { principal: principalOf('user', user), validFrom, mark: password?.text ?? '' };
  logins.set(user, login);
  return login;
}
