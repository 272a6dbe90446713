/** Sessions: seen and ended. People see and end their own. */
import { z } from 'zod';
import type { Identity } from '../identity/identify.ts';
import { objectionToAccount } from '../policy/analysis/unknown-account.ts';
import type { CompiledPolicy } from '../policy/evaluate.ts';
import type { AuditLog, Clock, Session, SessionStore } from '../ports.ts';
import { type SessionView, ended, sessionList } from './answers.ts';
import { unmetNeed } from './needs.ts';
import { type Operation, type Outcome, type Refusal, instant, instantOf, operation } from './operation.ts';
import { type Viewer, askedBy, mayEverywhere, nameOf } from './viewer.ts';

export interface SessionParts {
  readonly identity: Pick<Identity, 'endOfSession'>;
  readonly sessions: SessionStore;
  readonly policy: () => { readonly compiled: CompiledPolicy };
  readonly audit: AuditLog;
  readonly clock: Clock;
}

const unavailable: Refusal = {
  ok: false,
  reason: 'unavailable',
  detail: 'the session store cannot be reached; nothing was changed as far as is known',
};
const noSuch: Refusal = { ok: false, reason: 'unknown', detail: 'there is no live session with this id' };

const one = operation<SessionParts>();

const listSessions = one({
  method: 'GET',
  path: '/sessions',
  summary:
    'Live sessions, most recently used first: of everybody for who may inspect everywhere, else their own, which no token shows.',
  needs: 'account',
  input: z.object({ account: z.string().min(1).optional().describe('only those of this account') }),
  answer: sessionList,
  async run({ sessions, clock, identity }, viewer, { account }) {
    const own = nameOf(viewer);
    const mayAll = mayEverywhere(viewer, 'inspect');
    if (!mayAll) {
      const unmet = account !== undefined && account !== own ? notOwn('see') : unmetPerson(viewer);
      if (unmet !== undefined) return unmet;
    }
    const listed = await sessions.list(mayAll ? account : own, clock());
    if (!listed.ok) return unavailable;
    const live = listed.sessions.filter((each) => identity.endOfSession(each) === undefined);
    return { ok: true, answer: { sessions: live.map(viewOf) } };
  },
});

const endSession = one({
  method: 'DELETE',
  path: '/sessions/{id}',
  summary: 'Ends one session: its refresh token and the access tokens issued for it.',
  needs: 'account',
  input: z.object({ id: z.string() }),
  answer: ended,
  async run(parts, viewer, { id }) {
    if (!mayEverywhere(viewer, 'administer')) {
      const unmet = unmetPerson(viewer);
      if (unmet !== undefined) return unmet;
      const own = await parts.sessions.list(nameOf(viewer), parts.clock());
      if (!own.ok) return unavailable;
      if (!own.sessions.some((each) => each.id === id)) return noSuch;
    }
    return endSessions(parts, viewer, { id });
  },
});

export const endSessionsOf = one({
  method: 'DELETE',
  path: '/sessions',
  summary: 'Ends every session of an account.',
  needs: 'account',
  input: z.object({
    account: z.string({ error: 'name the account whose sessions should end' }).min(1).describe('the account'),
  }),
  answer: ended,
  async run(parts, viewer, { account }) {
    if (!mayEverywhere(viewer, 'administer')) {
      const unmet = account === nameOf(viewer) ? unmetPerson(viewer) : notOwn('end');
      if (unmet !== undefined) return unmet;
    }
    return endSessions(parts, viewer, { account });
  },
});

export const sessionOperations: readonly Operation<SessionParts>[] = [listSessions, endSession, endSessionsOf];

function notOwn(what: 'see' | 'end'): Refusal {
  const right = what === 'see' ? 'inspect' : 'administer';
  return { ok: false, reason: 'forbidden', detail: `to ${what} sessions of others takes ${right} in every repository` };
}

function unmetPerson(viewer: Viewer): Refusal | undefined {
  const unmet = unmetNeed('person', viewer);
  return unmet && { ok: false, reason: 'forbidden', detail: unmet.detail };
}

async function endSessions(
  { sessions, audit, clock, policy }: SessionParts,
  viewer: Viewer,
  which: { readonly id: string } | { readonly account: string },
): Promise<Outcome<{ ended: SessionView[] }>> {
  const result = await sessions.revoke(which, clock());
  if (!result.ok) {
    const account = 'account' in which ? which.account : undefined;
    const reason = 'store_unavailable';
    audit.record({ event: 'session', decision: 'error', reason, account, ...askedBy(viewer) });
    return unavailable;
  }
  for (const each of result.ended) {
    const about = { account: each.account, detail: each.id };
    audit.record({ event: 'session', decision: 'allow', reason: 'revoked', ...about, ...askedBy(viewer) });
  }
  if (result.ended.length === 0) {
    const detail = 'id' in which ? noSuch.detail : objectionToAccount(which.account, policy().compiled.policy);
    if (detail !== undefined) return { ok: false, reason: 'unknown', detail };
  }
  return { ok: true, answer: { ended: result.ended.map(viewOf) } };
}

function viewOf({ id, account, created, lastUsed, address, userAgent, kind, label, expires }: Session): SessionView {
  const times = { created: instant(created), lastUsed: instant(lastUsed), expires: instantOf(expires) };
  return { id, account, ...times, address, userAgent, kind: kind ?? 'login', label };
}
