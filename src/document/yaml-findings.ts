/** What is wrong with one YAML text, and where its offsets are. */
import { sortProblems, type Problem } from './problem.ts';

/** Line and column, both from 1. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

const maxProblems = 50;

/** Positions in a text by offset; its lines are counted when the first is asked for. */
export function positionsIn(source: string): (offset: number) => Position {
  let starts: number[] | undefined;
  return (offset) => {
    starts ??= lineStarts(source);
    let low = 0;
    let high = starts.length;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if ((starts[middle] ?? 0) <= offset) low = middle;
      else high = middle;
    }
    return { line: low + 1, column: offset - (starts[low] ?? 0) + 1 };
  };
}

function lineStarts(source: string): number[] {
  const starts = [0];
  for (let end = source.indexOf('\n'); end !== -1; end = source.indexOf('\n', end + 1)) starts.push(end + 1);
  return starts;
}

/** The problems of one text, each offset reported once, with an end to the list. */
export class Findings {
  readonly #file: string;
  readonly #problems: Problem[] = [];
  readonly #offsets = new Set<number>();
  readonly locate: (offset: number) => Position;
  tooDeep = false;

  constructor(file: string, locate: (offset: number) => Position) {
    this.#file = file;
    this.locate = locate;
  }

  add(offset: number | undefined, code: string, message: string, fix?: string): void {
    if (this.full() || (offset !== undefined && this.#offsets.has(offset))) return;
    if (offset !== undefined) this.#offsets.add(offset);
    const place = offset === undefined ? { line: 0, column: 0 } : this.locate(offset);
    this.#problems.push({ file: this.#file, ...place, code, message, fix });
  }

  any(): boolean {
    return this.#problems.length > 0;
  }

  /** A list longer than this helps nobody, and a broken file can produce millions. */
  full(): boolean {
    return this.#problems.length >= maxProblems;
  }

  reading(): { readonly ok: false; readonly problems: readonly Problem[] } {
    return { ok: false, problems: sortProblems(this.#problems) };
  }
}
