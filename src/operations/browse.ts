/** What the pages of a registry's content have in common: what they are made of, and whose repository it is. */
import { carries } from '../distribution/access.ts';
import { type RepositoryName, parseRepositoryName } from '../distribution/reference.ts';
import type { Upstreams } from '../distribution/upstreams.ts';
import { rights } from '../policy/model.ts';
import { matchPieces, matchesRepository } from '../policy/pattern.ts';
import type { Browser, Clock, GlanceTrouble, RepositoryNames, TagActivity } from '../ports.ts';
import type { EpochMs } from '../time.ts';
import type { LastSeen } from './last-seen.ts';
import { type Refusal, instantOf } from './operation.ts';
import { type Viewer, decide, maySee, nameOf } from './viewer.ts';

export interface BrowseParts {
  readonly clock: Clock;
  readonly browser: Browser;
  readonly names: RepositoryNames;
  readonly activity: TagActivity;
  readonly lastSeen: LastSeen;
  readonly upstreams: Upstreams;
  /** Who is told by whom a tag was pushed. */
  readonly showPushers: 'everyone' | 'authenticated' | 'nobody';
}

/** Milliseconds that one page waits for the registry. */
export const pageMs = 2000;

/** The one spelling of a repository that the viewer may see; undefined for any other name, whether or not there is one. */
export function visibleRepository(
  { upstreams }: Pick<BrowseParts, 'upstreams'>,
  viewer: Viewer,
  text: string,
): RepositoryName | undefined {
  const parsed = parseRepositoryName(text);
  const name = parsed === undefined ? undefined : upstreams.canonical(parsed);
  return name !== undefined && maySee(viewer, name) ? name : undefined;
}

/** The same words for a repository that is not there and for one that may not be seen. */
export function noRepository(text: string): Refusal {
  return { ok: false, reason: 'unknown', detail: `There is no repository "${short(text)}" that you may see.` };
}

/** The same for a tag or digest of a repository that may be seen. */
export function noImage(repository: string, reference: string): Refusal {
  const place = reference.includes(':') ? `${repository}@` : `${repository}:`;
  return { ok: false, reason: 'unknown', detail: `There is no image ${place}${short(reference)} that you may see.` };
}

/** Of somebody else's text. */
function short(text: string): string {
  return text.length <= 128 ? text : `${text.slice(0, 128)}…`;
}

/** Whether the viewer is told by whom tags were pushed. */
export function seesPushers({ showPushers }: Pick<BrowseParts, 'showPushers'>, viewer: Viewer): boolean {
  if (viewer.kind === 'operator') return true;
  return showPushers === 'everyone' || (showPushers === 'authenticated' && nameOf(viewer) !== undefined);
}

/** Whether the viewer may delete a tag, as far as rules and credentials say; the registry may say more. */
export function mayDelete(
  { upstreams }: Pick<BrowseParts, 'upstreams'>,
  viewer: Viewer,
  repository: string,
  tag: string,
) {
  if (viewer.kind === 'operator' || upstreams.of(repository)?.access === 'read') return false;
  const { bound } = viewer.caller;
  const isCarried = bound === undefined || carries(bound, 'repository', repository, 'delete');
  return isCarried && decide(viewer, 'delete', repository, tag).allowed;
}

/** Whether a rule keeps everybody from moving the tag, at any time and with no exception. */
export function isImmutable({ policy }: Viewer, repository: string, tag: string): boolean {
  return policy.policy.rules.some(
    ({ effect, mode, rights: set, subjects, except, when, repositories, tags }) =>
      effect === 'deny' &&
      mode === 'enforce' &&
      (set & rights.overwrite) !== 0 &&
      except.length === 0 &&
      when === undefined &&
      subjects.some(({ kind }) => kind === 'everyone') &&
      repositories.some((pattern) => matchesRepository(pattern, repository, undefined)) &&
      (tags === undefined || tags.some(({ pieces }) => matchPieces(pieces, tag, undefined))),
  );
}

/** Why what is shown is what was known before, and since when; '' for `since` where nobody knows. */
export interface Stale {
  readonly reason: 'away' | 'slow';
  readonly since?: string | undefined;
}

/** undefined where the registry answered all that was asked. `isListed`: it said at least which tags there are. */
export function staleBy(
  trouble: GlanceTrouble | undefined,
  since: EpochMs | undefined,
  isListed = false,
): Stale | undefined {
  if (trouble === undefined) return undefined;
  const isSlow = trouble === 'late' && since === undefined && isListed;
  return { reason: isSlow ? 'slow' : 'away', since: instantOf(since) };
}
