/** Access tokens of one's own: listed, made, ended. What somebody may do with a password, and never with such a token. */
import { z } from 'zod';
import { type OwnTokenParts, makeOwnToken, maxOwnTokens, ownTokensOf } from '../identity/own-tokens.ts';
import { actions } from '../policy/model.ts';
import type { AuditLog, AuditRecord, Session } from '../ports.ts';
import { type Operation, type Refusal, instant, operation } from './operation.ts';
import { readTerms, tokenTerms } from './reach-input.ts';
import { type Looker, type Viewer, askedBy, nameOf } from './viewer.ts';

export interface OwnTokensParts extends OwnTokenParts {
  readonly audit: AuditLog;
  /** As commands name this registry. */
  readonly host: string;
}

export const ownToken = z.object({
  id: z.string(),
  label: z.string(),
  created: z.iso.datetime(),
  expires: z.iso.datetime(),
  lastUsed: z.iso.datetime(),
  address: z.string().optional(),
  userAgent: z.string().optional(),
  repositories: z.array(z.string()).optional().describe('absent: everywhere'),
  actions: z.array(z.enum(actions)).optional().describe('absent: every one but administer'),
});
export type OwnTokenView = z.infer<typeof ownToken>;

export const storeAway: Refusal = {
  ok: false,
  reason: 'unavailable',
  detail: 'the store of sessions and access tokens cannot be reached; nothing was changed as far as is known',
};
export const tooMany: Refusal = {
  ok: false,
  reason: 'conflict',
  detail: `you have ${maxOwnTokens} access tokens, and nobody may have more; end one of them first`,
};

const one = operation<OwnTokensParts>();

const listOwnTokens = one({
  method: 'GET',
  path: '/tokens',
  summary: 'Your own access tokens, the one used last first.',
  needs: 'person',
  input: z.object({}),
  answer: z.object({ tokens: z.array(ownToken) }),
  async run(parts, viewer) {
    const tokens = await ownTokensOf(parts, personOf(viewer).account);
    return tokens === undefined ? storeAway : { ok: true, answer: { tokens: tokens.map(ownTokenView) } };
  },
});

export const makeToken = one({
  method: 'POST',
  path: '/tokens',
  summary: 'Makes an access token of your own. Its secret is in this answer and nowhere else.',
  needs: 'person',
  input: z.object(tokenTerms),
  answer: z.object({
    token: ownToken,
    secret: z.string().describe('shown this once'),
    login: z.string().describe('the command that takes it on standard input'),
  }),
  async run(parts, viewer, given) {
    const read = readTerms(given, parts.personalMaxTtlSeconds);
    if (!read.ok) return read;
    const { caller, account, asked } = personOf(viewer);
    const made = await makeOwnToken(parts, caller, { ...read.terms, address: asked.address, userAgent: undefined });
    if (!made.ok) return made.reason === 'too_many' ? tooMany : storeAway;
    const { session, secret } = made;
    parts.audit.record({ ...madeFacts(account, session.id), ...asked });
    const login = `docker login ${parts.host} -u ${account} --password-stdin`;
    return { ok: true, answer: { token: ownTokenView(session), secret, login } };
  },
});

export const endOwnToken = one({
  method: 'DELETE',
  path: '/tokens/{id}',
  summary: 'Ends one of your access tokens, and what was issued for it, within seconds everywhere.',
  needs: 'person',
  input: z.object({ id: z.string() }),
  answer: z.object({ ended: ownToken }),
  async run(parts, viewer, { id }) {
    const { sessions, clock } = parts;
    const { account, asked } = personOf(viewer);
    // Of those that no longer count, too.
    const listed = await sessions.list(account, clock());
    if (!listed.ok) return storeAway;
    const found = listed.sessions.find((each) => each.kind === 'personal' && each.id === id);
    if (found === undefined) return { ok: false, reason: 'unknown', detail: 'you have no access token with this id' };
    if (!(await endOwn(parts, { account, ...asked, secret: id }, id))) return storeAway;
    return { ok: true, answer: { ended: ownTokenView(found) } };
  },
});

export const ownTokenOperations: readonly Operation<OwnTokensParts>[] = [listOwnTokens, makeToken, endOwnToken];

/** For the log: whose it is, and its id. */
export function madeFacts(account: string, id: string) {
  return { event: 'session', decision: 'allow', reason: 'token_made', account, kind: 'user', secret: id } as const;
}

/** Whose own it is. Throws for whoever an operation that needs a person never sees. */
export function personOf(viewer: Viewer): Pick<Looker, 'caller' | 'sessionId'> & {
  readonly account: string;
  readonly asked: ReturnType<typeof askedBy>;
} {
  const account = nameOf(viewer);
  if (viewer.kind === 'operator' || account === undefined || !viewer.isInPerson)
    throw new Error('an operation of a person, asked by nobody in person');
  const { caller, sessionId } = viewer;
  return { caller, sessionId, account, asked: askedBy(viewer) };
}

/** As its person sees it. */
export function ownTokenView(session: Session): OwnTokenView {
  const { id, label = '', created, expires = 0, lastUsed, address, userAgent, reach = {} } = session;
  const times = { created: instant(created), expires: instant(expires), lastUsed: instant(lastUsed) };
  const repositories = reach.repositories && [...reach.repositories];
  return { id, label, ...times, address, userAgent, repositories, actions: reach.actions && [...reach.actions] };
}

/** Ends one session or token of somebody, and writes it down. False: perhaps it has not ended. */
export async function endOwn(
  { sessions, clock, audit }: Pick<OwnTokensParts, 'sessions' | 'clock' | 'audit'>,
  facts: Partial<AuditRecord>,
  id: string,
): Promise<boolean> {
  const ended = await sessions.revoke({ id }, clock());
  if (ended.ok) audit.record({ event: 'session', decision: 'allow', reason: 'revoked', kind: 'user', ...facts });
  return ended.ok;
}
