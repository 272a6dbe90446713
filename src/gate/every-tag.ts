/** All tags of a repository, for decisions that hang on each of them. */
import type { ListPlace, Registry, RegistryFailure } from '../ports.ts';

export type EveryTag = { readonly ok: true; readonly tags: readonly string[] } | RegistryFailure;

const pageSize = 1000;
/** Some registries give fifty at once, whatever they are asked for. */
const maxPages = 1000;
/** A repository with more keeps what its rules protect. */
const maxTags = 20_000;

/** Read to its end or not known: a list that goes round, or on without end, is `broken`; one that nobody wants, `timeout`. */
export async function everyTag(
  registry: Pick<Registry, 'tags'>,
  repository: string,
  isWanted: () => boolean = () => true,
): Promise<EveryTag> {
  const tags = new Set<string>();
  const visited = new Set<string>();
  let place: ListPlace | undefined;
  while (visited.size < maxPages && tags.size <= maxTags) {
    if (!isWanted()) return { ok: false, reason: 'timeout' };
    const page = await registry.tags(repository, pageSize, place);
    if (!page.ok && page.reason === 'unknown') return { ok: true, tags: [] };
    // Whoever cannot list tags has said nothing about them.
    if (!page.ok) return { ok: false, reason: page.reason === 'unsupported' ? 'broken' : page.reason };
    for (const name of page.names) tags.add(name);
    if (page.next === undefined) return tags.size > maxTags ? broken : { ok: true, tags: [...tags] };
    if (visited.has(page.next)) return broken;
    visited.add(page.next);
    place = { next: page.next };
  }
  return broken;
}

const broken: RegistryFailure = { ok: false, reason: 'broken' };
