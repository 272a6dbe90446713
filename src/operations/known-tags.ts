/** The tags of a repository that a viewer may see: as the registry lists them now, or as far as is remembered. */
import { isReferrersTag, parseTag } from '../distribution/reference.ts';
import type { Glance, TagMove } from '../ports.ts';
import { type AttachmentTags, attachmentTags, tagsByDigest } from './attachments.ts';
import type { BrowseParts } from './browse.ts';
import { byText } from './finding.ts';
import { filterInSlices } from './slices.ts';
import { type Viewer, decide, maySee } from './viewer.ts';

/** Of tags that were written here, in one repository. */
const maxMoves = 5000;

export interface KnownTags {
  /** In ASCII order. Tags made of digests are lists of attachments, and none of these. */
  readonly names: readonly string[];
  readonly attachments: AttachmentTags;
  /** The last write of each that was written here. */
  readonly moves: ReadonlyMap<string, TagMove>;
  /** The registry said which there are. */
  readonly isListed: boolean;
  /** false: it has more than are looked through. */
  readonly isComplete: boolean;
}

/** undefined where the registry says that there is no such repository. */
export async function knownTags(
  { activity, lastSeen, clock }: BrowseParts,
  viewer: Viewer,
  repository: string,
  glance: Glance,
): Promise<KnownTags | undefined> {
  const [listed, newest = []] = await Promise.all([glance.tags(repository), activity.newest(repository, maxMoves)]);
  if (listed?.isUnknown === true) return undefined;
  if (listed !== undefined) lastSeen.noteTags(repository, listed.names, clock());
  const before = lastSeen.tags(repository);
  // What was pushed since belongs to what is known.
  const all = listed?.names ?? [...new Set([...(before?.names ?? []), ...newest.map(({ tag }) => tag)])].sort(byText);
  const { tags, byDigest } = sortedOut(all);
  const names = hidesTags(viewer, repository)
    ? await filterInSlices(tags, (tag) => maySee(viewer, repository, tag))
    : tags;
  const attachments = attachmentTags(viewer, repository, byDigest);
  const moves = new Map(newest.map((move) => [move.tag, move]));
  return { names, attachments, moves, isListed: listed !== undefined, isComplete: listed?.isComplete !== false };
}

interface SortedOut {
  /** What no client could ask for by its name is none. */
  readonly tags: readonly string[];
  readonly byDigest: ReadonlyMap<string, readonly string[]>;
}

const sorted = new WeakMap<readonly string[], SortedOut>();

/** Once for each list that a registry gave: the same one is shown to many. */
function sortedOut(all: readonly string[]): SortedOut {
  const known = sorted.get(all);
  if (known !== undefined) return known;
  const tags = all.filter((tag) => !isReferrersTag(tag) && parseTag(tag) !== undefined);
  const found = { tags, byDigest: tagsByDigest(all) };
  sorted.set(all, found);
  return found;
}

/** Whether some rule may hide a tag of a repository that may be seen; otherwise each of them may be. */
function hidesTags(viewer: Viewer, repository: string): boolean {
  if (viewer.kind === 'operator') return false;
  const { caller, policy, circumstances } = viewer;
  const question = { ...circumstances, principal: caller.principal, action: 'pull', repository } as const;
  return policy.judgesTags(question) || !decide(viewer, 'pull', repository).allowed;
}

/** What a tag names, as far as is known without asking: what was seen last, or written here. */
export function rememberedDigest(
  { lastSeen }: Pick<BrowseParts, 'lastSeen'>,
  { moves }: Pick<KnownTags, 'moves'>,
  repository: string,
  tag: string,
): string | undefined {
  return lastSeen.digests(repository).get(tag) ?? moves.get(tag)?.digest;
}

/** As the registry says it now, `none` where there is no such tag; what is remembered where it does not say in time. */
export async function digestNow(
  parts: Pick<BrowseParts, 'lastSeen'>,
  tags: Pick<KnownTags, 'moves'>,
  glance: Glance,
  repository: string,
  tag: string,
): Promise<{ readonly digest: string; readonly isFresh: boolean } | undefined> {
  const named = await glance.digestOf(repository, tag);
  if (named === undefined) {
    const digest = rememberedDigest(parts, tags, repository, tag);
    return digest === undefined ? undefined : { digest, isFresh: false };
  }
  const digest = named === 'none' ? named : named.digest;
  parts.lastSeen.noteDigest(repository, tag, digest);
  return { digest, isFresh: true };
}

/** Other visible tags of the same digest, as far as they are known. */
export function sameAs(
  parts: Pick<BrowseParts, 'lastSeen'>,
  tags: KnownTags,
  repository: string,
): (tag: string | undefined, digest: string) => readonly string[] {
  const byDigest = new Map<string, string[]>();
  for (const name of tags.names) {
    const digest = rememberedDigest(parts, tags, repository, name);
    if (digest !== undefined) byDigest.set(digest, [...(byDigest.get(digest) ?? []), name]);
  }
  return (tag, digest) => (byDigest.get(digest) ?? []).filter((each) => each !== tag);
}
