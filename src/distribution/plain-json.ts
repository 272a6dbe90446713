/** JSON that every reader reads alike. Go takes `Manifests` for `manifests`, and the last where a name is written twice. */
import { parseJson } from './json.ts';

export type JsonObject = Readonly<Record<string, unknown>>;

/** An object, not a list. */
export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** undefined for what is no object, repeats a name anywhere in it, or is nested more deeply than any manifest. */
export function parsePlainObject(content: Buffer): JsonObject | undefined {
  const text = content.toString('utf8');
  const value = parseJson(text);
  if (!isJsonObject(value) || countStrings(value) !== (text.match(jsonString) ?? []).length) return undefined;
  return value;
}

const members =
  'schemaVersion mediaType artifactType config layers manifests blobs fsLayers history signatures subject annotations';
const known = new Map(
  [...members.split(' '), 'digest', 'size', 'urls', 'data', 'platform', 'os', 'architecture'].map((name) => [
    folded(name),
    name,
  ]),
);

/** Whether the object has no name that only some readers take for one of a manifest or descriptor. Not for annotations. */
export function isPlainlyNamed(value: JsonObject): boolean {
  return Object.keys(value).every((key) => (known.get(folded(key)) ?? key) === key);
}

/** As Go compares names: U+017F is an s, U+212A a k. */
export function folded(name: string): string {
  return name.toUpperCase().toLowerCase();
}

const jsonString = /"[^"\\]*(?:\\.[^"\\]*)*"/g;

/** Levels of nesting; no list has more than five. */
const maxDepth = 32;

/** Names and values, NaN when too deep. A name that is written twice is parsed once, and counts less here than in the text. */
function countStrings(value: unknown, depth = 0): number {
  if (typeof value === 'string') return 1;
  if (typeof value !== 'object' || value === null) return 0;
  if (depth === maxDepth) return NaN;
  const own = Array.isArray(value) ? 0 : Object.keys(value).length;
  return Object.values(value).reduce<number>((sum, each) => sum + countStrings(each, depth + 1), own);
}
