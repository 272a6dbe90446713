/** Sessions of `docker login`: seen and ended. */
import type { CompiledPolicy } from '../../policy/evaluate.ts';
import type { Identity } from '../../identity/identify.ts';
import { objectionToAccount } from '../../policy/analysis/unknown-account.ts';
import type { AuditLog, Clock, Session, SessionStore } from '../../ports.ts';
import { type SessionView, ended, sessionList } from './admin-types.ts';
import { type Operation, type Result, instant } from './operation.ts';

export interface SessionParts {
  readonly identity: Pick<Identity, 'endOfSession'>;
  readonly sessions: SessionStore;
  readonly policy: () => { readonly compiled: CompiledPolicy };
  readonly audit: AuditLog;
  readonly clock: Clock;
}

const unavailable: Result = {
  ok: false,
  reason: 'unavailable',
  detail: 'the session store cannot be reached; nothing was changed as far as is known',
};

export const sessionOperations: readonly Operation<SessionParts>[] = [
  {
    method: 'GET',
    path: '/api/v1/sessions',
    summary: 'Live sessions, most recently used first.',
    query: { account: 'only those of this account' },
    answer: sessionList,
    run: async ({ sessions, clock, identity }, { query }) => {
      const listed = await sessions.list(query.get('account') ?? undefined, clock());
      if (!listed.ok) return unavailable;
      const live = listed.sessions.filter((one) => identity.endOfSession(one) === undefined);
      return { ok: true, body: { sessions: live.map(viewOf) } };
    },
  },
  {
    method: 'DELETE',
    path: '/api/v1/sessions/{id}',
    summary: 'Ends one session: its refresh token and the access tokens issued for it.',
    answer: ended,
    run: (parts, { id }) => endSessions(parts, { id }),
  },
  {
    method: 'DELETE',
    path: '/api/v1/sessions',
    summary: 'Ends every session of an account.',
    query: { account: 'the account; required' },
    answer: ended,
    run: (parts, { query }) => {
      const account = query.get('account') ?? '';
      return account === ''
        ? Promise.resolve({ ok: false, reason: 'invalid', detail: 'name the account whose sessions should end' })
        : endSessions(parts, { account });
    },
  },
];

async function endSessions(
  { sessions, audit, clock, policy }: SessionParts,
  which: { readonly id: string } | { readonly account: string },
): Promise<Result> {
  const result = await sessions.revoke(which, clock());
  if (!result.ok) {
    const account = 'account' in which ? which.account : undefined;
    audit.record({ event: 'session', decision: 'error', reason: 'store_unavailable', account });
    return unavailable;
  }
  for (const one of result.ended) {
    audit.record({ event: 'session', decision: 'allow', reason: 'revoked', account: one.account, detail: one.id });
  }
  if (result.ended.length === 0) {
    const detail =
      'id' in which
        ? 'there is no live session with this id'
        : objectionToAccount(which.account, policy().compiled.policy);
    if (detail !== undefined) return { ok: false, reason: 'unknown', detail };
  }
  return { ok: true, body: { ended: result.ended.map(viewOf) } };
}

function viewOf({ id, account, created, lastUsed, address, userAgent }: Session): SessionView {
  return { id, account, created: instant(created), lastUsed: instant(lastUsed), address, userAgent };
}
