/** Any YAML text, read by a whole parser: plain data with its places, or everything in it that is wrong or surprising. */
import type { CST, YAMLError } from 'yaml';
import { type Problem, lowerFirst, quote, sortProblems } from './problem.ts';
import { createRequire } from 'node:module';

const maxDepth = 32;

// Keys that reach Object.prototype when a consumer copies them into a plain object.
const hazardousKeys: ReadonlySet<string> = new Set(['__proto__', 'constructor', 'prototype']);

// What a "\u0000" escape can still put into a value.
const refusedInValue = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069\ufeff]/;

/** A value together with where it and its key were written. */
export interface Planted {
  readonly value: unknown;
  readonly offset: number;
  readonly keyOffset: number;
  /** Of a mapping by key, without a prototype that has anything. */
  readonly children?: Readonly<Record<string, Planted>> | readonly Planted[];
}

/** undefined when something was found. `source` has no byte order mark and no characters that are refused. */
export function readWholeYaml(source: string, found: Findings): Planted | undefined {
  const { Composer, Parser } = yamlLibrary();
  const tokens = [...new Parser().parse(source)];
  // Before composing, which recurses once per level.
  findRefusedSyntax(tokens, found);
  if (found.tooDeep) return undefined;

  const composer = new Composer({ version: '1.2', schema: 'core', merge: false, uniqueKeys: false, strict: true });
  const [composed] = composer.compose(tokens, true, source.length);
  for (const fault of [...(composed?.errors ?? []), ...(composed?.warnings ?? [])]) addFault(fault, found);
  if (found.any()) return undefined;

  const root = plant(composed?.contents ?? null, 0, found);
  return found.any() ? undefined : root;
}

type CollectionItem = CST.CollectionItem;

/** Walks the tokens without recursion: a hostile file may nest as deep as it is long. */
function findRefusedSyntax(tokens: readonly CST.Token[], found: Findings): void {
  const pending: { readonly token: CST.Token; readonly depth: number }[] = [];
  let documents = 0;
  for (const token of tokens) {
    if (token.type === 'directive') {
      found.add(token.offset, 'yaml-directive', 'YAML directives are not supported', 'remove the line');
    }
    if (token.type !== 'document') continue;
    documents += 1;
    if (documents === 2) {
      found.add(token.offset, 'yaml-documents', 'a second YAML document starts here', 'keep one document in a file');
    }
    pending.push({ token, depth: 0 });
  }
  for (let next = pending.pop(); next !== undefined && !found.full(); next = pending.pop()) {
    const { token, depth } = next;
    if (depth > maxDepth) {
      found.tooDeep = true;
      found.add(token.offset, 'too-deep', `values are nested more than ${maxDepth} levels deep`);
      return;
    }
    switch (token.type) {
      case 'document':
        findProperties(token.start, found);
        if (token.value !== undefined) pending.push({ token: token.value, depth: levelOf(token.value, depth) });
        break;
      case 'block-map':
      case 'block-seq':
      case 'flow-collection':
        for (const item of token.items) {
          findItemSyntax(item, token, found);
          for (const child of [item.key, item.value]) {
            if (child !== undefined && child !== null) pending.push({ token: child, depth: levelOf(child, depth) });
          }
        }
        break;
      case 'block-scalar':
        findProperties(token.props, found);
        break;
      case 'alias': {
        const message = `${quote(token.source)} is not in quotes: an unquoted * starts a YAML alias`;
        found.add(token.offset, 'yaml-alias', message, `put the pattern in quotes: ${quote(token.source)}`);
      }
    }
  }
}

function levelOf(token: CST.Token, parentDepth: number): number {
  const nests = token.type === 'block-map' || token.type === 'block-seq' || token.type === 'flow-collection';
  return nests ? parentDepth + 1 : parentDepth;
}

function findItemSyntax(item: CollectionItem, parent: CST.Token, found: Findings): void {
  findProperties(item.start, found);
  if (item.sep !== undefined) findProperties(item.sep, found);
  const explicit = item.start.find((token) => token.type === 'explicit-key-ind');
  if (explicit !== undefined) {
    found.add(explicit.offset, 'bad-key', '"? key" is not supported', 'write "key: value"');
    return;
  }
  const bare = bareWord(item, parent);
  if (bare !== undefined) {
    const word = quote(bare.source.replace(/\$.*/s, '$***'));
    const message = `${word} has no value: inside { } a comma ends the value before it`;
    const fix = 'put a value that contains a comma in quotes, or give this key a value';
    found.add(bare.offset, 'missing-value', message, fix);
  }
}

