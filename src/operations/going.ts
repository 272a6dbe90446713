/** What a deletion takes with it: every tag of the same digest, and every index that the image is part of. */
import { createHash } from 'node:crypto';
import { isReferrersTag, parseTag } from '../distribution/reference.ts';
import { IndexWalk } from '../gate/contained.ts';
import { everyTag } from '../gate/every-tag.ts';
import type { KnownParts } from '../gate/known-parts.ts';
import type { Registry, RegistryFailure } from '../ports.ts';
import { within } from '../time.ts';
import type { IsWanted } from './operation.ts';
import { type Viewer, decide, maySee } from './viewer.ts';

/** What is asked for it. */
export type Looked = Pick<Registry, 'tags' | 'resolveTag' | 'manifest'>;

export interface Going {
  /** Tags of the digest that the viewer may see, in ASCII order. */
  readonly tags: readonly { readonly tag: string; readonly may: boolean }[];
  /** Tags of indexes that the image is part of. */
  readonly indexes: readonly string[];
  /** There are others of either that the viewer may not see. */
  readonly others: boolean;
  /** Stands for all of it, so that what was confirmed can be told from what is there later. */
  readonly list: string;
}

/** The same registry, of which no answer is waited for longer. */
export function askedWithin(registry: Looked, withinMs: number): Looked {
  const late: RegistryFailure = { ok: false, reason: 'timeout' };
  return {
    tags: (...asked) => within(withinMs, registry.tags(...asked), late),
    resolveTag: (...asked) => within(withinMs, registry.resolveTag(...asked), late),
    manifest: (...asked) => within(withinMs, registry.manifest(...asked), late),
  };
}

/** Questions to the registry at once, as for all of the page. */
const askedAtOnce = 4;
/** Milliseconds for all of them: a repository with thousands of tags is looked through whole or not at all. */
const lookMs = 20_000;

/** undefined where the registry did not say it of every tag in time, or while somebody waited for it. */
export async function goingWith(
  { registry, knownParts }: { readonly registry: Looked; readonly knownParts: KnownParts },
  viewer: Viewer,
  repository: string,
  digest: string,
  isAwaited: IsWanted,
): Promise<Going | undefined> {
  const until = performance.now() + lookMs;
  const isWanted = (): boolean => performance.now() < until && isAwaited();
  const every = await everyTag(registry, repository, isWanted);
  if (!every.ok) return undefined;
  const [same, indexes]: [string[], string[]] = [[], []];
  const waiting = every.tags.values();
  let isWhole = true;
  const look = async (): Promise<void> => {
    for (const tag of waiting) {
      if (!isWhole || !isWanted()) return void (isWhole = false);
      const current = await registry.resolveTag(repository, tag);
      if (!current.ok) return void (isWhole = false);
      if (current.digest === undefined) continue;
      if (current.digest === digest) same.push(tag);
      // A list of attachments leads to what is attached, and goes with it.
      else if (!isReferrersTag(tag)) {
        // One for each: a walk meets nothing twice.
        const walk = new IndexWalk({ registry, known: knownParts, repository, isWanted });
        const contained = await walk.ofTag({ digest: current.digest, mediaType: current.mediaType });
        if (!contained.ok) return void (isWhole = false);
        if (contained.digests.has(digest)) indexes.push(tag);
      }
    }
  };
  await Promise.all(Array.from({ length: askedAtOnce }, look));
  return isWhole ? goingOf(viewer, repository, same.sort(), indexes.sort()) : undefined;
}

function goingOf(viewer: Viewer, repository: string, same: readonly string[], holding: readonly string[]): Going {
  const isSeen = (tag: string): boolean =>
    !isReferrersTag(tag) && parseTag(tag) !== undefined && maySee(viewer, repository, tag);
  const tags = same.filter(isSeen).map((tag) => ({ tag, may: decide(viewer, 'delete', repository, tag).allowed }));
  const indexes = holding.filter(isSeen);
  const others = tags.length + indexes.length < same.length + holding.length;
  const list = createHash('sha256')
    .update(JSON.stringify([tags, indexes, others]))
    .digest('hex')
    .slice(0, 32);
  return { tags, indexes, others, list };
}
