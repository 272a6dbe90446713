/**
 * What docker_auth's patterns match (auth_server/authz/acl.go, matchString): Go's path.Match, or an unanchored regular
 * expression between slashes; `${account}` and others are replaced first. `maybe` where that cannot be known here.
 */
import { coversPieces, meetingOfTags } from '../policy/analysis/witness.ts';
import { type Piece, maxPatternLength, parseRepositoryPattern } from '../policy/pattern.ts';

export type Match = 'yes' | 'no' | 'maybe';

/** Who asks, as far as an access list tells people apart: anonymous, an account it names, or any other account. */
export type Caller =
  { readonly kind: 'anonymous' } | { readonly kind: 'user'; readonly name: string } | { readonly kind: 'others' };

const account = '${account}';
const everything: ReadonlySet<string> = new Set(['.*', '^.*$', '^', '$', '^.*', '.*$']);
const anythingAtAll: ReadonlySet<string> = new Set(['.', '.+', '^.+$', '^.+', '.+$', '^.', '.$']);

function regexIn(pattern: string): string | undefined {
  return pattern.length > 2 && pattern.startsWith('/') && pattern.endsWith('/') ? pattern.slice(1, -1) : undefined;
}

/** `^bob$` and `^(bob|eve)$` as the texts they match; undefined for any other expression. */
function alternatives(regex: string): readonly string[] | undefined {
  const [, grouped, single] = /^\^(?:\((?:\?:)?([^()]*)\)|([^()|]*))\$$/.exec(regex) ?? [];
  const texts = (grouped ?? single)?.split('|');
  if (texts?.every((text) => /^(?:[\w@-]|\\[.+])*$/.test(text)) !== true) return undefined;
  return texts.map((text) => text.replaceAll('\\', ''));
}

