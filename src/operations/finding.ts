/** Finding and ordering in long lists of names: pages of fifty, each beginning behind the last name of the one before. */

/** Entries of a page. */
const pageSize = 50;

/** Characters of what can be looked for. */
export const maxQuery = 128;

export interface Found<T> {
  readonly page: readonly T[];
  /** What the next page begins behind; undefined for the last one. */
  readonly next: string | undefined;
}

/** The page that begins behind `after`; the first one where nothing is called so any longer. */
export function pageOf<T>(entries: readonly T[], nameOf: (entry: T) => string, after: string | undefined): Found<T> {
  const begin = after === undefined ? 0 : entries.findIndex((entry) => nameOf(entry) === after) + 1;
  const page = entries.slice(begin, begin + pageSize);
  const last = page.at(-1);
  return { page, next: begin + pageSize < entries.length && last !== undefined ? nameOf(last) : undefined };
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
