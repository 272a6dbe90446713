/** A changed text that says what was wanted and nothing else, or why the file cannot be changed. */
import { isDeepStrictEqual } from 'node:util';
import { type Splice, applySplices, readOnce } from './layout.ts';

export type Edit = { readonly ok: true; readonly text: string } | { readonly ok: false; readonly problem: string };

export type Splices = readonly Splice[] | { readonly problem: string };

/** A mapping of a policy file as plain data. */
export type Fields = Readonly<Record<string, unknown>>;

/** The text with what `findSplices` finds, if it then says what `wanted` makes of it; any other edit is refused. */
export function makeEdit(
  text: string,
  findSplices: (text: string) => Splices,
  wanted: (before: Fields) => unknown,
): Edit {
  const before = readOnce('', text);
  if (!before.ok) return { ok: false, problem: 'the file is not valid YAML' };
  const splices = findSplices(text);
  if ('problem' in splices) return { ok: false, problem: splices.problem };
  const changed = applySplices(text, splices);
  const after = readOnce('', changed);
  const isMade =
    after.ok && isDeepStrictEqual(plain(after.document.value), wanted(fieldsOf(plain(before.document.value))));
  if (isMade) return { ok: true, text: changed };
  return { ok: false, problem: 'the file is written in a way that cannot be edited safely; edit it by hand' };
}

/** One edit after the other, up to the first that cannot be made. */
export function editEach<T>(text: string, parts: readonly T[], edit: (text: string, part: T) => Edit): Edit {
  return parts.reduce<Edit>((done, part) => (done.ok ? edit(done.text, part) : done), { ok: true, text });
}

/** Whether `key` stands at the top of the file. */
export function hasSection(text: string, key: string): boolean {
  const reading = readOnce('', text);
  return reading.ok && fieldsOf(reading.document.value)[key] !== undefined;
}

/** The value when it is a mapping, otherwise an empty one. */
function fieldsOf(value: unknown): Fields {
  return isFields(value) ? value : {};
}

/** The file with one of its accounts changed; one that is not there yet is empty. */
export function withAccount(file: Fields, section: string, name: string, change: (account: Fields) => Fields): Fields {
  const accounts = fieldsOf(file[section]);
  return { ...file, [section]: { ...accounts, [name]: change(fieldsOf(accounts[name])) } };
}

/** The value when it is a list, otherwise an empty one. */
export function itemsOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
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
