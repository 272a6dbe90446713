/** Finding and ordering in long lists of names: pages of fifty, each beginning behind the last name of the one before. */

/** Entries of a page. */
const pageSize = 50;

/** Characters of what can be looked for. */
export const maxQuery = 128;

export interface Found {
  readonly page: readonly string[];
  /** What the next page begins behind; undefined for the last one. */
  readonly next: string | undefined;
}

/**
 * The page that begins behind `after`. Where nothing is called so any longer, it is the place where that would be in a list by
 * name; in another order nobody knows, and the list begins anew.
 */
export function pageOf(names: readonly string[], after: string | undefined, order: string): Found {
  const begin = after === undefined ? 0 : placeBehind(names, after, order === 'name');
  const page = names.slice(begin, begin + pageSize);
  return { page, next: begin + pageSize < names.length ? page.at(-1) : undefined };
}

function placeBehind(names: readonly string[], after: string, isByName: boolean): number {
  const at = names.indexOf(after);
  if (at !== -1 || !isByName) return at + 1;
  const next = names.findIndex((name) => name > after);
  return next === -1 ? names.length : next;
}

/** What is looked for: `v1.*` as a whole name, `sha256:12ab…` as the beginning of a digest, anything else within a name. */
export type Query =
  | { readonly kind: 'name'; readonly matches: (name: string) => boolean }
  | { readonly kind: 'digest'; readonly prefix: string };

/** undefined for nothing at all. */
export function readQuery(text: string): Query | undefined {
  const wanted = text.trim();
  if (wanted === '') return undefined;
  if (/^sha(?:256|384|512):[0-9a-f]*$/i.test(wanted)) return { kind: 'digest', prefix: wanted.toLowerCase() };
  const parts = wanted.toLowerCase().split('*');
  if (parts.length === 1) return { kind: 'name', matches: (name) => name.toLowerCase().includes(parts[0] ?? '') };
  return { kind: 'name', matches: (name) => matchesParts(parts, name.toLowerCase()) };
}

/** Between any two parts there is anything. */
function matchesParts(parts: readonly string[], name: string): boolean {
  const [first = '', ...rest] = parts;
  const last = rest.pop() ?? '';
  if (!name.startsWith(first)) return false;
  let at = first.length;
  for (const part of rest) {
    const found = name.indexOf(part, at);
    if (found === -1) return false;
    at = found + part.length;
  }
  return name.length - last.length >= at && name.endsWith(last);
}

/** In ASCII order, as registries list names. */
export function byText(left: string, right: string): number {
  return left < right ? -1 : left > right ? 1 : 0;
}
