/** What is somebody's own: where they are logged in, what is left of their limits, their access tokens. */
import { z } from 'zod';
import type { Limits } from '../limits/spend.ts';
import type { Session } from '../ports.ts';
import { type OwnAccount, ownAccount } from './answers.ts';
import { ownLimits } from './me.ts';
import { type Operation, instant, instantOf, operation } from './operation.ts';
import { type OwnTokensParts, ownToken, endOwn, ownTokenView, personOf, storeAway } from './own-tokens.ts';

export interface MyAccountParts extends OwnTokensParts {
  readonly limits: Pick<Limits, 'look'>;
  /** Where people log in at a provider: so long after their last login what they hold counts. */
  readonly recheckSeconds?: number | undefined;
}

const ownSession = z.object({
  id: z.string(),
  kind: z.enum(['login', 'web']).describe('of docker login, or of the page'),
  isThis: z.boolean().describe('by which this was asked'),
  created: z.iso.datetime(),
  lastUsed: z.iso.datetime(),
  expires: z.iso.datetime().optional(),
  address: z.string().optional(),
  userAgent: z.string().optional(),
});
export type OwnSessionView = z.infer<typeof ownSession>;

export type OwnLimitView = OwnAccount['limits'][number];

/** Of thousands that a script opened; the store writes together what comes together. */
const endedAtOnce = 100;

const one = operation<MyAccountParts>();

export const myAccount = one({
  method: 'GET',
  path: '/me/account',
  summary: 'Your own sessions, access tokens and limits, as the page shows them.',
  needs: 'person',
  input: z.object({}),
  answer: z.object({
    account: z.string(),
    groups: z.array(z.string()),
    source: ownAccount.shape.source,
    recheckSeconds: z
      .int()
      .optional()
      .describe('of somebody who logs in at a provider: so long after their last login access tokens count'),
    sessions: z.array(ownSession),
    tokens: z.array(ownToken),
    limits: ownAccount.shape.limits,
    longestSeconds: z.int().describe('the longest life of an access token'),
  }),
  async run(parts, viewer) {
    const { sessions, identity, clock, personalMaxTtlSeconds: longestSeconds } = parts;
    const { account, caller, sessionId } = personOf(viewer);
    const listed = await sessions.list(account, clock());
    if (!listed.ok) return storeAway;
    const live = listed.sessions.filter((each) => identity.endOfSession(each) === undefined);
    const own = live.filter(({ kind }) => kind !== 'personal').map((each) => sessionView(each, sessionId));
    const tokens = live.filter(({ kind }) => kind === 'personal').map(ownTokenView);
    const groups = 'groups' in caller.principal ? [...caller.principal.groups] : [];
    const source = 'outside' in caller.principal ? caller.principal.outside?.source : undefined;
    const recheckSeconds = source === 'oidc' ? parts.recheckSeconds : undefined;
    const limits = viewer.kind === 'caller' ? await ownLimits(parts, viewer) : [];
    const from = { account, groups, source, recheckSeconds };
    return { ok: true, answer: { ...from, sessions: own, tokens, limits, longestSeconds } };
  },
});

export const endOtherSessions = one({
  method: 'DELETE',
  path: '/me/sessions',
  summary: 'Ends your sessions but the one by which you ask. Access tokens stay.',
  needs: 'person',
  input: z.object({}),
  answer: z.object({ ended: z.int() }),
  async run(parts, viewer) {
    const { sessions, clock } = parts;
    const { account, sessionId, asked } = personOf(viewer);
    const listed = await sessions.list(account, clock());
    if (!listed.ok) return storeAway;
    const others = listed.sessions.filter(({ id, kind }) => kind !== 'personal' && id !== sessionId);
    for (let at = 0; at < others.length; at += endedAtOnce) {
      const some = others.slice(at, at + endedAtOnce);
      const ended = await Promise.all(some.map(({ id }) => endOwn(parts, { account, ...asked, detail: id }, id)));
      if (ended.includes(false)) return storeAway;
    }
    return { ok: true, answer: { ended: others.length } };
  },
});

export const endOwnSession = one({
  method: 'DELETE',
  path: '/me/sessions/{id}',
  summary: 'Ends one session of your own, and what was issued for it, within seconds everywhere.',
  needs: 'person',
  input: z.object({ id: z.string() }),
  answer: z.object({ ended: z.int() }),
  async run(parts, viewer, { id }) {
    const { sessions, clock } = parts;
    const { account, asked } = personOf(viewer);
    const listed = await sessions.list(account, clock());
    if (!listed.ok) return storeAway;
    if (!listed.sessions.some((each) => each.kind !== 'personal' && each.id === id))
      return { ok: false, reason: 'unknown', detail: 'you have no session with this id' };
    if (!(await endOwn(parts, { account, ...asked, detail: id }, id))) return storeAway;
    return { ok: true, answer: { ended: 1 } };
  },
});

export const myAccountOperations: readonly Operation<MyAccountParts>[] = [myAccount, endOtherSessions, endOwnSession];

function sessionView({ id, kind, created, lastUsed, expires, address, userAgent }: Session, current?: string) {
  const times = { created: instant(created), lastUsed: instant(lastUsed), expires: instantOf(expires) };
  return { id, kind: kind === 'web' ? kind : ('login' as const), isThis: id === current, ...times, address, userAgent };
}
