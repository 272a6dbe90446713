/** Somebody from outside as the policy in force sees them: mapped groups, and what the files say of their name. */
import type { Account, LoginSource, Outside, Policy } from '../policy/model.ts';
import { nameInFiles, principalOutside, spelledInFiles } from '../policy/outside.ts';
import type { Authentication, Login, Standing } from './source.ts';
import { isYetToCome } from './source.ts';
import type { EpochMs } from '../time.ts';

/** What what is issued to somebody outside is marked with: whose the name is in which source. */
export function ownerMark({ source, id }: Pick<Outside, 'source' | 'id'>): string {
  return `${source}\n${id}`;
}

const remembered = new WeakMap<
  Outside,
  { readonly policy: Policy; readonly name: string; readonly standing: Standing }
>();

/** The same object for the same policy and person, so that what hangs on it is worked out once. */
export function standingOutside(policy: Policy, called: string, outside: Outside, mark: string | undefined): Standing {
  const known = remembered.get(outside);
  if (known?.policy === policy && known.name === called && known.standing.mark === mark) return known.standing;
  const name = spelledInFiles(policy, outside.source, called);
  const found = nameInFiles(policy, outside.source, name);
  const isClosed = found.takenBy !== undefined || found.disabled;
  const principal = isClosed ? undefined : principalOutside(policy, name, outside, found);
  // A name with a new owner: what was issued before has ended for good.
  const validFrom = found.takenBy === undefined ? found.validFrom : Infinity;
  const standing = { principal, validFrom, mark, outside };
  remembered.set(outside, { policy, name: called, standing });
  return standing;
}

/** A login that the source found right, unless the files say otherwise. `lookedUp`: when the source was asked. */
export function loginOutside(
  policy: Policy,
  name: string,
  outside: Outside,
  { mark, lookedUp, now }: { readonly mark: string; readonly lookedUp: EpochMs; readonly now: EpochMs },
): Authentication {
  const { takenBy } = nameInFiles(policy, outside.source, name);
  if (takenBy !== undefined) return conflict(name, outside.source, takenBy);
  const { principal, validFrom } = standingOutside(policy, name, outside, mark);
  if (principal === undefined || isYetToCome({ validFrom }, now)) return { ok: false, reason: 'account_disabled' };
  const login: Login = { principal, validFrom, mark, outside, lookedUp };
  return { ok: true, login };
}

function conflict(name: string, source: LoginSource, takenBy: Account): Authentication {
  const owner = `${takenBy.kind} "${takenBy.name}"`;
  const what = takenBy.kind === 'user' ? `${owner}, who has a password` : owner;
  return {
    ok: false,
    reason: 'account_conflict',
    detail: `${source} knows "${name}", and the policy files know ${what}`,
  };
}
