/** Records as text: what clients may have put into them does no harm to a terminal, a viewer or a parser of lines. */

const maxFieldLength = 256;

// C1 controls and line separators pass through JSON unescaped and can forge lines in a terminal or a log viewer.
const unprintable = /[\u007f-\u009f\u2028\u2029]/;

/** One JSON object, `time` first; texts are cut to 256 characters. `before`: what stands in front of the time, as JSON. */
export function recordText(record: object, time: string, before = ''): string {
  const text = textOf(record, time, before);
  return isClean(record, text) ? text : textOf(clean(record), time, before);
}

function textOf(fields: object, time: string, before: string): string {
  const json = JSON.stringify(fields);
  return `{${before}"time":"${time}"${json === '{}' ? '' : ','}${json.slice(1)}`;
}

/** Whether every text goes out as it is, as nearly all do. */
function isClean(record: object, text: string): boolean {
  if (unprintable.test(text)) return false;
  if (text.length <= maxFieldLength) return true;
  for (const name in record) {
    const value = (record as Readonly<Record<string, unknown>>)[name];
    if (typeof value === 'string' && value.length > maxFieldLength) return false;
  }
  return true;
}

function clean(record: object): Readonly<Record<string, unknown>> {
  return Object.fromEntries(Object.entries(record).map(([name, value]) => [name, cleanTexts(value)]));
}

/** What stands below a field, such as claims. */
function cleanTexts(value: unknown): unknown {
  if (typeof value === 'string') return cleanText(value);
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(cleanTexts);
  return Object.fromEntries(Object.entries(value).map(([name, below]) => [cleanText(name), cleanTexts(below)]));
}

function cleanText(text: string): string {
  const cut = text.length > maxFieldLength ? `${text.slice(0, maxFieldLength)}…` : text;
  return cut.replace(
    new RegExp(unprintable, 'g'),
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
