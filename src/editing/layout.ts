/** Where things stand in the text of a YAML file: the places at which it can be changed without touching the rest. */
import { type CST, type Pair, type YAMLMap, type YAMLSeq, isMap, isScalar, isSeq, parseDocument } from 'yaml';

/** Replaces `length` characters at `offset`. */
export interface Splice {
  readonly offset: number;
  readonly length: number;
  readonly text: string;
}

export type Value = Mapping | List | Scalar;

export interface Entry {
  readonly key: string;
  readonly keyOffset: number;
  /** After the last character of the key, before its colon. */
  readonly keyEnd: number;
  /** After the last character of key and value. */
  readonly end: number;
  readonly value: Value | undefined;
}

export interface Mapping {
  readonly kind: 'block' | 'flow';
  /** Of a flow mapping its `{`. */
  readonly offset: number;
  readonly entries: readonly Entry[];
}

export interface List {
  readonly kind: 'list';
  readonly style: 'block' | 'flow';
  /** Of a flow list its `[`. */
  readonly offset: number;
  readonly items: readonly Item[];
}

export interface Item {
  /** Of its `-` in a block list. */
  readonly offset: number;
  readonly end: number;
  readonly value: Value | undefined;
}

export interface Scalar {
  readonly kind: 'scalar';
  readonly value: unknown;
  /** What puts one line of YAML in the place of this scalar, keeping the comment of a block scalar's first line. */
  readonly replaceWith: (text: string) => readonly Splice[];
}

export interface Layout {
  /** The mapping that the document is; undefined when it is empty. */
  readonly root: Mapping | undefined;
  /** Where lines can be added at the end: before `...`, otherwise after everything. */
  readonly end: number;
}

/** `text` must be what `readYaml` accepts: no anchors, tags, explicit keys or further documents. */
export function layoutOf(text: string): Layout {
  const document = parseDocument(text, { keepSourceTokens: true, version: '1.2', schema: 'core', merge: false });
  const root = isMap(document.contents) ? mappingOf(document.contents, text) : undefined;
  return { root, end: documentEnd(text, root) };
}

export function entryOf(mapping: Mapping | undefined, key: string): Entry | undefined {
  return mapping?.entries.find((entry) => entry.key === key);
}

export function asMapping(value: Value | undefined): Mapping | undefined {
  return value?.kind === 'block' || value?.kind === 'flow' ? value : undefined;
}

export function applySplices(text: string, splices: readonly Splice[]): string {
  return (
    [...splices]
      // Of two at one place the removal comes first, or it would remove what the other inserts.
      .sort((left, right) => right.offset - left.offset || right.length - left.length)
      .reduce((all, { offset, length, text: part }) => all.slice(0, offset) + part + all.slice(offset + length), text)
  );
}

/** After the line end that closes the line of `offset`, or the end of the text. */
export function afterLine(text: string, offset: number): number {
  const end = text.indexOf('\n', offset);
  return end === -1 ? text.length : end + 1;
}

/** The blanks before `offset` in its line; undefined when something else stands there. */
export function indentAt(text: string, offset: number): string | undefined {
  const indent = text.slice(text.lastIndexOf('\n', offset - 1) + 1, offset);
  return /^ *$/.test(indent) ? indent : undefined;
}

/** How this file ends its lines. */
export function lineEndOf(text: string): '\n' | '\r\n' {
  return /^[^\n]*\r\n/.test(text) ? '\r\n' : '\n';
}

function mappingOf(map: YAMLMap, text: string): Mapping {
  const token = map.srcToken;
  const isFlow = token?.type === 'flow-collection';
  return {
    kind: isFlow ? 'flow' : 'block',
    offset: isFlow ? token.start.offset : (map.range?.[0] ?? 0),
    entries: map.items.map((pair) => layoutOfPair(pair, text)),
  };
}

function layoutOfPair({ key, value }: Pair, text: string): Entry {
  const [keyOffset = 0, keyEnd = 0] = isScalar(key) ? (key.range ?? []) : [];
  return {
    key: isScalar(key) ? String(key.value) : '',
    keyOffset,
    keyEnd,
    end: endOf(value, keyEnd, text),
    value: valueOf(value, text),
  };
}

function listOf(list: YAMLSeq, text: string): List {
  const token = list.srcToken;
  const isFlow = token?.type === 'flow-collection';
  const dashes =
    token?.type === 'block-seq'
      ? token.items.flatMap(({ start }) => start.filter(({ type }) => type === 'seq-item-ind'))
      : [];
  return {
    kind: 'list',
    style: isFlow ? 'flow' : 'block',
    offset: isFlow ? token.start.offset : (list.range?.[0] ?? 0),
    items: list.items.map((item, index) => {
      const [start = 0] = isRanged(item) ? (item.range ?? []) : [];
      const offset = dashes[index]?.offset ?? start;
      return { offset, end: endOf(item, offset, text), value: valueOf(item, text) };
    }),
  };
}

function valueOf(node: unknown, text: string): Value | undefined {
  if (isMap(node)) return mappingOf(node, text);
  if (isSeq(node)) return listOf(node, text);
  return isScalar(node) ? scalarOf(node, text) : undefined;
}

/** After the last character of the node that is not blank, and not before `least`. */
function endOf(node: unknown, least: number, text: string): number {
  const [, end = least] = isRanged(node) ? (node.range ?? []) : [];
  return text.slice(0, Math.max(least, end)).trimEnd().length;
}

function isRanged(node: unknown): node is { readonly range?: readonly number[] | null } {
  return typeof node === 'object' && node !== null && 'range' in node;
}

function scalarOf(
  node: { readonly value: unknown; readonly srcToken?: CST.Token; readonly range?: readonly number[] | null },
  text: string,
): Scalar {
  const { value, srcToken } = node;
  if (srcToken?.type === 'block-scalar') {
    return { kind: 'scalar', value, replaceWith: (line) => replaceBlockScalar(srcToken, text, line) };
  }
  const [offset = 0, end = offset] = node.range ?? [];
  return { kind: 'scalar', value, replaceWith: (line) => [{ offset, length: end - offset, text: line }] };
}

/** The header (`>-`) becomes the value; the lines below it go, blank lines after them stay. */
function replaceBlockScalar(token: CST.BlockScalar, text: string, line: string): readonly Splice[] {
  const header = token.props.find((prop) => prop.type === 'block-scalar-header');
  if (header === undefined || !('source' in header)) return [];
  const body = token.props.reduce((end, prop) => ('source' in prop ? prop.offset + prop.source.length : end), 0);
  const content = body + text.slice(body, body + token.source.length).trimEnd().length;
  const bodyEnd = content === body ? body : afterLine(text, content);
  return [
    { offset: header.offset, length: header.source.length, text: line },
    { offset: body, length: bodyEnd - body, text: '' },
  ];
}

/** `...` can only stand alone at the start of a line; inside a block scalar it would be indented. */
function documentEnd(text: string, root: Mapping | undefined): number {
  const last = root?.entries.at(-1)?.end ?? 0;
  const marker = /^\.\.\.(?=\s|$)/gm;
  marker.lastIndex = last;
  return marker.exec(text)?.index ?? text.length;
}
