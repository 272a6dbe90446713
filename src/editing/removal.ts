/** Taking entries and items out of a YAML file, so that everything around them stays as it is. */
import { type Edit, type Splices, makeEdit } from './edit.ts';
import { unreadableIndent } from './insertion.ts';
import { type Splice, type Value, afterLine, indentAt, layoutOf } from './layout.ts';

/** Where something stands: keys of mappings and positions in lists, from the top of the file. */
export type Place = readonly [string, ...(string | number)[]];

/** The text without what stands there, comments on its lines included; what held nothing else stays as `{}` or `[]`. */
export function removeAt(text: string, place: Place): Edit {
  return makeEdit(
    text,
    () => findRemoval(text, place),
    (before) => without(before, place),
  );
}

/** A part of a collection, from its first character to behind its last. */
interface Part {
  readonly offset: number;
  readonly end: number;
}

function findRemoval(text: string, place: Place): Splices {
  let holder: Value | undefined = layoutOf(text).root;
  // Behind the colon of the key, or the dash of the item, whose value the holder is.
  let holderStart = 0;
  for (const step of place.slice(0, -1)) {
    const part: PartWithValue | undefined = partsOf(holder)[positionOf(holder, step)];
    if (part === undefined) return { problem: `there is no ${place.join('.')} in the file` };
    holderStart = part.valueStart;
    holder = part.value;
  }
  const parts = partsOf(holder);
  const position = positionOf(holder, place.at(-1) ?? '');
  const part = parts[position];
  if (holder === undefined || holder.kind === 'scalar' || part === undefined) {
    return { problem: `there is no ${place.join('.')} in the file` };
  }
  if (holder.kind === 'flow' || (holder.kind === 'list' && holder.style === 'flow')) {
    return removeFromFlow(text, holder.offset, parts, position);
  }
  if (indentAt(text, part.offset) === undefined) return unreadableIndent;
  const removal = removeLines(text, part.offset, part.end);
  if (parts.length > 1) return [removal];
  const empty = holder.kind === 'list' ? '[]' : '{}';
  const atColon = text.indexOf(':', holderStart) + 1;
  return [...(place.length > 1 ? [{ offset: atColon, length: 0, text: ` ${empty}` }] : []), removal];
}

interface PartWithValue extends Part {
  readonly value: Value | undefined;
  readonly valueStart: number;
}

function partsOf(holder: Value | undefined): readonly PartWithValue[] {
  if (holder === undefined || holder.kind === 'scalar') return [];
  return holder.kind === 'list'
    ? holder.items.map((item) => ({ ...item, valueStart: item.offset }))
    : holder.entries.map((entry) => ({ ...entry, offset: entry.keyOffset, valueStart: entry.keyEnd }));
}

function positionOf(holder: Value | undefined, step: string | number): number {
  if (holder?.kind === 'list') return typeof step === 'number' ? step : -1;
  if (holder?.kind !== 'block' && holder?.kind !== 'flow') return -1;
  return holder.entries.findIndex(({ key }) => key === String(step));
}

/** The data without what stands at a place. */
export function without(value: unknown, [first, ...rest]: readonly (string | number)[]): unknown {
  if (first === undefined) return undefined;
  if (Array.isArray(value)) {
    return value.flatMap((item: unknown, index) =>
      index !== first ? [item] : rest.length === 0 ? [] : [without(item, rest)],
    );
  }
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).flatMap(([key, inner]: [string, unknown]) =>
      key !== String(first) ? [[key, inner]] : rest.length === 0 ? [] : [[key, without(inner, rest)]],
    ),
  );
}

/** The lines from that of `start` to that of `end`. A last line without its end hands the lack back. */
export function removeLines(text: string, start: number, end: number): Splice {
  const until = afterLine(text, end);
  let offset = text.lastIndexOf('\n', start - 1) + 1;
  if (until === text.length && !text.endsWith('\n') && offset > 0) {
    offset -= text.endsWith('\r\n', offset) ? 2 : 1;
  }
  return { offset, length: until - offset, text: '' };
}

/** The part, one comma, and the blanks before it unless a comment is among them. `offset` is of the opening bracket. */
function removeFromFlow(text: string, offset: number, items: readonly Part[], index: number): Splices {
  const item = items[index];
  if (item === undefined) return [];
  const before = items[index - 1];
  const after = items[index + 1];
  if (before !== undefined) return cut(text, before.end, item.offset, item);
  if (after !== undefined) return cut(text, item.end, after.offset, item);
  const isBare = text.slice(offset + 1, item.offset).trim() === '';
  const start = isBare ? offset + 1 : item.offset;
  return [{ offset: start, length: item.end - start, text: '' }, ...cutComma(text, item.end, text.length)];
}

/** Removes the item with the comma in the gap beside it, and the gap when nothing else stands in it. */
function cut(text: string, gapStart: number, gapEnd: number, item: Part): Splices {
  const start = Math.min(gapStart, item.offset);
  const end = Math.max(gapEnd, item.end);
  if (/^\s*,\s*$/.test(text.slice(gapStart, gapEnd))) return [{ offset: start, length: end - start, text: '' }];
  return [{ offset: item.offset, length: item.end - item.offset, text: '' }, ...cutComma(text, gapStart, gapEnd)];
}

/** The comma between `start` and `end` or the end of the collection that is not part of a comment. */
function cutComma(text: string, start: number, end: number): readonly Splice[] {
  for (let offset = start; offset < end; offset++) {
    if (text[offset] === ',') return [{ offset, length: 1, text: '' }];
    if (text[offset] === ']' || text[offset] === '}') break;
    if (text[offset] === '#') offset = afterLine(text, offset) - 1;
  }
  return [];
}
