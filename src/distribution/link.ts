/** The `Link` header of a list: RFC 8288, and "Listing Tags" of the distribution-spec. */
import { ownTarget } from './own-target.ts';

/** `unusable`: it goes on in a way that cannot be followed; such a list is not known to have ended. */
export type NextPage = { readonly kind: 'end' | 'unusable' } | { readonly kind: 'next'; readonly target: string };

/**
 * Where the registry says that the list at `path` goes on: path and query byte for byte, since both may hold what only it
 * understands. Anything else than the same list on one of `hosts` is unusable.
 */
export function nextPage(header: string | undefined, path: string, hosts: readonly string[]): NextPage {
  const links = parseLinks(header ?? '');
  if (links === undefined) return { kind: 'unusable' };
  const targets = new Set(links.filter(({ relations }) => relations.includes('next')).map(({ target }) => target));
  const [first] = targets;
  if (first === undefined) return { kind: 'end' };
  const target = targets.size === 1 ? listTarget(first, path, hosts) : undefined;
  return target === undefined ? { kind: 'unusable' } : { kind: 'next', target };
}

/** Path and query of a target at the same list; undefined for any other. */
function listTarget(target: string, path: string, hosts: readonly string[]): string | undefined {
  const own = ownTarget(target.startsWith('?') ? path + target : target, hosts);
  return own === path || own?.startsWith(`${path}?`) === true ? own : undefined;
}

interface Link {
  readonly target: string;
  /** Lower case. Some registries forget to say which, and mean the only one there is for a list: `next`. */
  readonly relations: readonly string[];
}

const link = /^\s*<([^<>]*)>\s*((?:;\s*[^\s"=;,<>]+\s*(?:=\s*(?:"(?:[^"\\]|\\.)*"|[^\s"=;,<>]+)\s*)?)*)/;

function parseLinks(header: string): readonly Link[] | undefined {
  const links: Link[] = [];
  for (let rest = header; rest.trim() !== '';) {
    const found = link.exec(rest);
    if (found === null) return undefined;
    const [whole, target = '', parameters = ''] = found;
    const relation = /;\s*rel\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s";,]*))/i.exec(parameters);
    const relations = relation === null ? 'next' : (relation[1] ?? relation[2] ?? '');
    links.push({ target: target.trim(), relations: relations.toLowerCase().split(/\s+/) });
    rest = rest.slice(whole.length);
    if (rest.startsWith(',')) rest = rest.slice(1);
    else if (rest !== '') return undefined;
  }
  return links;
}
