/** One walk through the lists of repositories, page by page, and what is known where it does not come to its end. */
import type { ListPlace, Names, Registry } from '../ports.ts';
import type { EpochMs } from '../time.ts';

export interface Walk {
  /** When it began. */
  readonly at: EpochMs;
  /** In the order of the registry's lists, one after the other. */
  readonly names: readonly string[];
  /** false: there are more names, or a list could not be read, whose names are those of the walk before. */
  readonly isComplete: boolean;
  /** As the registry gave them; none where the walk did not come to its end. */
  readonly pages: readonly WalkedPage[];
}

export interface WalkedPage extends Names {
  /** Where the registry said that it begins; undefined for the first. */
  readonly from: string | undefined;
}

interface WalkTerms {
  readonly before: Walk | undefined;
  readonly at: EpochMs;
  readonly maxNames: number;
}

/** docker-registry 2.8 refuses to give more. */
const pageSize = 1000;

/** A registry that fails on the way leaves what was known before; never rejects. */
export async function walkRepositories(
  ask: Registry['repositories'],
  { before, at, maxNames }: WalkTerms,
): Promise<Walk> {
  const pages: WalkedPage[] = [];
  const visited = new Set<string>();
  const left = new Set<string>();
  let place: ListPlace | undefined;
  let from: string | undefined;
  for (let count = 0; ;) {
    const page = await ask(pageSize, place);
    if (!page.ok) return broken(pages, before, at);
    pages.push({ ...page, from });
    for (const list of page.left ?? []) left.add(list);
    count += page.names.length;
    if (page.next === undefined) break;
    if (visited.has(page.next)) return broken(pages, before, at);
    if (count >= maxNames) return { at, names: namesOf(pages).slice(0, maxNames), isComplete: false, pages: [] };
    visited.add(page.next);
    from = page.next;
    place = { next: from };
  }
  if (left.size === 0) return { at, names: namesOf(pages), isComplete: true, pages };
  const known = (before?.pages ?? []).filter(({ list }) => list !== undefined && left.has(list));
  return { at, names: namesOf([...pages, ...known]), isComplete: false, pages: [...known, ...pages] };
}

function broken(pages: readonly WalkedPage[], before: Walk | undefined, at: EpochMs): Walk {
  if (before === undefined) return { at, names: namesOf(pages), isComplete: false, pages: [] };
  return { ...before, isComplete: false };
}

function namesOf(pages: readonly WalkedPage[]): readonly string[] {
  return pages.flatMap(({ names }) => names);
}
