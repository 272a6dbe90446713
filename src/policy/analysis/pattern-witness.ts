/** Relations between patterns, for lints and comparisons: examples, meetings, what covers what. Deciding needs none. */
import { type Piece, type RepositoryPattern, type Segment, type TagPattern, matchPieces } from '../pattern.ts';

/** What `*` stands for in made-up names: unlikely to be anybody's own word, so that only wildcards match it. */
export const filler = 'zz0';

/** A name that it matches, each `**` being `depth` segments; undefined when it needs an account and there is none. */
export function exampleOf(
  { segments }: RepositoryPattern,
  accountName: string | undefined,
  depth: number,
): string | undefined {
  const names = segments.flatMap((segment) =>
    Array<string | undefined>(segment.kind === 'any-depth' ? depth : 1).fill(exampleOfSegment(segment, accountName)),
  );
  return names.includes(undefined) ? undefined : names.join('/');
}

function exampleOfSegment(segment: Segment, accountName: string | undefined): string | undefined {
  return segment.kind === 'any-depth' ? filler : exampleOfTag({ pieces: piecesOf(segment) }, accountName);
}

/** A tag that the pattern matches; undefined when it needs an account and there is none. */
export function exampleOfTag(
  { pieces }: Pick<TagPattern, 'pieces'>,
  accountName: string | undefined,
): string | undefined {
  if (accountName === undefined && pieces.includes('account')) return undefined;
  return pieces
    .map((piece) => (piece === 'star' ? filler : piece === 'account' ? accountName : piece.literal))
    .join('');
}

/** A name that both patterns match, or undefined when no name does. */
export function meetingOf(
  left: RepositoryPattern,
  right: RepositoryPattern,
  accountName: string | undefined,
): string | undefined {
  const dead = new Set<number>();
  const width = right.segments.length + 1;
  const meet = (i: number, j: number): readonly string[] | undefined => {
    const a = left.segments[i];
    const b = right.segments[j];
    if (a === undefined && b === undefined) return [];
    if (a === undefined || b === undefined || dead.has(i * width + j)) return undefined;
    const name = meetingOfSegments(a, b, accountName);
    if (name !== undefined) {
      const rest =
        meet(i + 1, j + 1) ??
        (a.kind === 'any-depth' ? meet(i, j + 1) : undefined) ??
        (b.kind === 'any-depth' ? meet(i + 1, j) : undefined);
      if (rest !== undefined) return [name, ...rest];
    }
    dead.add(i * width + j);
    return undefined;
  };
  return meet(0, 0)?.join('/');
}

function meetingOfSegments(a: Segment, b: Segment, accountName: string | undefined): string | undefined {
  if (a.kind === 'any-depth') return exampleOfSegment(b, accountName);
  if (b.kind === 'any-depth') return exampleOfSegment(a, accountName);
  if (a.kind === 'literal' && b.kind === 'literal') return a.text === b.text ? a.text : undefined;
  return meetingOfTags({ pieces: piecesOf(a) }, { pieces: piecesOf(b) }, accountName);
}

function piecesOf(segment: Exclude<Segment, { kind: 'any-depth' }>): readonly Piece[] {
  return segment.kind === 'literal' ? [{ literal: segment.text }] : segment.pieces;
}

/** `undefined` is a star. */
type Sign = string | undefined;

/** A tag that both patterns match, or undefined when none does. */
export function meetingOfTags(
  left: Pick<TagPattern, 'pieces'>,
  right: Pick<TagPattern, 'pieces'>,
  accountName: string | undefined,
): string | undefined {
  const a = signsOf(left.pieces, accountName);
  const b = signsOf(right.pieces, accountName);
  if (a === undefined || b === undefined) return undefined;
  const dead = new Set<number>();
  const width = b.length + 1;
  const meet = (i: number, j: number): string | undefined => {
    if (i === a.length && j === b.length) return '';
    if (dead.has(i * width + j)) return undefined;
    const found = step(i, j);
    if (found === undefined) dead.add(i * width + j);
    return found;
  };
  const step = (i: number, j: number): string | undefined => {
    const starA = i < a.length && a[i] === undefined;
    const starB = j < b.length && b[j] === undefined;
    if (starA && starB) return prefixed(filler, meet(i + 1, j + 1)) ?? meet(i + 1, j) ?? meet(i, j + 1);
    if (starA) return prefixed(b[j], j < b.length ? meet(i, j + 1) : undefined) ?? meet(i + 1, j);
    if (starB) return prefixed(a[i], i < a.length ? meet(i + 1, j) : undefined) ?? meet(i, j + 1);
    return i < a.length && j < b.length && a[i] === b[j] ? prefixed(a[i], meet(i + 1, j + 1)) : undefined;
  };
  return meet(0, 0);
}

function prefixed(sign: Sign, rest: string | undefined): string | undefined {
  return sign === undefined || rest === undefined ? undefined : sign + rest;
}

function signsOf(pieces: readonly Piece[], accountName: string | undefined): readonly Sign[] | undefined {
  const signs: Sign[] = [];
  for (const piece of pieces) {
    if (piece === 'star') signs.push(undefined);
    else if (piece !== 'account') signs.push(...piece.literal);
    else if (accountName === undefined) return undefined;
    else signs.push(...accountName);
  }
  return signs;
}

/** Whether `broad` matches every name that `narrow` does, for every caller. `false` also means "cannot tell". */
export function covers(broad: RepositoryPattern, narrow: RepositoryPattern): boolean {
  if (broad.text === narrow.text) return true;
  const dead = new Set<number>();
  const width = narrow.segments.length + 1;
  const cover = (i: number, j: number): boolean => {
    const b = broad.segments[i];
    const n = narrow.segments[j];
    if (b === undefined || n === undefined) return b === undefined && n === undefined;
    if (dead.has(i * width + j)) return false;
    const found =
      b.kind === 'any-depth'
        ? cover(i + 1, j + 1) || cover(i, j + 1)
        : n.kind !== 'any-depth' && coversPieces(piecesOf(b), piecesOf(n)) && cover(i + 1, j + 1);
    if (!found) dead.add(i * width + j);
    return found;
  };
  return cover(0, 0);
}

/** As `covers`, for tags. */
export function coversTag(broad: TagPattern, narrow: TagPattern): boolean {
  return broad.text === narrow.text || coversPieces(broad.pieces, narrow.pieces);
}

// Signs that no name contains: whatever stands for them can only be absorbed by the like, or by a star.
const anyRun = '\u0001';
const anyAccount = '\u0002';

function coversPieces(broad: readonly Piece[], narrow: readonly Piece[]): boolean {
  const text = narrow
    .map((piece) => (piece === 'star' ? anyRun : piece === 'account' ? anyAccount : piece.literal))
    .join('');
  return matchPieces(broad, text, anyAccount);
}
