/**
 * A quick reader for the YAML that nearly all policy files are written in: block mappings and lists, one-line `{ }` and
 * `[ ]`, and scalars that end on their line without escapes. It knows no errors: whatever it is not sure of is left to the
 * whole parser, which takes ten times as long and says what is wrong. Where it answers, both say the same, to the offset.
 */

export type PlainNode = PlainScalar | PlainMap | PlainList;

interface Placed {
  /** Of its first character; of a block collection, of its first key or dash. */
  readonly offset: number;
  /** Behind its last character; of a block collection, behind a comment in its last line. */
  readonly end: number;
  /** Where its key begins; of an item, where the item does. */
  readonly keyOffset: number;
}

export interface PlainScalar extends Placed {
  readonly kind: 'scalar';
  readonly value: unknown;
  /** Nothing is written there. */
  readonly isEmpty: boolean;
}

export interface PlainMap extends Placed {
  readonly kind: 'map';
  readonly style: 'block' | 'flow';
  readonly value: Readonly<Record<string, unknown>>;
  readonly children: Readonly<Record<string, PlainNode>>;
  /** Behind each key, quotes included; in the order of the text, which `children` may not keep. */
  readonly keyEnds: readonly number[];
}

export interface PlainList extends Placed {
  readonly kind: 'list';
  readonly style: 'block' | 'flow';
  readonly value: readonly unknown[];
  readonly children: readonly PlainNode[];
  /** Of a block list. */
  readonly dashes: readonly number[];
}

export interface PlainReading {
  readonly root: PlainMap;
  /** Whether a comment stands deeper than what follows it, or below a key without a value, so that it belongs to what is above. */
  readonly hasTrailingComments: boolean;
}

/** undefined when the text is not certainly plain, valid or not. `source` has no byte order mark and no characters that are refused. */
export function readPlainYaml(source: string): PlainReading | undefined {
  if (source.includes('\t') || source.includes('\r')) return undefined;
  return new Reader(source).read();
}

