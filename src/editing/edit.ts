/** A changed text that says what was wanted and nothing else, or why the file cannot be changed. */
import { type Splice, applySplices } from './layout.ts';
import { readOnce } from './reading.ts';

export type Edit = { readonly ok: true; readonly text: string } | { readonly ok: false; readonly problem: string };

export type Splices = readonly Splice[] | { readonly problem: string };

/** A mapping of a policy file as plain data. */
export type Fields = Readonly<Record<string, unknown>>;

/**
 * The text with `splices` made, if the result is read as `isWanted` demands; both sides come as plain data. An edit that
 * would mean anything else is refused.
 */
export function makeEdit(
  text: string,
  findSplices: (text: string) => Splices,
  isWanted: (before: Fields, after: unknown) => boolean,
): Edit {
  const before = readOnce('', text);
  if (!before.ok) return { ok: false, problem: 'the file is not valid YAML' };
  const splices = findSplices(text);
  if ('problem' in splices) return { ok: false, problem: splices.problem };
  const changed = applySplices(text, splices);
  const after = readOnce('', changed);
  if (!after.ok || !isWanted(fieldsOf(plain(before.document.value)), plain(after.document.value))) {
    const problem = 'the file is written in a way that cannot be edited safely; edit it by hand';
    return { ok: false, problem };
  }
  return { ok: true, text: changed };
}

/** Whether `key` stands at the top of the file. */
export function hasSection(text: string, key: string): boolean {
  const reading = readOnce('', text);
  return reading.ok && fieldsOf(reading.document.value)[key] !== undefined;
}

/** The value when it is a mapping, otherwise an empty one. */
export function fieldsOf(value: unknown): Fields {
  return isFields(value) ? value : {};
}

/** The same data with ordinary prototypes; `readYaml` has refused the keys that would reach one. */
function plain(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(plain);
  if (!isFields(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, plain(inner)]));
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
