/** Where things stand in the text of a YAML file: the places at which it can be changed without touching the rest. */
import { type YamlReading, readYaml } from '../document/yaml.ts';
import type { PlainList, PlainMap, PlainNode } from '../document/plain-yaml.ts';
import type { CST, Pair, YAMLMap, YAMLSeq } from 'yaml';
import { yamlLibrary } from '../document/whole-yaml.ts';

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

interface Scalar {
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

/** undefined for a key that is not there, or no mapping. */
export function entryOf(mapping: Mapping | undefined, key: string): Entry | undefined {
  return mapping?.entries.find((entry) => entry.key === key);
}

/** undefined for a scalar, a list, or nothing. */
export function asMapping(value: Value | undefined): Mapping | undefined {
  return value?.kind === 'block' || value?.kind === 'flow' ? value : undefined;
}

/** Offsets are those of `text` as given, in any order; splices may not overlap. */
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

/** Characters of all remembered texts: as many as one file may have. */
const mostRemembered = 4 * 1024 * 1024;
const remembered = new Map<string, YamlReading & { readonly ok: true }>();

/** As `readYaml`; the last texts that were read are not read again. */
export function readOnce(file: string, text: string): YamlReading {
  const known = remembered.get(text);
  if (known !== undefined) return { ok: true, document: { ...known.document, file } };
  const reading = readYaml(file, text);
  if (!reading.ok) return reading;
  remembered.set(text, reading);
  let length = 0;
  for (const each of [...remembered.keys()].reverse()) {
    length += each.length;
    if (length > mostRemembered) remembered.delete(each);
  }
  return reading;
}

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
  const { value, offset, end } = node;
  return node.isEmpty ? nothingAt(end) : { kind: 'scalar', value, replaceWith: replaceRange(offset, end) };
}

/** `...` can only stand alone at the start of a line; inside a block scalar it would be indented. */
function documentEnd(text: string, root: Mapping | undefined): number {
  const last = root?.entries.at(-1)?.end ?? 0;
  const marker = /^\.\.\.(?=\s|$)/gm;
  marker.lastIndex = last;
  return marker.exec(text)?.index ?? text.length;
}

/** The mapping that the document is; undefined when it is empty. */
export function wholeRootOf(text: string): Mapping | undefined {
  const { isMap, parseDocument } = yamlLibrary();
  const document = parseDocument(text, { keepSourceTokens: true, version: '1.2', schema: 'core', merge: false });
  return isMap(document.contents) ? mappingOf(document.contents, text) : undefined;
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
  const { isScalar } = yamlLibrary();
  const [keyOffset = 0, keyEnd = 0] = isScalar(key) ? (key.range ?? []) : [];
  const isEmpty = isScalar(value) && value.value === null && value.source === '';
  return {
    key: isScalar(key) ? String(key.value) : '',
    keyOffset,
    keyEnd,
    end: endOf(value, keyEnd, text),
    value: isEmpty ? nothingAt(text.indexOf(':', keyEnd) + 1) : valueOf(value, text),
  };
}

/** Where a value would stand, behind its colon: the parser has it anywhere up to the next thing, comments included. */
function nothingAt(colonEnd: number): Scalar {
  return { kind: 'scalar', value: null, replaceWith: (text) => [{ offset: colonEnd, length: 0, text: ` ${text}` }] };
}

function replaceRange(offset: number, end: number): Scalar['replaceWith'] {
  return (text) => [{ offset, length: end - offset, text }];
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
  const { isMap, isScalar, isSeq } = yamlLibrary();
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
  return { kind: 'scalar', value, replaceWith: replaceRange(offset, end) };
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
