/**
 * Pages of the list of repositories, from the last walk where nothing is known to have changed since: for lists that look
 * through thousands of names to show a few. A page begins and ends as the registry's do, so that a list may go on at either.
 */
import type { ListPlace, Registry } from '../ports.ts';
import type { WalkedNames } from './repository-names.ts';
import type { WalkedPage } from './repository-walk.ts';

/**
 * `registry` is asked as ever where the walk has no answer: no walk yet, one that is out of date, a place that it did not see.
 * A list of one page is never walked: asking for it costs no more.
 */
export function createKnownCatalog(
  registry: Pick<Registry, 'repositories'>,
  names: Pick<WalkedNames, 'pages' | 'keep'>,
): Pick<Registry, 'repositories'> {
  return {
    async repositories(size, place) {
      const pages = await names.pages();
      const page = (pages && pageAt(pages, place)) ?? (await registry.repositories(size, place));
      if (page.ok && (page.next !== undefined || place !== undefined)) names.keep();
      return page;
    },
  };
}

function pageAt(pages: readonly WalkedPage[], place: ListPlace | undefined): WalkedPage | undefined {
  if (place === undefined) return pages[0];
  if ('next' in place) return pages.find(({ from }) => from === place.next);
  for (const page of pages) {
    const at = page.names.indexOf(place.after);
    if (at !== -1) return { ...page, names: page.names.slice(at + 1) };
  }
  return undefined;
}
