/** Values out of JSON from anywhere: of any type, length and number. */

const maxText = 4096;
const maxEntries = 200;

/** Cut where it is long, not between the halves of a pair. */
export function boundedText(text: string): string {
  return text.length <= maxText ? text : text.slice(0, maxText).replace(/[\ud800-\udbff]$/, '');
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
  for (const [name, each] of Object.entries(value).slice(0, maxEntries)) {
    const text = textOf(each);
    if (text !== undefined) texts[boundedText(name)] = text;
  }
  return texts;
}

/** Bytes as a descriptor says them; undefined for what is no number of bytes. */
export function sizeOf(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : undefined;
}
