/** People of the policy files, who log in with passwords. */
import { type Policy, type User, namePattern } from '../../policy/model.ts';
import { principalOf } from '../../policy/principal.ts';
import {
  type Authentication,
  type IdentitySource,
  type Login,
  type Presented,
  type Standing,
  isYetToCome,
} from '../source.ts';
import type { EpochMs } from '../../time.ts';
import { type StoredPasswordParts, checkStored } from '../stored-password.ts';

export interface PasswordParts extends StoredPasswordParts {
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
  parts: StoredPasswordParts,
  policy: Policy,
  presented: Presented,
  now: EpochMs,
): Promise<Authentication> {
  const user = namePattern.test(presented.account) ? policy.users.get(presented.account) : undefined;
  const refused = await checkStored(parts, presented, { peers: policy, hash: user?.password, now });
  if (refused !== undefined) return refused;
  if (user === undefined || user.disabled || isYetToCome(user, now)) return { ok: false, reason: 'account_disabled' };
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
