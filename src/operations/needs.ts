/** Who may ask at all: what an operation needs of its viewer before it looks at anything. */
import { describePrincipal } from '../policy/describe.ts';
import type { Needs } from './operation.ts';
import { type Looker, type Viewer, mayEverywhere } from './viewer.ts';

/** Why somebody may not ask. `login`: as nobody in particular; who logs in may. */
export interface Needed {
  readonly ok: false;
  readonly reason: 'login' | 'forbidden';
  /** A sentence for whoever asked. */
  readonly detail: string;
}

/** undefined for who may. An operator may do everything but what belongs to a person. */
export function unmetNeed(needs: Needs, viewer: Viewer): Needed | undefined {
  if (viewer.kind === 'operator')
    return needs === 'person' ? forbidden('this belongs to a person, and the admin token to nobody') : undefined;
  if (needs === 'anybody') return undefined;
  if (viewer.caller.principal.kind === 'anonymous') return { ok: false, reason: 'login', detail: 'log in' };
  switch (needs) {
    case 'account':
      return undefined;
    case 'person':
      return unmetInPerson(viewer);
    case 'inspect':
    case 'administer':
      return mayEverywhere(viewer, needs) ? undefined : unmetEverywhere(viewer, needs);
  }
}

/** Why the viewer may not do what only a person may, with their password or on the page. */
function unmetInPerson({ caller: { principal }, isInPerson }: Looker): Needed | undefined {
  if (principal.kind !== 'user') return forbidden(`${describePrincipal(principal)} may not: this is for people`);
  return isInPerson ? undefined : forbidden(byToken);
}

const byToken = 'a token may not do this: use the password, or the page';

function unmetEverywhere(viewer: Looker, action: 'inspect' | 'administer'): Needed {
  const { caller, isInPerson } = viewer;
  const who = describePrincipal(caller.principal);
  if (caller.bound !== undefined)
    return forbidden(`a token for certain repositories may not: this takes ${action} in every repository`);
  // Of a token of somebody's own the policy gives nothing to administer, whoever made it.
  const mayInPerson =
    action === 'administer' &&
    !isInPerson &&
    (caller.ownToken !== undefined || mayEverywhere({ ...viewer, isInPerson: true }, action));
  return forbidden(mayInPerson ? byToken : `${who} may not: this takes ${action} in every repository`);
}

function forbidden(detail: string): Needed {
  return { ok: false, reason: 'forbidden', detail };
}
