/**
 * Examples for lints and comparisons; deciding needs none. Of patterns what they match, where they meet and what covers
 * what; of `when` conditions circumstances that together show every way in which these can hold and fail.
 */
import { type Piece, type RepositoryPattern, type Segment, type TagPattern, matchPieces } from '../pattern.ts';
import { isIP } from 'node:net';
import { type Circumstances, type Conditions, failedCondition } from '../conditions.ts';

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

/** As `covers`, for the parts of one segment or tag. */
export function coversPieces(broad: readonly Piece[], narrow: readonly Piece[]): boolean {
  const text = narrow
    .map((piece) => (piece === 'star' ? anyRun : piece === 'account' ? anyAccount : piece.literal))
    .join('');
  return matchPieces(broad, text, anyAccount);
}

const quarterHour = 15 * 60_000;
const quartersOfWeek = 7 * 24 * 4;

/** More of them explain nothing to anybody. */
const maxCircumstances = 64;
const maxAbsoluteTimes = 12;

/**
 * One for each combination of conditions that hold together, `now` being the first where it can be. `isComplete` is false
 * when there are more ways than were looked at.
 */
export function representativeCircumstances(whens: readonly Conditions[], now: number) {
  const found = new Map<string, Circumstances>();
  const addresses = exampleAddresses(whens);
  const { times, isComplete } = exampleTimes(whens, now);
  const timesByPattern = new Map<string, number>();
  for (const time of times) {
    const pattern = whens.map((when) => failedCondition(when, { now: time, address: addressIn(when) }) ?? '').join();
    if (!timesByPattern.has(pattern)) timesByPattern.set(pattern, time);
  }
  for (const time of timesByPattern.values()) {
    for (const address of addresses) {
      const circumstances = { now: time, address };
      const pattern = whens.map((when) => (failedCondition(when, circumstances) === undefined ? '1' : '0')).join('');
      if (found.has(pattern)) continue;
      if (found.size >= maxCircumstances) return { circumstances: [...found.values()], isComplete: false };
      found.set(pattern, circumstances);
    }
  }
  return { circumstances: [...found.values()], isComplete };
}

/** An address that the condition accepts, so that only time can make it fail. */
function addressIn({ addresses }: Conditions): string | undefined {
  return addresses?.[0]?.split('/')[0];
}

function exampleTimes(whens: readonly Conditions[], now: number) {
  const edges = whens.flatMap(({ after, before }) => [after, before]).filter((edge) => edge !== undefined);
  const absolute = [...new Set([now, ...edges.flatMap((edge) => [edge, edge - 1])])];
  const minutes = whens.flatMap(({ days, hours }) => [
    ...(days === undefined ? [] : [0]),
    ...(hours === undefined ? [] : [hours.from, hours.until]),
  ]);
  // Zones are whole quarters of an hour apart: these minutes past a quarter meet every edge in every zone.
  const residues = [...new Set(minutes.map((minute) => minute % 15))];
  const times = [...absolute];
  for (const start of absolute.slice(0, maxAbsoluteTimes)) {
    const base = Math.ceil(start / quarterHour) * quarterHour;
    for (const residue of residues) {
      for (let quarter = 0; quarter < quartersOfWeek; quarter++) {
        times.push(base + quarter * quarterHour + residue * 60_000);
      }
    }
  }
  return { times, isComplete: residues.length === 0 || absolute.length <= maxAbsoluteTimes };
}

/** Addresses set aside for documentation (RFC 5737): outside of any network that somebody names in earnest. */
const outside = ['192.0.2.77', '198.51.100.77', '203.0.113.77'];

function exampleAddresses(whens: readonly Conditions[]): readonly (string | undefined)[] {
  const networks = [...new Set(whens.flatMap(({ addresses }) => addresses ?? []))];
  if (networks.length === 0) return [undefined];
  const inside = networks.flatMap((network) => {
    const [base = '', bits] = network.split('/');
    return bits !== undefined && isIP(base) === 4 ? [base, lastAddress(base, Number(bits))] : [base];
  });
  return [...outside, ...new Set(inside)];
}

/** So that a network and a smaller one at its beginning have an address apart. */
function lastAddress(base: string, bits: number): string {
  const value = base.split('.').reduce((sum, octet) => sum * 256 + Number(octet), 0);
  const size = 2 ** (32 - bits);
  const last = Math.floor(value / size) * size + size - 1;
  return [24, 16, 8, 0].map((shift) => Math.floor(last / 2 ** shift) % 256).join('.');
}
