/** Whose the names of accounts are that no policy file knows, in Redis. */
import { loginSources } from '../../policy/model.ts';
import type { SessionOutside, SessionStore } from '../../ports.ts';
import { unavailable } from '../bounds.ts';
import { type RedisCalls, listOf } from './connection.ts';
import { endedAccountName, nameKey, sessionsKey } from './keys.ts';
import { newMarker } from './revocations.ts';
import type { followRevocations } from './revocations.ts';
import { ownName, readOwner } from './scripts.ts';
import { readInstant } from '../../time.ts';

/** Names are remembered, and so is what ended with a change of their owner, for `accountMemoryMs`. */
export function nameOwners(
  calls: RedisCalls,
  revocations: Pick<ReturnType<typeof followRevocations>, 'endAccount'>,
  accountMemoryMs: number,
): Pick<SessionStore, 'own' | 'owner'> {
  return {
    async own(account, { id, passwordChanged = '', outside }, now) {
      const at = Math.floor(now);
      const ended = `${endedAccountName(account)}@${at}`;
      const person = outside === undefined ? [] : [nameKey(id), account, JSON.stringify(outside)];
      const values = [nameKey(account), id, passwordChanged, accountMemoryMs, ended, newMarker(), ...person];
      const reply = listOf(await calls.run(ownName, [sessionsKey], values));
      if (reply === undefined) return unavailable;
      const [hasEnded, former] = [reply[0] === 1, String(reply[1])];
      if (hasEnded) revocations.endAccount(account, at, accountMemoryMs);
      if (former !== '') revocations.endAccount(former, at, accountMemoryMs);
      return { ok: true, hasEnded };
    },

    async owner(account) {
      const reply = listOf(await calls.run(readOwner, [sessionsKey], [nameKey(account)]));
      if (reply === undefined) return unavailable;
      const [id, changed, told] = reply.map((value) => (typeof value === 'string' ? value : undefined));
      if (id === undefined) return { ok: true, owner: undefined };
      const outside = told === undefined ? undefined : readOutside(told);
      return { ok: true, owner: { id, passwordChanged: readInstant(changed), outside } };
    },
  };
}

/** As a session and an owner have it. Undefined for anything else: of whom it is nobody can tell then. */
export function readOutside(text: string): SessionOutside | undefined {
  try {
    const { source, id, groups, lookedUp } = JSON.parse(text) as Partial<SessionOutside>;
    const known = loginSources.find((each) => each === source);
    const at = readInstant(lookedUp);
    const isWhole = typeof id === 'string' && at !== undefined && Array.isArray(groups);
    return isWhole && known !== undefined ? { source: known, id, groups: groups.map(String), lookedUp: at } : undefined;
  } catch {
    return undefined;
  }
}
