/** `tags/list` where rules hide tags, filtered by the evaluator that judges reading a manifest by its tag. */
import type { Circumstances } from '../policy/conditions.ts';
import type { CompiledPolicy } from '../policy/evaluate.ts';
import type { Principal } from '../policy/model.ts';
import type { Registry, TagsPage } from '../ports.ts';
import { type Unwanted, type VisibleNames, type ListPage, listVisibleNames } from './visible-names.ts';

export interface TagReader {
  readonly policy: CompiledPolicy;
  readonly principal: Principal;
  readonly repository: string;
  readonly circumstances: Circumstances;
}

/** Whether some rule may hide a tag; otherwise the registry's own list can pass as it is. */
export function mayHideTags({ policy, principal, repository, circumstances }: TagReader): boolean {
  return policy.judgesTags({ ...circumstances, principal, action: 'pull', repository });
}

/**
 * The tags from where the page begins that may be read, all of them unless `page.size` bounds the page, in ASCII order. Referrers
 * tags need a rule for their name: their names are digests, and digests of hidden images must not be learned here.
 */
export function listTags(
  registry: Pick<Registry, 'tags'>,
  { policy, principal, repository, circumstances }: TagReader,
  page: ListPage,
  isWanted: () => boolean,
): Promise<VisibleNames | Unwanted | Extract<TagsPage, { ok: false }>> {
  const question = { ...circumstances, principal, action: 'pull', repository, readWhilePushing: true } as const;
  return listVisibleNames(
    (size, place) => registry.tags(repository, size, place),
    (tag) => policy.decide({ ...question, tag, isListing: true }).allowed,
    { ...page, size: page.size ?? Infinity, isWanted },
  );
}
