/** All tags of a repository, as far as anybody would look through them. */
import type { ListPlace, Registry, RegistryFailure, TagNames } from '../ports.ts';

const pageSize = 1000;
/** Some registries give fifty at once, whatever they are asked for. */
const maxPages = 100;
const maxTags = 20_000;

/** What was read before a list went wrong is not shown: nobody would know that tags are missing. */
export async function readTagNames(
  registry: Pick<Registry, 'tags'>,
  repository: string,
): Promise<TagNames | RegistryFailure> {
  const tags = new Set<string>();
  const visited = new Set<string>();
  let place: ListPlace | undefined;
  while (visited.size < maxPages && tags.size < maxTags) {
    const page = await registry.tags(repository, pageSize, place);
    if (!page.ok && page.reason === 'unknown') return { names: [], isComplete: true, isUnknown: true };
    if (!page.ok) return { ok: false, reason: page.reason === 'unsupported' ? 'broken' : page.reason };
    for (const name of page.names) tags.add(name);
    if (page.next === undefined) return named(tags, true);
    if (visited.has(page.next)) return { ok: false, reason: 'broken' };
    visited.add(page.next);
    place = { next: page.next };
  }
  return named(tags, false);
}

function named(tags: ReadonlySet<string>, isComplete: boolean): TagNames {
  const names = [...tags].sort();
  return { names: names.slice(0, maxTags), isComplete: isComplete && names.length <= maxTags, isUnknown: false };
}
