/** The layout of any YAML text, by the whole parser. */
import type { CST, Pair, YAMLMap, YAMLSeq } from 'yaml';
import { yamlLibrary } from '../document/yaml-library.ts';
import { type Entry, type List, type Mapping, type Scalar, type Splice, type Value, afterLine } from './layout.ts';

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
