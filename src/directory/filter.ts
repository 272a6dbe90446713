/**
 * Filters of LDAP searches (RFC 4515) with places for what a login names. Read once: what stands there later is a value of the
 * comparison, whatever characters it has, and never text of the filter.
 */
import { type Parsed, refuse } from '../document/parsed.ts';

/** What can stand in a filter: the name that somebody logs in with, the distinguished name of an entry. */
export type Placeholder = 'account' | 'dn';

/** Texts and places, one after the other. */
export type Value = readonly (string | { readonly of: Placeholder })[];

interface Comparison {
  readonly kind: 'equal' | 'atLeast' | 'atMost' | 'alike';
  readonly attribute: string;
  readonly value: Value;
}

export type FilterTemplate =
  | { readonly kind: 'and' | 'or'; readonly parts: readonly FilterTemplate[] }
  | { readonly kind: 'not'; readonly part: FilterTemplate }
  | { readonly kind: 'present'; readonly attribute: string }
  | Comparison
  /** `initial*any*any*final`. */
  | { readonly kind: 'substrings'; readonly attribute: string; readonly pieces: readonly string[] }
  | {
      readonly kind: 'rule';
      readonly attribute: string;
      readonly rule: string;
      readonly withDn: boolean;
      readonly value: Value;
    };

type Reading = { readonly template: FilterTemplate; readonly end: number };

const maxLength = 2000;
const maxDepth = 20;

/** `(uid=${account})`, `(&(objectClass=group)(member=${dn}))`. Messages may be shown: a filter is no secret. */
export function parseFilter(text: string): Parsed<FilterTemplate> {
  if (text.length > maxLength) return refuse(`a filter has at most ${maxLength} characters`);
  if (!text.startsWith('('))
    return refuse('a filter begins with "(" and ends with ")"', 'for example (uid=${account})');
  const reading = readFilter(text, 0, 0);
  if (typeof reading === 'string') return refuse(reading, 'for example (uid=${account})');
  if (reading.end !== text.length) return refuse(`the filter goes on after its end, at "${cut(text, reading.end)}"`);
  return { ok: true, value: reading.template };
}

/** With the values in their places. */
export function fill(value: Value, values: Readonly<Record<Placeholder, string>>): string {
  return value.map((part) => (typeof part === 'string' ? part : values[part.of])).join('');
}

/** What is compared for equality with a value in which `placeholder` stands, also below `not`. */
export function comparedWith(
  template: FilterTemplate,
  placeholder: Placeholder,
): readonly { readonly attribute: string; readonly value: Value }[] {
  switch (template.kind) {
    case 'and':
    case 'or':
      return template.parts.flatMap((part) => comparedWith(part, placeholder));
    case 'not':
      return comparedWith(template.part, placeholder);
    case 'equal':
    case 'rule':
      return template.value.some((part) => typeof part !== 'string' && part.of === placeholder) ? [template] : [];
    default:
      return [];
  }
}

/** The one that begins at `at`, or why there is none. */
function readFilter(text: string, at: number, depth: number): Reading | string {
  if (text[at] !== '(') return `expected "(" at "${cut(text, at)}"`;
  if (depth > maxDepth) return `a filter is nested at most ${maxDepth} deep`;
  const sign = text[at + 1];
  if (sign === '&' || sign === '|' || sign === '!') return readGroup(text, at + 2, sign, depth);
  const end = text.indexOf(')', at);
  if (end === -1) return `there is no ")" after "${cut(text, at)}"`;
  const template = readComparison(text.slice(at + 1, end));
  return typeof template === 'string' ? template : { template, end: end + 1 };
}

function readGroup(text: string, begin: number, sign: '&' | '|' | '!', depth: number): Reading | string {
  const parts: FilterTemplate[] = [];
  let at = begin;
  while (text[at] === '(') {
    const part = readFilter(text, at, depth + 1);
    if (typeof part === 'string') return part;
    parts.push(part.template);
    at = part.end;
  }
  if (text[at] !== ')') return `expected "(" or ")" at "${cut(text, at)}"`;
  const [part, ...others] = parts;
  if (part === undefined) return `there is nothing behind "${sign}"`;
  if (sign === '!') return others.length > 0 ? '"!" has one filter' : { template: { kind: 'not', part }, end: at + 1 };
  return { template: { kind: sign === '&' ? 'and' : 'or', parts }, end: at + 1 };
}

const comparison =
  /^(?<attribute>[a-z][a-z0-9-]*(?:;[a-z0-9-]+)*|\d+(?:\.\d+)+)?(?<extended>(?<dn>:dn)?(?::(?<rule>[\w.-]+))?:)?(?<sign>[~<>]?=)(?<value>.*)$/is;

const kinds: Readonly<Record<string, Comparison['kind']>> = {
  '=': 'equal',
  '>=': 'atLeast',
  '<=': 'atMost',
  '~=': 'alike',
};

function readComparison(text: string): FilterTemplate | string {
  const { attribute = '', extended, dn, rule = '', sign = '', value: raw = '' } = comparison.exec(text)?.groups ?? {};
  const kind = kinds[sign];
  if (kind === undefined || (attribute === '' && (extended === undefined || rule === '')))
    return `"${cut(text, 0)}" is no comparison`;
  const isPlain = extended === undefined && kind === 'equal';
  if (isPlain && raw === '*') return { kind: 'present', attribute };
  if (isPlain && raw.includes('*')) return readSubstrings(attribute, raw);
  const value = readValue(raw);
  if (typeof value === 'string') return value;
  if (extended === undefined) return { kind, attribute, value };
  return kind === 'equal'
    ? { kind: 'rule', attribute, rule, withDn: dn !== undefined, value }
    : `"${sign}" does not go with ":"`;
}

function readSubstrings(attribute: string, raw: string): FilterTemplate | string {
  const pieces: string[] = [];
  for (const piece of raw.split('*')) {
    const value = readValue(piece);
    if (typeof value === 'string') return value;
    const [text = '', ...others] = value;
    if (typeof text !== 'string' || others.length > 0)
      return 'a name is compared as a whole, not as a part of a value with "*"';
    pieces.push(text);
  }
  return { kind: 'substrings', attribute, pieces };
}

/** `\28` stands for `(`; bytes that are written so are UTF-8. */
function readValue(raw: string): Value | string {
  const parts: (string | { readonly of: Placeholder })[] = [];
  for (const piece of raw.split(/(\$\{[^}]*\})/)) {
    if (piece === '${account}') parts.push({ of: 'account' });
    else if (piece === '${dn}') parts.push({ of: 'dn' });
    else if (piece.startsWith('${')) return `"${piece}" stands for nothing; there are \${account} and \${dn}`;
    else if (piece !== '') {
      const text = unescaped(piece);
      if (text === undefined) return `"${piece}" has a character that must be written as a backslash and two digits`;
      parts.push(text);
    }
  }
  return parts;
}

function unescaped(raw: string): string | undefined {
  if (/[(\0*]/.test(raw) || /\\(?![0-9a-f]{2})/i.test(raw)) return undefined;
  const pieces = raw.split(/((?:\\[0-9a-f]{2})+)/i).map((piece, at) => {
    return at % 2 === 0 ? Buffer.from(piece) : Buffer.from(piece.replaceAll('\\', ''), 'hex');
  });
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(Buffer.concat(pieces));
  } catch {
    return undefined;
  }
}

function cut(text: string, at: number): string {
  return text.slice(at, at + 20);
}
