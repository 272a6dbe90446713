/**
 * People who log in with their browser at an OpenID Connect provider. They have no password here: what they hold for docker
 * is made on the page. What they hold stops working a while after their last login, and goes on after the next.
 */
import { hash } from 'node:crypto';
import { type Outside, type Policy, namePattern } from '../../policy/model.ts';
import { namedGroups, spelledInFiles, tooManyGroups } from '../../policy/outside.ts';
import type { Clock, PolicySource, ProvidedPerson, SessionOutside, SessionStore } from '../../ports.ts';
import { loginOutside, ownerMark, standingOutside } from '../outsider.ts';
import { type Authentication, type IdentitySource, type Renewal, isTakenEarlier } from '../source.ts';
import { inSeconds } from '../../time.ts';

export interface WebLoginParts {
  readonly sessions: Pick<SessionStore, 'own' | 'owner'>;
  /** Those that are asked first whose a name is. */
  readonly earlier: readonly IdentitySource[];
  readonly policies: PolicySource;
  readonly clock: Clock;
  /** What is issued to somebody counts for so long after their last login. */
  readonly recheckMs: number;
}

export interface WebLogins extends IdentitySource {
  /** Whom somebody stands for whom the provider has just sent. */
  accept(person: ProvidedPerson): Promise<Authentication>;
}

const maxShown = 60;

/** No password is any of its people's. */
export function createOidcSource({ sessions, earlier, policies, clock, recheckMs }: WebLoginParts): WebLogins {
  async function renew(session: { readonly account: string; readonly outside: SessionOutside }): Promise<Renewal> {
    const now = clock();
    const found = await sessions.owner(session.account);
    if (!found.ok) return unavailable('the store cannot tell when this person logged in last');
    const latest = found.owner?.outside;
    if (found.owner !== undefined && found.owner.id !== ownerMark(session.outside))
      return { ok: false, reason: 'session_ended' };
    const outside = latest === undefined || isKnown(latest, session.outside) ? session.outside : latest;
    const endsAt = outside.lookedUp + recheckMs;
    if (now >= endsAt) return { ok: false, reason: 'login_needed' };
    return { ok: true, outside, endsAt: inSeconds(endsAt) };
  }

  return {
    method: 'oidc',
    login: 'oidc',
    authenticate: () => undefined,
    standing: (policy, { account, outside }) =>
      outside && standingOutside(policy, account, outside, ownerMark(outside)),
    renew: (_policy, session) => renew(session),

    async accept(person) {
      const now = clock();
      const account = spelledInFiles(policies.current().policy, 'oidc', person.name);
      if (!namePattern.test(account)) {
        const detail = `the name "${person.name.slice(0, maxShown)}" is none for an account`;
        return { ok: false, reason: 'account_unknown', detail };
      }
      const taken = await isTakenEarlier(earlier, account);
      if (taken !== undefined) return taken;
      const { policy } = policies.current();
      const outside = outsideOf(policy, person);
      const detail = tooManyGroups(outside.groups);
      if (detail !== undefined) return { ok: false, reason: 'groups_too_many', detail };
      const mark = ownerMark(outside);
      const login = loginOutside(policy, account, outside, { mark, lookedUp: now, now });
      // Only somebody who gets in takes the name from whoever had it.
      if (!login.ok) return login;
      const owned = await sessions.own(account, { id: mark, outside: { ...outside, lookedUp: now } }, now);
      if (!owned.ok) return unavailable('the store cannot tell who had this name before');
      return login;
    },
  };
}

/** What a store says that has lost the last login is older. */
function isKnown(latest: SessionOutside, known: SessionOutside): boolean {
  return latest.lookedUp < known.lookedUp || JSON.stringify(latest) === JSON.stringify(known);
}

function outsideOf(policy: Policy, { issuer, subject, groups }: ProvidedPerson): Outside {
  const id = hash('sha256', `${issuer}\n${subject}`, 'base64url').slice(0, 22);
  return { source: 'oidc', id, groups: namedGroups(policy, 'oidc', groups) };
}

function unavailable(detail: string) {
  return { ok: false, reason: 'source_unavailable', detail } as const;
}
