/** Values out of JSON from anywhere: of any type, length and number. */

const maxText = 4096;
const maxEntries = 200;
/** Of texts that are shown together: after so many characters only the beginning of each is kept. */
const maxTogether = 32_768;
const maxBeginning = 128;

/** Cut where it is long, which it says then; not between the halves of a pair. */
export function boundedText(text: string, most = maxText): string {
  if (text.length <= most) return text;
  const mark = `… (${text.length.toLocaleString('en')} characters)`;
  return text.slice(0, most - mark.length).replace(/[\ud800-\udbff]$/, '') + mark;
}

/** For one text after the other of those that are shown together. */
export function boundingTogether(): (text: string) => string {
  let room = maxTogether;
  return (text) => {
    const kept = boundedText(text, room > 0 ? maxText : maxBeginning);
    room -= kept.length;
    return kept;
  };
}

/** Bounded; undefined for what is no text. */
export function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? boundedText(value) : undefined;
}

/** Empty for what is no list. */
export function listOf(value: unknown, most: number): readonly unknown[] {
  return Array.isArray(value) ? (value as readonly unknown[]).slice(0, most) : [];
}

/** The entries of an object that are texts; no name among them is one that objects have by nature. */
export function textsOf(value: unknown): Readonly<Record<string, string>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return {};
  const texts: Record<string, string> = Object.create(null) as Record<string, string>;
  const bounded = boundingTogether();
  for (const [name, each] of Object.entries(value).slice(0, maxEntries))
    if (typeof each === 'string') texts[bounded(name)] = bounded(each);
  return texts;
}

/** Bytes as a descriptor says them; undefined for what is no number of bytes. */
export function sizeOf(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : undefined;
}
