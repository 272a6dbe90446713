/** Pages of names of which some are hidden: no page shows one, and nothing outside this gateway learns of one. */
import type { ListPlace, Names, RegistryFailure } from '../ports.ts';

/** Where the next page begins. A name that is not shown is for this gateway alone. */
export interface Continuation {
  readonly after: string;
  readonly isShown: boolean;
}

export interface VisibleNames {
  readonly ok: true;
  readonly names: readonly string[];
  /** undefined: there are no more. */
  readonly next: Continuation | undefined;
}

export interface Unwanted {
  readonly ok: false;
  readonly reason: 'unwanted';
}

export interface Wish {
  readonly size: number;
  readonly last?: string | undefined;
  /** false once nobody waits for the page any longer: nothing more is asked of the registry then. */
  readonly isWanted: () => boolean;
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
  { size, last: first, isWanted }: Wish,
): Promise<VisibleNames | Unwanted | Failure | RegistryFailure> {
  const visible: string[] = [];
  const ended = (after?: string): VisibleNames => ({
    ok: true,
    names: visible,
    next: after === undefined ? undefined : { after, isShown: after === visible.at(-1) },
  });
  if (size === 0) return ended();
  const visited = new Set<string>();
  let place: ListPlace | undefined = first === undefined ? undefined : { after: first };
  let last: string | undefined;
  let judged = 0;
  for (let asked = 0; asked < maxBackendPages; asked++) {
    if (!isWanted()) return { ok: false, reason: 'unwanted' };
    const backend = await ask(backendPage, place);
    if (!backend.ok) return backend;
    for (const name of backend.names) {
      // A registry that ignores where to begin, and begins anew.
      if (first !== undefined && isBefore(name, first)) continue;
      if (judged++ === maxJudged) return ended(last);
      last = name;
      if (!isVisible(name)) continue;
      // One more than asked for proves that there is a next page.
      if (visible.length === size) return ended(visible.at(-1));
      visible.push(name);
    }
    if (backend.next === undefined) return ended();
    if (visited.has(backend.next)) return { ok: false, reason: 'broken' };
    visited.add(backend.next);
    place = { next: backend.next };
  }
  // Nothing that lies behind `first`: going on from there would lead here again.
  return last === undefined ? { ok: false, reason: 'broken' } : ended(last);
}

/** In both of the orders that registries keep, ASCII and without regard to case. */
function isBefore(name: string, last: string): boolean {
  return name <= last && name.toLowerCase() <= last.toLowerCase();
}
