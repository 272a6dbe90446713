/**
 * Lists of what is attached to an image, under tags made of its digest: distribution-spec "Referrers Tag Schema" (an index,
 * `sha256-<hex>`), and cosign's signatures and attestations (an image with a layer for each, `sha256-<hex>.sig`, `.att`).
 */
import { parseJson } from './json.ts';
import { type JsonObject, isJsonObject, isPlainlyNamed, parsePlainObject } from './plain-json.ts';
import { type Digest, isReferrersTag, parseDigest } from './reference.ts';

/** A manifest and the type it is known by. */
export interface TypedContent {
  readonly content: Buffer;
  readonly mediaType: string | undefined;
}

/**
 * Whether `after` is a list of the same kind that still holds every entry of `before`, unchanged: two signatures of one image
 * may differ in nothing but an annotation. false for other tags, and for what two readers could read differently.
 */
export function keepsAttachments(tag: string, before: TypedContent, after: TypedContent): boolean {
  if (!isReferrersTag(tag)) return false;
  const [old, young] = [readList(tag, before), readList(tag, after)];
  if (old === undefined || young === undefined || old.mediaType !== young.mediaType) return false;
  const left = new Map<string, number>();
  for (const entry of young.entries) left.set(entry, (left.get(entry) ?? 0) + 1);
  return old.entries.every((entry) => {
    const count = left.get(entry) ?? 0;
    left.set(entry, count - 1);
    return count > 0;
  });
}

/**
 * `list` with the entries of `more` that it lacks behind its own, as content of the same type; only those that `isHeld` says
 * yes to by their digest. `list` itself where it lacks none. undefined for other tags, other kinds of lists, and for what
 * two readers could read differently.
 */
export function withAttachments(
  tag: string,
  list: TypedContent,
  more: TypedContent,
  isHeld: (digest: string) => boolean,
): Buffer | undefined {
  if (!isReferrersTag(tag)) return undefined;
  const [own, other] = [readList(tag, list), readList(tag, more)];
  if (own === undefined || other === undefined || own.mediaType !== other.mediaType) return undefined;
  const known = new Set(own.entries);
  const lacking = other.raw.filter(
    (entry, at) => !known.has(other.entries[at] ?? '') && isHeld(String(entry['digest'])),
  );
  if (lacking.length === 0) return list.content;
  const value = parseJson(list.content);
  const merged = isJsonObject(value) ? { ...value, [own.key]: [...own.raw, ...lacking] } : value;
  return Buffer.from(JSON.stringify(merged));
}

/** The list without the entries whose digests `isHeld` says no to; itself where it has none of them. */
export function onlyHeld(tag: string, list: TypedContent, isHeld: (digest: string) => boolean): Buffer | undefined {
  const own = readList(tag, list);
  if (own === undefined) return undefined;
  const held = own.raw.filter((entry) => isHeld(String(entry['digest'])));
  if (held.length === own.raw.length) return list.content;
  const value = parseJson(list.content);
  return Buffer.from(JSON.stringify(isJsonObject(value) ? { ...value, [own.key]: held } : value));
}

interface AttachmentList {
  readonly mediaType: string;
  /** Each in one spelling. */
  readonly entries: readonly string[];
  /** Under this name, as written there. */
  readonly key: 'layers' | 'manifests';
  readonly raw: readonly JsonObject[];
}

function readList(tag: string, { content, mediaType }: TypedContent): AttachmentList | undefined {
  const value = parsePlainObject(content);
  if (value === undefined || !isPlainlyNamed(value)) return undefined;
  const [key, other] = tag.includes('.') ? (['layers', 'manifests'] as const) : (['manifests', 'layers'] as const);
  const entries = value[key];
  if (!Array.isArray(entries) || value[other] !== undefined) return undefined;
  if (!entries.every((entry) => isJsonObject(entry) && isPlainlyNamed(entry) && typeof entry['digest'] === 'string')) {
    return undefined;
  }
  const named = value['mediaType'] ?? mediaType?.split(';')[0]?.trim();
  return typeof named === 'string'
    ? { mediaType: named, entries: entries.map(inOneSpelling), key, raw: entries }
    : undefined;
}

/** Members in order, without those that say nothing. */
function inOneSpelling(value: unknown): string {
  return JSON.stringify(value, (_key, each: unknown) => {
    if (!isJsonObject(each)) return each;
    const said = Object.entries(each).filter(([, member]) => !isEmpty(member));
    return Object.fromEntries(said.sort(([left], [right]) => (left < right ? -1 : 1)));
  });
}

function isEmpty(value: unknown): boolean {
  return value === null || (typeof value === 'object' && Object.keys(value).length === 0);
}

/**
 * The digest that such a tag is made of, and which of the two it is: a list of manifests or an image with a layer for each.
 * undefined for other tags, and where the digest in it is cut.
 */
export function attachmentsTag(tag: string): { readonly of: Digest; readonly form: 'list' | 'layers' } | undefined {
  if (!isReferrersTag(tag)) return undefined;
  const [name = ''] = tag.split('.');
  const of = parseDigest(name.replace('-', ':'));
  return of && { of, form: tag.includes('.') ? 'layers' : 'list' };
}
