/** Where things stand in the text of a YAML file: the places at which it can be changed without touching the rest. */

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
