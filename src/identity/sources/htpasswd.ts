/** People of a htpasswd file, who have no groups but those that the policy files declare for their names. */
import { type Outside, namePattern } from '../../policy/model.ts';
import type { PasswordHash } from '../../policy/password-hash.ts';
import { loginOutside, standingOutside } from '../outsider.ts';
import type { Authentication, IdentitySource, Presented } from '../source.ts';
import { type StoredPasswordParts, checkStored } from '../stored-password.ts';
import type { Policy } from '../../policy/model.ts';
import type { EpochMs } from '../../time.ts';

export interface HtpasswdParts extends StoredPasswordParts {
  /** As the file has them now. */
  readonly people: () => { readonly users: ReadonlyMap<string, { readonly password: PasswordHash }> };
  /** Another source comes behind: names that the file has not are its. */
  readonly hasNext: boolean;
}

/** What is issued to somebody is marked with the hash in the file, and ends when that is another one. */
export function createHtpasswdSource({ people, hasNext, ...parts }: HtpasswdParts): IdentitySource {
  const hashOf = (account: string): PasswordHash | undefined =>
    namePattern.test(account) ? people().users.get(account)?.password : undefined;

  async function logIn(policy: Policy, presented: Presented, now: EpochMs): Promise<Authentication> {
    const { account } = presented;
    const hash = hashOf(account);
    const refused = await checkStored(parts, presented, { peers: people(), hash, now });
    if (refused !== undefined) return refused;
    // Hashing may have waited while the file changed.
    if (hash === undefined || hashOf(account)?.text !== hash.text) return { ok: false, reason: 'password_wrong' };
    const outside: Outside = { source: 'htpasswd', id: account, groups: [] };
    return loginOutside(policy, account, outside, { mark: markOf(hash), lookedUp: now, now });
  }

  return {
    method: 'password',
    login: 'htpasswd',
    authenticate: (policy, presented, now) =>
      hasNext && hashOf(presented.account) === undefined ? undefined : logIn(policy, presented, now),
    standing(policy, { account, outside }) {
      const hash = hashOf(account);
      return outside && hash && standingOutside(policy, account, outside, markOf(hash));
    },
    owns: (account) => hashOf(account) !== undefined,
  };
}

function markOf({ text }: PasswordHash): string {
  return `htpasswd\n${text}`;
}
