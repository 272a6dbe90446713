/** Pages of the registry's lists: where one begins, and whether another one follows. */
import { nextPage } from '../../distribution/link.ts';
import type { ListPlace, NamesPage } from '../../ports.ts';

export interface AskedPage {
  /** Of the list. */
  readonly path: string;
  /** Path and query that were asked for. */
  readonly target: string;
  /** Names that were asked for. */
  readonly size: number;
  /** Where the registry may say that it is. */
  readonly hosts: readonly string[];
}

/** What to ask for; undefined for a `next` that is no page of this list. */
export function pageTarget(path: string, size: number, place: ListPlace | undefined): string | undefined {
  if (place === undefined) return `${path}?n=${size}`;
  if ('after' in place) return targetAfter(path, size, place.after);
  const next = nextPage(`<${place.next}>`, path, []);
  return next.kind === 'next' && next.target === place.next ? place.next : undefined;
}

/** The page in an answer. A list that may go on where nobody can follow is `broken`, never at its end. */
export function namesPage(names: readonly string[], link: string | undefined, asked: AskedPage): NamesPage {
  const { path, target, size, hosts } = asked;
  const next = nextPage(link, path, hosts);
  // The registry sends us round in a circle.
  if (next.kind === 'unusable' || (next.kind === 'next' && next.target === target))
    return { ok: false, reason: 'broken' };
  if (next.kind === 'next') return { ok: true, names, next: next.target };
  const end = names.at(-1);
  const last = new URLSearchParams(target.slice(path.length)).get('last') ?? undefined;
  // distribution 2.8 ignores `n` and `last` and gives all tags, as its file system does.
  const isWhole = names.length > size || (last !== undefined && names.includes(last));
  // A full page without `Link` may be the last one, or of a registry that knows only `last` (distribution-spec 1.0).
  if (!isWhole && names.length === size && end !== undefined) {
    return { ok: true, names, next: targetAfter(path, size, end) };
  }
  const order = orders.find((each) => isAscending(names, each)) ?? ascii;
  const isBehind = (name: string): boolean =>
    last === undefined || (isWhole ? order(name, last) > 0 : orders.some((each) => each(name, last) > 0));
  return { ok: true, names: names.filter(isBehind).sort(order), next: undefined };
}

function targetAfter(path: string, size: number, last: string): string {
  return `${path}?${new URLSearchParams({ n: String(size), last }).toString()}`;
}

function ascii(left: string, right: string): number {
  return left < right ? -1 : left > right ? 1 : 0;
}

function caseless(left: string, right: string): number {
  return ascii(left.toLowerCase(), right.toLowerCase()) || ascii(left, right);
}

/** As a walk through folders goes: `a/b` comes before `a-b` (distribution). */
function byFolder(left: string, right: string): number {
  return ascii(left.replaceAll('/', '\0'), right.replaceAll('/', '\0'));
}

/** The orders that registries keep. */
const orders = [ascii, caseless, byFolder];

function isAscending(names: readonly string[], order: typeof ascii): boolean {
  return names.every((name, index) => index === 0 || order(names[index - 1] ?? '', name) <= 0);
}
