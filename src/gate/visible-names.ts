/** Pages of names of which some are hidden: no page shows one, and nothing outside this gateway learns of one. */
import type { ListPlace, Names, RegistryFailure } from '../ports.ts';

/** Where the next page begins. A name that is not shown is for this gateway alone. */
export interface Continuation {
  /** '': no name was seen, and `page` is there. */
  readonly after: string;
  readonly isShown: boolean;
  /** The registry's page that `after` is on, as it called it; undefined for the first. */
  readonly page?: string | undefined;
}

/** Where a list begins: behind a name, on the page that the registry calls `next`. */
export interface ListStart {
  readonly next?: string | undefined;
  readonly last?: string | undefined;
}

export interface VisibleNames {
  readonly ok: true;
  readonly names: readonly string[];
  /** undefined: there are no more. */
  readonly next: Continuation | undefined;
  /** Lists that could not be read, and are left out. */
  readonly left?: readonly string[];
}

export interface Unwanted {
  readonly ok: false;
  readonly reason: 'unwanted';
}

export interface Wish extends ListStart {
  readonly size: number;
  /** false once nobody waits for the page any longer: nothing more is asked of the registry then. */
  readonly isWanted: () => boolean;
}

/** What a client asked for: of no size of its own, or of one. */
export interface ListPage extends ListStart {
  readonly size?: number | undefined;
}

/** Names asked of the registry at once, how many such pages one request may cost, and how many names. */
const backendPage = 1000;
const maxBackendPages = 50;
const maxJudged = backendPage * maxBackendPages;

/**
 * Up to `size` visible names after `last`, and where to go on when more may follow. Work is bounded: in a very long run of
 * hidden names a page ends early, perhaps empty, and the next one goes on behind a hidden name.
 */
export async function listVisibleNames<Failure extends { readonly ok: false }>(
  ask: (size: number, place: ListPlace | undefined) => Promise<Names | Failure>,
  isVisible: (name: string) => boolean,
  { size, next: firstPage, last: first, isWanted }: Wish,
): Promise<VisibleNames | Unwanted | Failure | RegistryFailure> {
  const visible: string[] = [];
  const left = new Set<string>();
  let firstList: string | undefined;
  const ended = (after?: string, page?: string): VisibleNames => ({
    ok: true,
    names: visible,
    next: after === undefined ? undefined : { after, isShown: after === visible.at(-1), page },
    ...(left.size === 0 ? {} : { left: [...left] }),
  });
  if (size === 0) return ended();
  const visited = new Set<string>();
  let place: ListPlace | undefined =
    firstPage !== undefined ? { next: firstPage } : first === undefined ? undefined : { after: first };
  let page = firstPage;
  let shownPage: string | undefined;
  let last: string | undefined;
  let judged = 0;
  for (let asked = 0; asked < maxBackendPages; asked++) {
    if (!isWanted()) return { ok: false, reason: 'unwanted' };
    const backend = await ask(backendPage, place);
    if (!backend.ok) return backend;
    if (asked === 0) firstList = backend.list;
    for (const list of backend.left ?? []) left.add(list);
    for (const name of backend.list === firstList ? unread(backend.names, asked) : backend.names) {
      if (judged++ === maxJudged) return ended(last, page);
      last = name;
      if (!isVisible(name)) continue;
      // One more than asked for proves that there is a next page.
      if (visible.length === size) return ended(visible.at(-1), shownPage);
      visible.push(name);
      shownPage = page;
    }
    if (backend.next === undefined) return ended();
    if (visited.has(backend.next)) return { ok: false, reason: 'broken' };
    visited.add(backend.next);
    page = backend.next;
    place = { next: page };
  }
  // Without a name to go on behind, the page that the registry named is enough.
  return ended(last ?? '', page);

  /** Without what came before: a registry may ignore where to begin, and begins anew; its pages begin where they begin. */
  function unread(names: readonly string[], asked: number): readonly string[] {
    if (first === undefined || (firstPage !== undefined && asked > 0)) return names;
    const at = firstPage === undefined ? -1 : names.indexOf(first);
    return at === -1 ? names.filter((name) => !isBefore(name, first)) : names.slice(at + 1);
  }
}

/** In each of the orders that registries keep: ASCII, without regard to case, folder by folder. */
function isBefore(name: string, last: string): boolean {
  return (
    name <= last && name.toLowerCase() <= last.toLowerCase() && name.replaceAll('/', '\0') <= last.replaceAll('/', '\0')
  );
}
