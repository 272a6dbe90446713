/** The layout of a text, of which the readings say nearly everything already. */
import type { PlainList, PlainMap, PlainNode } from '../document/plain-yaml.ts';
import { type Entry, type Layout, type List, type Mapping, type Value, asMapping, entryOf } from './layout.ts';
import { readOnce } from './reading.ts';
import { wholeRootOf } from './whole-layout.ts';

/** `text` must be what `readYaml` accepts, without a byte order mark: no anchors, tags, explicit keys or further documents. */
export function layoutOf(text: string): Layout {
  const reading = readOnce('', text);
  const plain = reading.ok ? reading.document.plain : undefined;
  // Where a comment belongs to what is above it, only the whole parser says where that ends.
  const root = plain === undefined || plain.hasTrailingComments ? wholeRootOf(text) : plainMapping(plain.root);
  return { root, end: documentEnd(text, root) };
}

/** The account and its settings; undefined for one that is not there or no mapping. */
export function accountIn(
  text: string,
  section: 'users' | 'robots',
  name: string,
): { readonly entry: Entry; readonly settings: Mapping } | undefined {
  const entry = entryOf(asMapping(entryOf(layoutOf(text).root, section)?.value), name);
  const settings = asMapping(entry?.value);
  return entry && settings && { entry, settings };
}

function plainMapping({ style, offset, children, keyEnds }: PlainMap): Mapping {
  const parts = Object.entries(children).sort(([, left], [, right]) => left.keyOffset - right.keyOffset);
  return {
    kind: style,
    offset,
    entries: parts.map(([key, child], index) => {
      const { keyOffset, end } = child;
      return { key, keyOffset, keyEnd: keyEnds[index] ?? keyOffset, end, value: plainValue(child) };
    }),
  };
}

function plainList({ style, offset, children, dashes }: PlainList): List {
  return {
    kind: 'list',
    style,
    offset,
    items: children.map((child, index) => ({
      offset: dashes[index] ?? child.offset,
      end: child.end,
      value: plainValue(child),
    })),
  };
}

function plainValue(node: PlainNode): Value {
  if (node.kind === 'map') return plainMapping(node);
  if (node.kind === 'list') return plainList(node);
  const { value, end } = node;
  const offset = node.isEmpty ? end : node.offset;
  return { kind: 'scalar', value, replaceWith: (text) => [{ offset, length: end - offset, text }] };
}

/** `...` can only stand alone at the start of a line; inside a block scalar it would be indented. */
function documentEnd(text: string, root: Mapping | undefined): number {
  const last = root?.entries.at(-1)?.end ?? 0;
  const marker = /^\.\.\.(?=\s|$)/gm;
  marker.lastIndex = last;
  return marker.exec(text)?.index ?? text.length;
}