/** The account names that an `account` pattern spells out; undefined when it is anything but names. */
export function namedAccounts(pattern: string): readonly string[] | undefined {
  const regex = regexIn(pattern);
  if (regex !== undefined) return alternatives(regex);
  return /[*?[\\]|\$\{/.test(pattern) ? undefined : [pattern];
}

/** Whether the caller's account name matches. */
export function matchAccount(pattern: string | undefined, caller: Caller): Match {
  if (caller.kind !== 'others') return matchText(pattern, caller.kind === 'user' ? caller.name : '', caller);
  if (pattern === undefined) return 'yes';
  // Every name that is spelt out is a caller of its own.
  if (namedAccounts(pattern) !== undefined) return 'no';
  const regex = regexIn(pattern);
  if (regex !== undefined) return everything.has(regex) || anythingAtAll.has(regex) ? 'yes' : 'maybe';
  return /^\*+$/.test(pattern) ? 'yes' : 'maybe';
}

/** Whether a known text matches: the type `repository`, the name `catalog`, an account. */
export function matchText(pattern: string | undefined, text: string, caller: Caller): Match {
  if (pattern === undefined) return 'yes';
  if (caller.kind === 'others' && pattern.includes(account)) return 'maybe';
  const own = caller.kind === 'user' ? caller.name.replaceAll(/[.+]/g, '\\$&') : '';
  const replaced = pattern.replaceAll(account, own);
  if (replaced.includes('${')) return 'maybe';
  const regex = regexIn(replaced);
  if (regex === undefined) return matchGlob(replaced, text);
  if (everything.has(regex)) return 'yes';
  if (anythingAtAll.has(regex)) return text === '' ? 'no' : 'yes';
  const expression = readable(regex);
  return expression === undefined ? 'maybe' : expression.test(text) ? 'yes' : 'no';
}

/**
 * The expression, where Go and JavaScript read it alike and no text of a name's length keeps it busy: literal characters,
 * simple classes, dots, anchors and groups of alternatives; nothing that repeats a group.
 */
function readable(regex: string): RegExp | undefined {
  const atom = String.raw`(?:\\[.+/@_-]|\[[\w.+@-]+\]|[\w@/:-]|\.|\\[dw])[*+?]?`;
  const sequence = `(?:${atom})*`;
  const group = String.raw`\((?:\?:)?${sequence}(?:\|${sequence})*\)`;
  const shape = new RegExp(String.raw`^\^?(?:${atom}|${group})*\$?$`);
  if (regex.length > 200 || (regex.match(/[*+?]/g) ?? []).length > 8 || !shape.test(regex)) return undefined;
  try {
    // Go's `.` leaves out the line feed only; no name has any kind of line end.
    return new RegExp(regex);
  } catch {
    return undefined;
  }
}

/** path.Match without character classes. */
function matchGlob(pattern: string, text: string): Match {
  if (pattern.includes('[') || /(?:^|[^\\])(?:\\\\)*\\$/.test(pattern)) return 'maybe';
  const tokens = pattern.match(/\\[^]|[^]/g) ?? [];
  // reachable[i]: the tokens so far can stand for the first i characters.
  let reachable = [true, ...Array.from(text, () => false)];
  for (const token of tokens) {
    const next = reachable.map(() => false);
    for (let end = 0; end <= text.length; end++) {
      const character = text[end - 1];
      if (token === '*') {
        next[end] = reachable[end] === true || (end > 0 && next[end - 1] === true && character !== '/');
      } else if (end > 0 && reachable[end - 1] === true) {
        next[end] = token === '?' ? character !== '/' : character === token.slice(-1);
      }
    }
    reachable = next;
  }
  return reachable[text.length] === true ? 'yes' : 'no';
}

/** The repositories that a `name` pattern matches for one caller. */
export interface Region {
  /** As a pattern of ours. */
  readonly pattern: string;
  /** `any`: every repository. */
  readonly segments: 'any' | readonly (readonly Piece[])[];
  /** false: the real region is smaller, and not known. */
  readonly isExact: boolean;
}

const wholeRegistry: Region = { pattern: '**', segments: 'any', isExact: true };
const unknownPart: Region = { ...wholeRegistry, isExact: false };

/** None when no repository can match; several where a name pattern lists alternatives. */
export function regionsOf(name: string | undefined, caller: Caller): readonly Region[] {
  const pattern = caller.kind === 'anonymous' ? name?.replaceAll(account, '') : name;
  const regex = pattern === undefined ? undefined : regexIn(pattern);
  const globs = regex === undefined ? undefined : alternativeGlobs(regex);
  return (globs ?? [name]).flatMap((each) => regionOf(each, caller) ?? []);
}

/** Globs that one name pattern comes to; more are not worth reading. */
const maxAlternatives = 32;

/** `^(foo|bar)/[^/]+$` as `foo/*` and `bar/*`; undefined for what globs cannot say exactly. */
function alternativeGlobs(regex: string): readonly string[] | undefined {
  if (!regex.startsWith('^') || !regex.endsWith('$')) return undefined;
  let globs = [''];
  for (const [token] of regex.slice(1, -1).matchAll(/\((?:\?:)?[^()]*\)|\[\^\/\][+*]|\\.|\$\{account\}|[^]/g)) {
    const parts = token.startsWith('(') ? token.replaceAll(/^\((?:\?:)?|\)$/g, '').split('|') : [token];
    const texts = parts.map(globOf);
    if (texts.includes(undefined)) return undefined;
    globs = globs.flatMap((glob) => texts.map((text) => glob + (text ?? '')));
    if (globs.length > maxAlternatives) return undefined;
  }
  // A star of ours may stand for nothing, which only a segment of its own forbids.
  const isExact = globs.every((glob) => glob.split('/').every((segment) => segment === '+' || !segment.includes('+')));
  return isExact ? globs.map((glob) => glob.replaceAll('+', '*')) : undefined;
}

function globOf(text: string): string | undefined {
  if (text === '[^/]+') return '+';
  if (text === '[^/]*') return '*';
  if (text === account) return text;
  return /^(?:[\w/-]|\\[./-])*$/.test(text) ? text.replaceAll('\\', '') : undefined;
}

/** Undefined when no repository can match. */
function regionOf(name: string | undefined, caller: Caller): Region | undefined {
  if (name === undefined) return wholeRegistry;
  // The empty name of an anonymous caller can turn a glob into an expression and back.
  const pattern = caller.kind === 'anonymous' ? name.replaceAll(account, '') : name;
  const regex = regexIn(pattern);
  if (regex !== undefined) return everything.has(regex) || anythingAtAll.has(regex) ? wholeRegistry : unknownPart;
  const glob = readGlob(pattern);
  if (glob === undefined) return unknownPart;
  const { segments, isExact } = glob;
  if (segments.some(isImpossible)) return undefined;
  const written = segments.map((pieces) => pieces.map(writePiece).join('')).join('/');
  if (written.length > maxPatternLength || 'problem' in parseRepositoryPattern(written)) return unknownPart;
  const own = caller.kind === 'user' ? segments.map((pieces) => withAccount(pieces, caller.name)) : segments;
  if (own.some(isImpossible)) return undefined;
  return { pattern: written, segments: own, isExact };
}

/** Undefined for what `*` and literal text cannot stand for: classes may match a slash, other placeholders anything. */
function readGlob(pattern: string): { segments: readonly (readonly Piece[])[]; isExact: boolean } | undefined {
  if (pattern.includes('[') || pattern.replaceAll(account, '').includes('${') || /\\(?:\$|$)/.test(pattern))
    return undefined;
  let isExact = true;
  const segments: Piece[][] = [[]];
  for (const token of pattern.match(/\$\{account\}|\\[^]|[^]/g) ?? []) {
    const pieces = segments.at(-1) ?? [];
    const character = token.slice(-1);
    if (token === account) pieces.push('account');
    else if (token === '*' || token === '?') {
      if (token === '?') isExact = false;
      if (pieces.at(-1) !== 'star') pieces.push('star');
    } else if (character === '/') segments.push([]);
    else addLiteral(pieces, character);
  }
  return { segments, isExact };
}

function addLiteral(pieces: Piece[], text: string): void {
  const last = pieces.at(-1);
  if (typeof last === 'object') pieces[pieces.length - 1] = { literal: last.literal + text };
  else pieces.push({ literal: text });
}

/** No segment of a repository name is empty, a dot or two, or holds anything but these characters. */
function isImpossible(pieces: readonly Piece[]): boolean {
  const [only] = pieces;
  if (only === undefined) return true;
  if (pieces.length === 1 && typeof only === 'object' && /^\.{1,2}$/.test(only.literal)) return true;
  return pieces.some((piece) => typeof piece === 'object' && /[^a-z0-9._-]/.test(piece.literal));
}

function writePiece(piece: Piece): string {
  return piece === 'star' ? '*' : piece === 'account' ? account : piece.literal;
}

function withAccount(pieces: readonly Piece[], name: string): readonly Piece[] {
  const own: Piece[] = [];
  for (const piece of pieces) {
    if (piece === 'star') own.push(piece);
    else addLiteral(own, piece === 'account' ? name : piece.literal);
  }
  return own;
}

/** Whether every repository of `inner` is one of `outer`; false also where that is merely not certain. */
export function covers(outer: Region, inner: Region): boolean {
  if (outer.segments === 'any') return true;
  if (inner.segments === 'any' || inner.segments.length !== outer.segments.length) return false;
  const innerSegments = inner.segments;
  return outer.segments.every((pieces, index) => coversPieces(pieces, innerSegments[index] ?? []));
}

/** Whether a name of one segment is in the region. */
export function matchRegion(region: Region, name: string): Match {
  const only: Region = { pattern: name, segments: [[{ literal: name }]], isExact: true };
  if (!overlaps(region, only)) return 'no';
  return region.isExact && covers(region, only) ? 'yes' : 'maybe';
}

/** Whether some repository may be in both; the caller's own name may be any text. */
export function overlaps(left: Region, right: Region): boolean {
  if (left.segments === 'any' || right.segments === 'any') return true;
  const others = right.segments;
  return (
    left.segments.length === others.length &&
    left.segments.every((pieces, index) => {
      const [one, other] = [pieces, others[index] ?? []].map((each) => ({ pieces: each.map(accountAsStar) }));
      return one !== undefined && other !== undefined && meetingOfTags(one, other, undefined) !== undefined;
    })
  );
}

function accountAsStar(piece: Piece): Piece {
  return piece === 'account' ? 'star' : piece;
}