/** `b` in `{ a: 1, b }`: valid YAML, but almost always the tail of a value that holds a comma, such as a password hash. */
function bareWord(item: CollectionItem, parent: CST.Token): { offset: number; source: string } | undefined {
  if (parent.type !== 'flow-collection' || parent.start.type !== 'flow-map-start') return undefined;
  if (item.sep?.some((token) => token.type === 'map-value-ind') === true) return undefined;
  const word = item.key ?? item.value;
  return word !== undefined && 'source' in word ? { offset: word.offset, source: word.source } : undefined;
}

function findProperties(tokens: readonly CST.Token[], found: Findings): void {
  for (const token of tokens) {
    if (token.type !== 'anchor' && token.type !== 'tag') continue;
    const word = token.type;
    const message = `${quote(token.source)} is a YAML ${word}, and ${word}s are not supported`;
    const sign = word === 'anchor' ? '&' : '!';
    found.add(token.offset, `yaml-${word}`, message, `put the value in quotes if it really starts with ${sign}`);
  }
}

const unknownFix = 'check the quotes, brackets and indentation around here';

/** The library's wording is for people who know YAML's grammar; these are for the others. */
const plainWords: Partial<Record<YAMLError['code'], { readonly message?: string; readonly fix: string }>> = {
  BAD_DQ_ESCAPE: { fix: 'use single quotes when the text holds a backslash' },
  BAD_INDENT: { fix: 'line up keys that belong together with the same number of spaces' },
  BAD_SCALAR_START: { fix: 'put the value in quotes' },
  BLOCK_AS_IMPLICIT_KEY: {
    message: 'a second "key: value" on one line',
    fix: 'put the value in quotes if it contains ": ", or start a new line',
  },
  BLOCK_IN_FLOW: { fix: 'close the [ or { before starting an indented block' },
  KEY_OVER_1024_CHARS: { message: 'the key is longer than 1024 characters', fix: 'shorten it' },
  MULTILINE_IMPLICIT_KEY: { message: 'a key must be on one line', fix: 'check for a missing ":" or quote' },
  TAB_AS_INDENT: { message: 'a tab cannot indent YAML', fix: 'use spaces' },
};

function addFault(fault: YAMLError, found: Findings): void {
  const unclosed = /end with a ([\]}])$/.exec(fault.message)?.[1];
  if (unclosed !== undefined) {
    const opening = unclosed === ']' ? '[' : '{';
    found.add(fault.pos[0], 'yaml-syntax', `a ${opening} before this is not closed`, `add the missing ${unclosed}`);
    return;
  }
  const { message = `not valid YAML: ${lowerFirst(fault.message)}`, fix = unknownFix } = plainWords[fault.code] ?? {};
  found.add(fault.pos[0], 'yaml-syntax', message, fix);
}

/** Turns a composed node into plain data and remembers where each part was. Recursion is bounded by `maxDepth`. */
function plant(node: unknown, keyOffset: number, found: Findings): Planted {
  const { isMap, isScalar, isSeq } = yamlLibrary();
  if (isMap(node)) {
    const value: Record<string, unknown> = Object.create(null) as Record<string, unknown>;
    const children = Object.create(null) as Record<string, Planted>;
    for (const pair of node.items) {
      const key = readKey(pair.key, keyOffset, found);
      if (key === undefined) continue;
      const first = children[key.name];
      if (first !== undefined) {
        const message = `${quote(key.name)} is written twice, first in line ${found.locate(first.keyOffset).line}`;
        found.add(key.offset, 'duplicate-key', message, 'keep one of them');
        continue;
      }
      const child = plant(pair.value, key.offset, found);
      children[key.name] = child;
      value[key.name] = child.value;
    }
    return { value, offset: node.range?.[0] ?? keyOffset, keyOffset, children };
  }
  if (isSeq(node)) {
    const offset = node.range?.[0] ?? keyOffset;
    const entries = node.items.map((item) => plant(item, startOf(item, offset), found));
    return { value: entries.map((entry) => entry.value), offset, keyOffset, children: entries };
  }
  if (!isScalar(node)) return { value: null, offset: keyOffset, keyOffset };
  const offset = startOf(node, keyOffset);
  if (typeof node.value === 'string' && refusedInValue.test(node.value)) {
    found.add(offset, 'bad-character', 'the value contains a control or invisible character', 'remove the escape');
  }
  return { value: node.value, offset, keyOffset };
}