const maxDepth = 30;
const plainKey = /[A-Za-z0-9_./$][A-Za-z0-9_.+@/$-]{0,199}/y;
const quotedKey = /'[^'\n]{1,200}'(?!')|"[^"\\\n]{1,200}"/y;
/** What may begin a scalar without quotes without meaning something else. */
const safeStart = /[^\s?:,[\]{}#&*!|>'"%@`-]|-[A-Za-z0-9.]/y;
/** Everything of YAML's core schema that would not be text, whole numbers aside. */
const number =
  /^[-+]?(?:\d+|0o[0-7]+|0x[0-9a-fA-F]+|(?:\.\d+|\d+(?:\.\d*)?)(?:[eE][-+]?\d+)?|\.(?:inf|Inf|INF))$|^\.(?:nan|NaN|NAN)$/;
const wholeNumber = /^(?:0|[1-9]\d{0,14})$/;
const words: ReadonlyMap<string, boolean | null> = new Map([
  ...['~', 'null', 'Null', 'NULL'].map((word) => [word, null] as const),
  ...['true', 'True', 'TRUE'].map((word) => [word, true] as const),
  ...['false', 'False', 'FALSE'].map((word) => [word, false] as const),
]);
/** Objects below it inherit nothing, and unlike those without any prototype are not hash tables from the start. */
const bare: object = Object.freeze(Object.create(null) as object);
const reservedKeys: ReadonlySet<string> = new Set(['__proto__', 'constructor', 'prototype', '<<']);

interface Key {
  readonly name: string;
  readonly offset: number;
  readonly end: number;
}

/** Stands at the first character of a line that says something, or of what follows a dash in it. */
class Reader {
  readonly #source: string;
  #start = 0;
  /** Column of `#start`, from 0; -1 at the end of the text. */
  #indent = -1;
  /** Of the line end, or the end of the text. */
  #lineEnd = 0;
  #hasTrailingComments = false;
  /** Whether one stands between what was read last and `#start`. */
  #isBelowComment = false;

  constructor(source: string) {
    this.#source = source;
  }

  read(): PlainReading | undefined {
    this.#goOn(0);
    if (this.#indent !== 0) return undefined;
    const root = this.#map(0, 0, 0);
    if (root === undefined || this.#isInText()) return undefined;
    return { root, hasTrailingComments: this.#hasTrailingComments };
  }

  /** To the next line that says something; `lineStart` is where to begin looking. */
  #goOn(lineStart: number): void {
    const source = this.#source;
    let deepest = -1;
    let offset = lineStart;
    while (offset < source.length) {
      let start = offset;
      while (source.charCodeAt(start) === 0x20) start++;
      const found = source.indexOf('\n', start);
      const lineEnd = found === -1 ? source.length : found;
      if (start < lineEnd) {
        const indent = start - offset;
        if (source[start] !== '#') {
          this.#start = start;
          this.#indent = indent;
          this.#lineEnd = lineEnd;
          if (deepest > indent) this.#hasTrailingComments = true;
          this.#isBelowComment = deepest >= 0;
          return;
        }
        deepest = Math.max(deepest, indent);
      }
      offset = lineEnd + 1;
    }
    if (deepest > 0) this.#hasTrailingComments = true;
    this.#isBelowComment = deepest >= 0;
    this.#indent = -1;
  }

  #map(indent: number, keyOffset: number, depth: number): PlainMap | undefined {
    if (depth > maxDepth) return undefined;
    const value = Object.create(bare) as Record<string, unknown>;
    const children = Object.create(bare) as Record<string, PlainNode>;
    const keyEnds: number[] = [];
    const offset = this.#start;
    let end = offset;
    while (this.#indent === indent) {
      const key = this.#key(this.#start);
      if (key === undefined || children[key.name] !== undefined || this.#source[key.end] !== ':') return undefined;
      const child = this.#valueAfter(key, indent, depth);
      if (child === undefined || this.#indent > indent) return undefined;
      children[key.name] = child;
      value[key.name] = child.value;
      keyEnds.push(key.end);
      end = this.#lastEnd;
    }
    return { kind: 'map', style: 'block', value, children, keyEnds, offset, end, keyOffset };
  }

  /** Behind what was read last, with the comment in its line. */
  #lastEnd = 0;

  #valueAfter(key: Key, indent: number, depth: number): PlainNode | undefined {
    const source = this.#source;
    const start = this.#skipBlanks(key.end + 1);
    const isAlone = start === this.#lineEnd || (source[start] === '#' && start > key.end + 1);
    if (!isAlone) return start > key.end + 1 ? this.#inline(start, key.offset, depth) : undefined;
    const colon = key.end + 1;
    this.#lastEnd = this.#endOfText();
    this.#goOn(this.#lineEnd + 1);
    if (this.#indent > indent) {
      return this.#isDash()
        ? this.#list(this.#indent, key.offset, depth + 1)
        : this.#map(this.#indent, key.offset, depth + 1);
    }
    if (this.#indent === indent && this.#isDash()) return this.#list(indent, key.offset, depth + 1);
    if (this.#isBelowComment) this.#hasTrailingComments = true;
    return { kind: 'scalar', value: null, isEmpty: true, offset: key.offset, end: colon, keyOffset: key.offset };
  }

  #list(indent: number, keyOffset: number, depth: number): PlainList | undefined {
    if (depth > maxDepth) return undefined;
    const children: PlainNode[] = [];
    const dashes: number[] = [];
    const offset = this.#start;
    let end = offset;
    while (this.#indent === indent && this.#isDash()) {
      dashes.push(this.#start);
      const start = this.#skipBlanks(this.#start + 1);
      const key = this.#key(start);
      const isMap =
        key !== undefined && this.#source[key.end] === ':' && /[ \n]|^$/.test(this.#source.charAt(key.end + 1));
      let child: PlainNode | undefined;
      if (isMap) {
        this.#indent += start - this.#start;
        this.#start = start;
        child = this.#map(this.#indent, start, depth + 1);
      } else child = this.#inline(start, start, depth);
      if (child === undefined || this.#indent > indent) return undefined;
      children.push(child);
      end = this.#lastEnd;
    }
    const value = children.map((child) => child.value);
    return { kind: 'list', style: 'block', value, children, dashes, offset, end, keyOffset };
  }

  #isInText(): boolean {
    return this.#indent !== -1;
  }

  #isDash(): boolean {
    return this.#source[this.#start] === '-' && this.#source[this.#start + 1] === ' ';
  }

  #skipBlanks(offset: number): number {
    let next = offset;
    while (this.#source.charCodeAt(next) === 0x20) next++;
    return next;
  }

  /** Of the line that is being read, blanks at its end aside. */
  #endOfText(): number {
    let end = this.#lineEnd;
    while (this.#source.charCodeAt(end - 1) === 0x20) end--;
    return end;
  }

  /** A value that ends in this line, with nothing but a comment behind it. Goes on to the next line. */
  #inline(start: number, keyOffset: number, depth: number): PlainNode | undefined {
    const source = this.#source;
    if (start >= this.#lineEnd) return undefined;
    const first = source[start];
    const node =
      first === '[' || first === '{'
        ? this.#flow(start, keyOffset, depth + 1)
        : (this.#quoted(start, keyOffset) ?? this.#plain(start, keyOffset));
    if (node === undefined) return undefined;
    const rest = this.#skipBlanks(node.end);
    if (rest !== this.#lineEnd && (rest === node.end || source[rest] !== '#')) return undefined;
    this.#lastEnd = this.#endOfText();
    this.#goOn(this.#lineEnd + 1);
    return node;
  }

  #plain(start: number, keyOffset: number): PlainScalar | undefined {
    const line = this.#source.slice(start, this.#lineEnd);
    const comment = line.indexOf(' #');
    const text = (comment === -1 ? line : line.slice(0, comment)).trimEnd();
    if (text.includes(': ') || text.endsWith(':')) return undefined;
    return this.#scalar(text, start, keyOffset);
  }

  #scalar(text: string, offset: number, keyOffset: number): PlainScalar | undefined {
    safeStart.lastIndex = offset;
    if (text === '' || !safeStart.test(this.#source)) return undefined;
    const value = resolve(text);
    if (value === undefined) return undefined;
    return { kind: 'scalar', value, isEmpty: false, offset, end: offset + text.length, keyOffset };
  }

  #quoted(start: number, keyOffset: number): PlainScalar | undefined {
    const quote = this.#source[start];
    if (quote !== "'" && quote !== '"') return undefined;
    const close = this.#source.indexOf(quote, start + 1);
    if (close === -1 || close >= this.#lineEnd) return undefined;
    const value = this.#source.slice(start + 1, close);
    const isSimple = quote === "'" ? this.#source[close + 1] !== "'" : !value.includes('\\');
    if (!isSimple) return undefined;
    return { kind: 'scalar', value, isEmpty: false, offset: start, end: close + 1, keyOffset };
  }

  #flow(start: number, keyOffset: number, depth: number): PlainMap | PlainList | undefined {
    if (depth > maxDepth) return undefined;
    return this.#source[start] === '['
      ? this.#flowList(start, keyOffset, depth)
      : this.#flowMap(start, keyOffset, depth);
  }

  #flowList(offset: number, keyOffset: number, depth: number): PlainList | undefined {
    const source = this.#source;
    const children: PlainNode[] = [];
    let next = this.#skipBlanks(offset + 1);
    while (source[next] !== ']') {
      const child = this.#flowValue(next, next, depth);
      if (child === undefined) return undefined;
      children.push(child);
      next = this.#behindPart(child.end, ']');
      if (next === -1) return undefined;
    }
    const value = children.map((child) => child.value);
    return { kind: 'list', style: 'flow', value, children, dashes: [], offset, end: next + 1, keyOffset };
  }

  #flowMap(offset: number, keyOffset: number, depth: number): PlainMap | undefined {
    const source = this.#source;
    const value = Object.create(bare) as Record<string, unknown>;
    const children = Object.create(bare) as Record<string, PlainNode>;
    const keyEnds: number[] = [];
    let next = this.#skipBlanks(offset + 1);
    while (source[next] !== '}') {
      const key = this.#key(next);
      if (key === undefined || children[key.name] !== undefined) return undefined;
      if (source[key.end] !== ':' || source[key.end + 1] !== ' ') return undefined;
      const child = this.#flowValue(this.#skipBlanks(key.end + 1), key.offset, depth);
      if (child === undefined) return undefined;
      children[key.name] = child;
      value[key.name] = child.value;
      keyEnds.push(key.end);
      next = this.#behindPart(child.end, '}');
      if (next === -1) return undefined;
    }
    return { kind: 'map', style: 'flow', value, children, keyEnds, offset, end: next + 1, keyOffset };
  }

  /** The next part or the closing bracket behind a part's end; -1 where neither follows in this line. */
  #behindPart(end: number, close: ']' | '}'): number {
    const next = this.#skipBlanks(end);
    if (this.#source[next] === close) return next;
    return this.#source[next] === ',' ? this.#skipBlanks(next + 1) : -1;
  }

  #flowValue(start: number, keyOffset: number, depth: number): PlainNode | undefined {
    const source = this.#source;
    const first = source[start];
    if (first === '[' || first === '{') return this.#flow(start, keyOffset, depth + 1);
    if (first === "'" || first === '"') return this.#quoted(start, keyOffset);
    flowText.lastIndex = start;
    const text = flowText.exec(source)?.[0].trimEnd() ?? '';
    return this.#scalar(text, start, keyOffset);
  }

  #key(start: number): Key | undefined {
    const source = this.#source;
    const first = source[start];
    const isQuoted = first === "'" || first === '"';
    const pattern = isQuoted ? quotedKey : plainKey;
    pattern.lastIndex = start;
    const written = pattern.exec(source)?.[0];
    if (written === undefined) return undefined;
    const name = isQuoted ? written.slice(1, -1) : written;
    if (reservedKeys.has(name) || (!isQuoted && typeof resolve(name) !== 'string')) return undefined;
    return { name, offset: start, end: start + written.length };
  }
}

/** Up to what ends a scalar inside brackets; a colon does where a blank or bracket follows, a # behind a blank. */
const flowText = /(?:[^,[\]{}\n:# ]|:(?![ \n,[\]{}]|$)|(?<! )#| )+/y;

/** Text without quotes in YAML's core schema; undefined for numbers that need more care. */
function resolve(text: string): unknown {
  if (!'+-.~0123456789nNtTfF'.includes(text.charAt(0))) return text;
  const word = words.get(text);
  if (word !== undefined) return word;
  if (wholeNumber.test(text)) return Number(text);
  return number.test(text) ? undefined : text;
}
