/** What was decided lately, as far as somebody may know of it. */
import { z } from 'zod';
import { parseTag } from '../distribution/reference.ts';
import type { Upstreams } from '../distribution/upstreams.ts';
import { accountOf } from '../identity/identify.ts';
import { actions } from '../policy/model.ts';
import type { AuditRecord, Recent, RecentRecord, SessionStore } from '../ports.ts';
import { type ActivityList, type ActivityRecord, activityList } from './answers.ts';
import { type Operation, instant, operation } from './operation.ts';
import { spelled } from './spelled.ts';
import { wholeNumber } from './values.ts';
import { shownFilesOf, withShownStart } from './shown-file.ts';
import { type Viewer, mayEverywhere, mayInspect, maySee } from './viewer.ts';

export interface ActivityParts {
  readonly recent: Pick<Recent, 'list'>;
  readonly sessions: Pick<SessionStore, 'endedBefore'>;
  readonly upstreams: Pick<Upstreams, 'canonical'>;
}

const filters = {
  account: z.string().optional(),
  repository: z.string().optional(),
  decision: z.enum(['allow', 'deny', 'error'], { error: 'expected allow, deny or error' }).optional(),
  reason: z.string().optional(),
  address: z.string().optional(),
};

export const activity = operation<ActivityParts>()({
  method: 'GET',
  path: '/activity',
  summary:
    'Decisions of the last day of this gateway, at most 5,000, the latest first: their own, and those about repositories that the caller may inspect.',
  needs: 'account',
  input: z.object({
    ...filters,
    after: wholeNumber.optional().describe('only what came behind this number'),
    before: wholeNumber.optional().describe('only what came ahead of this number'),
    limit: wholeNumber
      .pipe(z.int().min(1).max(200))
      .optional()
      .describe('at most so many, up to 200; 50 when left out'),
  }),
  answer: activityList,
  run({ recent, sessions, upstreams }, viewer, { limit = 50, after, before, repository: named, ...others }) {
    const wanted = { ...others, repository: named === undefined ? undefined : spelled(upstreams, named) };
    const scopeOf = scopeFor(viewer, sessions);
    const matches = (record: AuditRecord, at: number): boolean =>
      isWanted(record, wanted) && scopeOf(record, at) !== 'nothing';
    const found = recent.list({ limit, after, before, matches });
    const records = found.map((each) => viewOf(each, scopeOf(each.record, each.at), viewer));
    const next = found.length === limit ? found.at(-1)?.number : undefined;
    const answer: ActivityList = { of: 'this gateway', records, next };
    return Promise.resolve({ ok: true, answer });
  },
});

export const activityOperations: readonly Operation<ActivityParts>[] = [activity];

/** `everything`: whatever the record says; `repository`: what concerns that; `own`: what the viewer themselves did. */
export type Scope = 'everything' | 'repository' | 'own' | 'nothing';

/**
 * How much of a record the viewer may see. By `inspect` on its repository; without one only by `inspect` everywhere. Their
 * own always, but for what a token does not reach and what was done before the name was theirs.
 */
export function scopeFor(
  viewer: Viewer,
  sessions: Pick<SessionStore, 'endedBefore'>,
): (record: AuditRecord, at: number) => Scope {
  if (mayEverywhere(viewer, 'inspect')) return () => 'everything';
  if (viewer.kind === 'operator') return () => 'everything';
  const { caller, isInPerson } = viewer;
  const name = accountOf(caller);
  const since = Math.max(caller.validFrom, name === '' ? 0 : sessions.endedBefore(name));
  const inspected = rememberingEach((repository) => mayInspect(viewer, repository));
  const seen = rememberingEach((repository) => maySee(viewer, repository));
  return ({ repository, account, kind }, at) => {
    if (repository !== undefined && inspected(repository)) return 'repository';
    // Whoever only tried a name is nobody by it.
    if (name === '' || account !== name || kind !== caller.principal.kind || at < since) return 'nothing';
    return isInPerson || (repository !== undefined && seen(repository)) ? 'own' : 'nothing';
  };
}

/** The same answer for the same repository, for one request. */
function rememberingEach(judge: (repository: string) => boolean): (repository: string) => boolean {
  const known = new Map<string, boolean>();
  return (repository) => {
    const found = known.get(repository) ?? judge(repository);
    known.set(repository, found);
    return found;
  };
}

type Wanted = { readonly [Filter in keyof typeof filters]?: string | undefined };

function isWanted(record: AuditRecord, { account, repository, decision, reason, address }: Wanted): boolean {
  return (
    (account === undefined || record.account === account) &&
    (repository === undefined || record.repository === repository) &&
    (decision === undefined || record.decision === decision) &&
    (reason === undefined || record.reason === reason) &&
    (address === undefined || record.address === address)
  );
}

/** Words for operators, and names of other repositories than the record's own, are for who may see them. */
function viewOf({ number, at, record }: RecentRecord, scope: Scope, viewer: Viewer): ActivityRecord {
  const { shadow, from, gateFrom, detail: said, scope: scopes, gate, ...rest } = record;
  const files = shownFilesOf(viewer.policy.policy);
  const detail = said !== undefined && record.event === 'policy' ? withShownStart(said, files) : said;
  const source = record.source && withShownStart(record.source, files);
  const view = { ...rest, number, time: instant(at), explain: questionOf(record) };
  if (scope === 'everything')
    return { ...view, shadow: shadow && [...shadow], from, gateFrom, detail, source, scope: scopes, gate };
  const isShown = (name: string | undefined): boolean => {
    const [repository = ''] = name?.split(/[:@]/, 1) ?? [];
    return mayInspect(viewer, repository) || maySee(viewer, repository);
  };
  const near = { from: isShown(from) ? from : undefined, gateFrom: isShown(gateFrom) ? gateFrom : undefined };
  return scope === 'repository'
    ? { ...view, ...near, shadow: shadow && [...shadow], source, gate }
    : { ...view, ...near };
}

/** What to ask the evaluator: who, what, where. */
function questionOf({ kind, account, action, repository, reference }: AuditRecord): ActivityRecord['explain'] {
  const asked = actions.find((each) => each === action);
  if (asked === undefined || repository === undefined || kind === undefined) return undefined;
  if (kind !== 'anonymous' && (account ?? '') === '') return undefined;
  const as = kind === 'anonymous' ? kind : `${kind}:${account ?? ''}`;
  const tag = reference === undefined ? undefined : parseTag(reference);
  return { as, action: asked, repository, tag };
}
