/** Pages of names of which some are hidden: no page shows one, and nothing outside this gateway learns of one. */
import type { NamesPage } from '../ports.ts';

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
  ask: (size: number, last: string | undefined) => Promise<Extract<NamesPage, { ok: true }> | Failure>,
  isVisible: (name: string) => boolean,
  { size, last: first, isWanted }: Wish,
): Promise<VisibleNames | Unwanted | Failure> {
  const visible: string[] = [];
  const ended = (after?: string): VisibleNames => ({
    ok: true,
    names: visible,
    next: after === undefined ? undefined : { after, isShown: after === visible.at(-1) },
  });
  if (size === 0) return ended();
  let last = first;
  let judged = 0;
  for (let asked = 0; asked < maxBackendPages; asked++) {
    if (!isWanted()) return { ok: false, reason: 'unwanted' };
    const begin = last;
    const backend = await ask(backendPage, begin);
    if (!backend.ok) return backend;
    for (const name of backend.names) {
      if (judged++ === maxJudged) return ended(last);
      last = name;
      if (!isVisible(name)) continue;
      // One more than asked for proves that there is a next page.
      if (visible.length === size) return ended(visible.at(-1));
      visible.push(name);
    }
    const end = backend.names.at(-1);
    if (!backend.more || end === undefined || end === begin) return ended();
  }
  return ended(last);
}
