/** Pages of names of which some are hidden: no page shows one, and no page begins after one. */
import type { NamesPage } from '../ports.ts';

export type VisibleNames = { readonly ok: true; readonly names: readonly string[]; readonly next: string | undefined };

/** Names asked of the registry at once, how many such pages one request may cost, and how many names. */
const backendPage = 1000;
const maxBackendPages = 50;
const maxJudged = backendPage * maxBackendPages;

/**
 * Up to `size` visible names after `last`. `next` is the last visible name when more may follow. Work is bounded: behind a
 * very long run of hidden names a page may be short, and then carries `next` only if it shows a name.
 */
export async function listVisibleNames<Failure extends { readonly ok: false }>(
  ask: (size: number, last: string | undefined) => Promise<Extract<NamesPage, { ok: true }> | Failure>,
  isVisible: (name: string) => boolean,
  { size, last: begin }: { readonly size: number; readonly last?: string | undefined },
): Promise<VisibleNames | Failure> {
  const visible: string[] = [];
  if (size === 0) return { ok: true, names: visible, next: undefined };
  let last = begin;
  let judged = 0;
  for (let asked = 0; asked < maxBackendPages; asked++) {
    const backend = await ask(backendPage, last);
    if (!backend.ok) return backend;
    for (const name of backend.names) {
      if (judged++ === maxJudged) return { ok: true, names: visible, next: visible.at(-1) };
      if (!isVisible(name)) continue;
      // One more than asked for proves that there is a next page.
      if (visible.length === size) return { ok: true, names: visible, next: visible.at(-1) };
      visible.push(name);
    }
    const end = backend.names.at(-1);
    if (!backend.more || end === undefined || end === last) return { ok: true, names: visible, next: undefined };
    last = end;
  }
  return { ok: true, names: visible, next: visible.at(-1) };
}
