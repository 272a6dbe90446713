/** `tags/list` where rules hide tags, filtered by the evaluator that judges reading a manifest by its tag. */
import type { Registry, TagsPage } from '../ports.ts';
import type { TagAsker } from './tag-writes.ts';
import { type Unwanted, type VisibleNames, type ListPage, listVisibleNames } from './visible-names.ts';

/** Whether some rule may hide a tag; otherwise the registry's own list can pass as it is. */
export function mayHideTags({ policy, principal, repository, circumstances }: TagAsker): boolean {
  return policy.judgesTags({ ...circumstances, principal, action: 'pull', repository });
}

/**
 * The tags from where the page begins that may be read, all of them unless `page.size` bounds the page, in ASCII order. Referrers
 * tags need a rule for their name: their names are digests, and digests of hidden images must not be learned here.
 */
export function listTags(
  registry: Pick<Registry, 'tags'>,
  { policy, principal, repository, circumstances }: TagAsker,
  page: ListPage,
  isWanted: () => boolean,
): Promise<VisibleNames | Unwanted | Extract<TagsPage, { ok: false }>> {
  const { address, now } = circumstances;
  // Written out: a spread takes longer than the decision.
  const asked = (tag: string) =>
    ({ address, now, principal, action: 'pull', repository, tag, readWhilePushing: true, isListing: true }) as const;
  return listVisibleNames(
    (size, place) => registry.tags(repository, size, place),
    (tag) => policy.decide(asked(tag)).allowed,
    { ...page, size: page.size ?? Infinity, isWanted },
  );
}
