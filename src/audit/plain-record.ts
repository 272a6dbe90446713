/** Records as text: what clients may have put into them does no harm to a terminal, a viewer or a parser of lines. */
import { maxAccessLength } from '../distribution/scope.ts';

const maxFieldLength = 256;
/** Whole, since a record is judged again by them: all that a token can be for, and a name of 255 with a digest. */
const longer: ReadonlyMap<string, number> = new Map([
  ['scope', maxAccessLength],
  ['asked', maxAccessLength],
  ['from', 512],
]);

function longest(name: string): number {
  return longer.get(name) ?? maxFieldLength;
}

// C1 controls and line separators pass through JSON unescaped and can forge lines in a terminal or a log viewer.
const unprintable = /[\u007f-\u009f\u2028\u2029]/;

/** A record as one JSON object, its texts cut to 256 characters, but for those that judging again takes. */
export function fieldsText(record: object): string {
  const text = JSON.stringify(record);
  return isClean(record, text) ? text : JSON.stringify(clean(record));
}

/** The same object with its time in front, and with what stands in front of that, as JSON. */
export function timedText(fields: string, time: string, before = ''): string {
  return `{${before}"time":"${time}"${fields === '{}' ? '' : ','}${fields.slice(1)}`;
}

/** Whether every text goes out as it is, as nearly all do. */
function isClean(record: object, text: string): boolean {
  if (unprintable.test(text)) return false;
  if (text.length <= maxFieldLength) return true;
  for (const name in record) {
    const value = (record as Readonly<Record<string, unknown>>)[name];
    if (typeof value === 'string' && value.length > maxFieldLength && value.length > longest(name)) return false;
  }
  return true;
}

function clean(record: object): Readonly<Record<string, unknown>> {
  return Object.fromEntries(
    Object.entries(record).map(([name, value]) => [
      name,
      typeof value === 'string' ? cleanText(value, longest(name)) : cleanTexts(value),
    ]),
  );
}

/** What stands below a field, such as claims. */
function cleanTexts(value: unknown): unknown {
  if (typeof value === 'string') return cleanText(value);
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(cleanTexts);
  return Object.fromEntries(Object.entries(value).map(([name, below]) => [cleanText(name), cleanTexts(below)]));
}

function cleanText(text: string, length = maxFieldLength): string {
  const cut = text.length > length ? `${text.slice(0, length)}…` : text;
  return cut.replace(
    new RegExp(unprintable, 'g'),
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
