/**
 * Patterns over repository names and tags. `*` stands for any run of characters within one segment, `**` for one or more
 * whole segments, `${account}` for the caller's own name. Anchored, case-sensitive, no other magic, matched in linear time:
 * user-written regular expressions and general globs have blocked event loops for a minute (threats: picomatch).
 */

/** A piece of a segment: literal text, `*`, or the caller's own name. */
export type Piece = { readonly literal: string } | 'star' | 'account';

export type Segment =
  | { readonly kind: 'literal'; readonly text: string }
  | { readonly kind: 'any-depth' }
  | { readonly kind: 'pieces'; readonly pieces: readonly Piece[] };

export interface RepositoryPattern {
  readonly text: string;
  readonly segments: readonly Segment[];
}

export interface TagPattern {
  readonly text: string;
  readonly pieces: readonly Piece[];
}

/** Characters of a pattern. */
export const maxPatternLength = 256;

export type PatternProblem = { readonly problem: string };

const account = '${account}';

/** Never throws; a problem says what is wrong with the text and what to write instead. */
export function parseRepositoryPattern(text: string): RepositoryPattern | PatternProblem {
  const problem = commonProblem(text) ?? repositoryProblem(text);
  if (problem !== undefined) return { problem };
  return { text, segments: text.split('/').map(parseSegment) };
}

/** As `parseRepositoryPattern`; a tag has no segments, `*` stands for any characters. */
export function parseTagPattern(text: string): TagPattern | PatternProblem {
  const problem = commonProblem(text) ?? tagProblem(text);
  return problem === undefined ? { text, pieces: parsePieces(text) } : { problem };
}

function commonProblem(text: string): string | undefined {
  if (text === '') return 'a pattern cannot be empty';
  if (text.length > maxPatternLength) return `a pattern has at most ${maxPatternLength} characters`;
  const placeholder = /\$\{[^}]*\}?/.exec(text.replaceAll(account, ''))?.[0];
  if (placeholder !== undefined) return `${placeholder} is not known here; the only placeholder is ${account}`;
  const magic = /[[\](){}?!+|^$\\,]/.exec(text.replaceAll(account, ''))?.[0];
  if (magic !== undefined) return `"${magic}" has no meaning in patterns; use * within a segment and ** for any depth`;
  return undefined;
}

function repositoryProblem(text: string): string | undefined {
  if (text.startsWith('/') || text.endsWith('/')) return 'a repository pattern neither begins nor ends with "/"';
  if (/[A-Z]/.test(text)) return 'repository names are lower case, so this pattern could never match';
  for (const segment of text.split('/')) {
    if (segment === '') return 'a repository pattern has no empty segment ("//")';
    if (segment === '.' || segment === '..') return `a repository name has no "${segment}" segment`;
    if (segment !== '**' && segment.includes('**')) return '"**" stands alone between slashes, as in "team/**"';
    const stray = /[^a-z0-9._*-]/.exec(segment.replaceAll(account, ''))?.[0];
    if (stray !== undefined) return `"${stray}" cannot occur in a repository name`;
  }
  return undefined;
}

function tagProblem(text: string): string | undefined {
  if (text.includes('**')) return 'a tag has no segments; use a single *';
  const stray = /[^A-Za-z0-9_.*-]/.exec(text.replaceAll(account, ''))?.[0];
  return stray === undefined ? undefined : `"${stray}" cannot occur in a tag`;
}

function parseSegment(text: string): Segment {
  if (text === '**') return { kind: 'any-depth' };
  const pieces = parsePieces(text);
  const [only] = pieces;
  const isLiteral = pieces.length === 1 && only !== undefined && typeof only === 'object';
  return isLiteral ? { kind: 'literal', text } : { kind: 'pieces', pieces };
}

function parsePieces(text: string): readonly Piece[] {
  return text
    .split(/(\*|\$\{account\})/)
    .filter((part) => part !== '')
    .map((part) => (part === '*' ? 'star' : part === account ? 'account' : { literal: part }));
}

/**
 * Whether `text` is matched from end to end. `accountName` is compared as plain text, never read as a pattern;
 * without one (anonymous) a piece `${account}` matches nothing. Two pointers with one backtrack point: linear per star.
 */
export function matchPieces(pieces: readonly Piece[], text: string, accountName: string | undefined): boolean {
  const parts: (string | undefined)[] = [];
  // Text beside text is one text: searched for one by one, "bob" and "b" would also be found apart.
  const addText = (added: string): void => {
    const before = parts.at(-1);
    if (before === undefined) parts.push(added);
    else parts[parts.length - 1] = before + added;
  };
  for (const piece of pieces) {
    if (piece === 'star') parts.push(undefined);
    else if (piece !== 'account') addText(piece.literal);
    else if (accountName === undefined || accountName === '') return false;
    else addText(accountName);
  }
  return matchParts(parts, text);
}

/** `undefined` is a star. Greedy from both ends, then leftmost occurrences between stars. */
function matchParts(parts: readonly (string | undefined)[], text: string): boolean {
  let begin = 0;
  let first = 0;
  for (; first < parts.length; first++) {
    const part = parts[first];
    if (part === undefined) break;
    if (!text.startsWith(part, begin)) return false;
    begin += part.length;
  }
  if (first === parts.length) return begin === text.length;
  let end = text.length;
  let last = parts.length - 1;
  for (; last > first; last--) {
    const part = parts[last];
    if (part === undefined) break;
    const start = end - part.length;
    if (start < begin || text.slice(start, end) !== part) return false;
    end = start;
  }
  for (let index = first + 1; index < last; index++) {
    const part = parts[index];
    if (part === undefined) continue;
    const found = text.indexOf(part, begin);
    if (found === -1 || found + part.length > end) return false;
    begin = found + part.length;
  }
  return begin <= end;
}

/** The naive reading of a pattern, for explanations and as the reference that the compiled index is tested against. */
export function matchesRepository(
  pattern: RepositoryPattern,
  repository: string,
  accountName: string | undefined,
): boolean {
  const names = repository.split('/');
  // reachable[i]: the segments so far can stand for exactly the first i names.
  let reachable = names.map(() => false);
  reachable.unshift(true);
  for (const segment of pattern.segments) {
    const next = reachable.map(() => false);
    for (let index = 1; index <= names.length; index++) {
      const name = names[index - 1] ?? '';
      const from = segment.kind === 'any-depth' ? reachable.slice(0, index).includes(true) : reachable[index - 1];
      next[index] = from === true && matchesSegment(segment, name, accountName);
    }
    reachable = next;
  }
  return reachable[names.length] === true;
}

/**
 * What the one `**` of a pattern without `${account}` stands for in a repository that it matches: '' where it has none.
 * undefined for a repository that it does not match, and for a pattern with more of them.
 */
export function depthIn(pattern: RepositoryPattern, repository: string): string | undefined {
  const depths = pattern.segments.filter(({ kind }) => kind === 'any-depth').length;
  if (depths > 1 || !matchesRepository(pattern, repository, undefined)) return undefined;
  if (depths === 0) return '';
  const names = repository.split('/');
  const begin = pattern.segments.findIndex(({ kind }) => kind === 'any-depth');
  return names.slice(begin, begin + names.length - pattern.segments.length + 1).join('/');
}

function matchesSegment(segment: Segment, name: string, accountName: string | undefined): boolean {
  if (segment.kind === 'pieces') return matchPieces(segment.pieces, name, accountName);
  return segment.kind === 'any-depth' || segment.text === name;
}