/** An empty node has no text of its own; pointing at its key is more use than pointing at a line end. */
function startOf(node: unknown, fallback: number): number {
  const { isMap, isScalar, isSeq } = yamlLibrary();
  if (!isScalar(node) && !isMap(node) && !isSeq(node)) return fallback;
  const [start, end] = node.range ?? [fallback, fallback];
  return start === end && isScalar(node) ? fallback : start;
}

function readKey(
  node: unknown,
  mapOffset: number,
  found: Findings,
): { readonly name: string; readonly offset: number } | undefined {
  const { isScalar } = yamlLibrary();
  const offset = startOf(node, mapOffset);
  if (!isScalar(node) || typeof node.value !== 'string') {
    const written = isScalar(node) ? (node.source ?? '') : '';
    const kind = !isScalar(node) ? 'a list or mapping' : written === '' ? 'empty' : 'not text';
    const fix = written === '' ? 'write "key: value"' : `put it in quotes: ${quote(written)}`;
    found.add(offset, 'bad-key', `the key ${written === '' ? '' : `${quote(written)} `}is ${kind}`, fix);
    return undefined;
  }
  const name = node.value;
  if (name === '<<') {
    found.add(offset, 'yaml-merge', 'merge keys (<<) are not supported', 'write the keys out');
    return undefined;
  }
  if (hazardousKeys.has(name)) {
    found.add(offset, 'bad-key', `${quote(name)} is reserved and cannot be a key`, 'choose another name');
    return undefined;
  }
  if (refusedInValue.test(name)) {
    found.add(offset, 'bad-character', 'the key contains a control or invisible character', 'remove the escape');
    return undefined;
  }
  return { name, offset };
}

/** Line and column, both from 1. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

const maxProblems = 50;

/** Positions in a text by offset; its lines are counted when the first is asked for. */
export function positionsIn(source: string): (offset: number) => Position {
  let starts: number[] | undefined;
  return (offset) => {
    starts ??= lineStarts(source);
    let low = 0;
    let high = starts.length;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if ((starts[middle] ?? 0) <= offset) low = middle;
      else high = middle;
    }
    return { line: low + 1, column: offset - (starts[low] ?? 0) + 1 };
  };
}

function lineStarts(source: string): number[] {
  const starts = [0];
  for (let end = source.indexOf('\n'); end !== -1; end = source.indexOf('\n', end + 1)) starts.push(end + 1);
  return starts;
}

/** The problems of one text, each offset reported once, with an end to the list. */
export class Findings {
  readonly #file: string;
  readonly #problems: Problem[] = [];
  readonly #offsets = new Set<number>();
  readonly locate: (offset: number) => Position;
  tooDeep = false;

  constructor(file: string, locate: (offset: number) => Position) {
    this.#file = file;
    this.locate = locate;
  }

  add(offset: number | undefined, code: string, message: string, fix?: string): void {
    if (this.full() || (offset !== undefined && this.#offsets.has(offset))) return;
    if (offset !== undefined) this.#offsets.add(offset);
    const place = offset === undefined ? { line: 0, column: 0 } : this.locate(offset);
    this.#problems.push({ file: this.#file, ...place, code, message, fix });
  }

  any(): boolean {
    return this.#problems.length > 0;
  }

  /** A list longer than this helps nobody, and a broken file can produce millions. */
  full(): boolean {
    return this.#problems.length >= maxProblems;
  }

  reading(): { readonly ok: false; readonly problems: readonly Problem[] } {
    return { ok: false, problems: sortProblems(this.#problems) };
  }
}

type Library = typeof import('yaml');

let library: Library | undefined;

/** Loaded at the first call, then the same. */
export function yamlLibrary(): Library {
  return (library ??= createRequire(import.meta.url)('yaml') as Library);
}
