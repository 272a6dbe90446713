/** Lines that wait to be written, in a bounded buffer; what does not fit is counted, and said in a gap record. */
import { type Tip, chainedLine } from '../../audit/chain.ts';

/** A line that waits. */
export interface Waiting {
  readonly day: string;
  /** A JSON object that begins with the time. */
  readonly text: string;
}

/** What is being written, until all of it has been. */
export interface Batch {
  readonly bytes: Buffer;
  readonly tip: Tip;
  /** To be written anew where the file goes away; what the file itself begins or ends with is not. */
  readonly lines: readonly Waiting[];
  written: number;
}

/** Lines of which not every byte has arrived. */
export function unwrittenOf({ lines, bytes, written }: Batch): number {
  let arrived = 0;
  for (let end = bytes.indexOf(newline); end !== -1 && end < written; end = bytes.indexOf(newline, end + 1)) arrived++;
  return Math.max(0, lines.length - arrived);
}

/** Lines of one write. */
export const maxGathered = 256;

export class Backlog {
  #lines: Waiting[] = [];
  #bytes = 0;
  #lostNow = 0;
  lostEver = 0;
  #maxBytes: number;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  get size(): number {
    return this.#lines.length;
  }

  get isEmpty(): boolean {
    return this.#lines.length === 0 && this.#lostNow === 0;
  }

  /** Of the line that waits longest. */
  get day(): string | undefined {
    return this.#lines[0]?.day;
  }

  /** False when it is lost. */
  add(line: Waiting): boolean {
    if (this.#bytes + line.text.length > this.#maxBytes) {
      this.#lostNow++;
      this.lostEver++;
      return false;
    }
    this.#lines.push(line);
    this.#bytes += line.text.length;
    return true;
  }

  /** What is here or comes later is not written any more: it is lost. */
  giveUp(more = 0): number {
    const lost = this.#lines.length + more;
    this.lostEver += lost;
    this.#lines = [];
    this.#maxBytes = -1;
    return lost;
  }

  /** Those of a day or before it, so many as go into one write; and how many were lost behind them. */
  take(day: string): { readonly lines: readonly Waiting[]; readonly lost: number } {
    const end = this.#lines.findIndex((line, index) => line.day > day || index === maxGathered);
    const lines = this.#lines.splice(0, end === -1 ? this.#lines.length : end);
    for (const { text } of lines) this.#bytes -= text.length;
    const lost = this.#lines.length === 0 ? this.#lostNow : 0;
    this.#lostNow -= lost;
    return { lines, lost };
  }

  /** Puts back what was taken. */
  return(lines: readonly Waiting[]): void {
    this.#lines.unshift(...lines);
    for (const { text } of lines) this.#bytes += text.length;
  }
}

const newline = Buffer.from('\n');

/** The bytes of lines, each chained to the one before, or only marked with who wrote them. */
export function batchOf(lines: readonly Waiting[], tip: Tip, instance: string, isChained: boolean): Batch {
  let end = tip;
  const parts: Buffer[] = [];
  for (const { text } of lines) {
    const made = isChained
      ? chainedLine(end, instance, text)
      : { line: Buffer.from(`{"instance":"${instance}",${text.slice(1)}`), tip };
    parts.push(made.line, newline);
    end = made.tip;
  }
  return { bytes: Buffer.concat(parts), tip: end, lines, written: 0 };
}
