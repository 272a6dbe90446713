/**
 * Whether the lines of one gateway are those it wrote, in order and all of them, as far as lines and signatures can tell.
 * One line is looked ahead: the next line says whether this one or the one before was changed.
 */
import { type Head, hashOf, headOf } from './chain.ts';
import { type PublicKey, checkCheckpoint } from './checkpoint.ts';
import { isEvent, recordIn } from './read-line.ts';
import { OpenIntents } from './unfinished.ts';

export interface PlacedLine {
  /** The name of its file, and which gateway and day that says. */
  readonly file: { readonly name: string; readonly instance: string; readonly day: string };
  readonly number: number;
  readonly bytes: Buffer;
  readonly isWhole: boolean;
}

/** What is wrong, and where it is seen first. */
export interface Fault {
  readonly file: string;
  readonly line: number;
  readonly kind: 'changed' | 'missing' | 'inserted' | 'moved' | 'signature' | 'unreadable';
  readonly detail: string;
}

/** What is known of one gateway's lines. */
export interface ChainSummary {
  readonly instance: string;
  readonly lines: number;
  /** The number of its first line here: 1 where nothing before is gone. */
  readonly firstSeq: number | undefined;
  readonly firstTime: string | undefined;
  readonly checkpoints: number;
  /** Keys that signed, by their ids. */
  readonly kids: readonly string[];
  /** Where the last signature stands; undefined for none. */
  readonly signedTo:
    { readonly file: string; readonly line: number; readonly seq: number; readonly time: string } | undefined;
  /** Lines behind it, chained and not signed. */
  readonly unsigned: number;
  /** Lines that the gateway itself says were lost, and how often it was ended without its last checkpoint. */
  readonly lost: number;
  readonly restarts: number;
  /** Intents whose outcome is not there. */
  readonly unfinished: number;
  /** The last line is not whole: it is being written, or its gateway was killed. */
  readonly isTorn: boolean;
}

interface Read {
  readonly placed: PlacedLine;
  readonly head: Head | undefined;
  readonly hash: string;
}

/** A line that follows; what a torn one is taken for has no head. */
interface Accepted {
  readonly placed: PlacedLine;
  readonly seq: number;
  readonly hash: string;
  /** Of the line before it. */
  readonly before: string;
}

/** Lines of one gateway, oldest first. After a fault nothing more is to be given. */
export class ChainCheck {
  readonly #instance: string;
  readonly #keys: ReadonlyMap<string, PublicKey>;
  #last: Accepted | undefined;
  #current: Read | undefined;
  #lines = 0;
  #first: { readonly seq: number; readonly time: string | undefined } | undefined;
  #checkpoints = 0;
  readonly #kids = new Set<string>();
  #signedTo: ChainSummary['signedTo'];
  #unsigned = 0;
  #lost = 0;
  #restarts = 0;
  readonly #intents = new OpenIntents();
  #isTorn = false;

  constructor(instance: string, keys: ReadonlyMap<string, PublicKey>) {
    this.#instance = instance;
    this.#keys = keys;
  }

  /** The first fault that this line lets be seen; it may stand before it. */
  give(placed: PlacedLine): Fault | undefined {
    const next: Read = { placed, head: headOf(placed.bytes), hash: hashOf(placed.bytes) };
    const fault = this.#current && this.#judge(this.#current, next);
    this.#current = next;
    return fault;
  }

  /** There is no line behind. */
  end(): Fault | undefined {
    return this.#current && this.#judge(this.#current, undefined);
  }

  summary(): ChainSummary {
    return {
      instance: this.#instance,
      lines: this.#lines,
      firstSeq: this.#first?.seq,
      firstTime: this.#first?.time,
      checkpoints: this.#checkpoints,
      kids: [...this.#kids],
      signedTo: this.#signedTo,
      unsigned: this.#unsigned,
      lost: this.#lost,
      restarts: this.#restarts,
      unfinished: this.#intents.count,
      isTorn: this.#isTorn,
    };
  }

  #judge(line: Read, next: Read | undefined): Fault | undefined {
    const { placed, head } = line;
    const { file, number, isWhole, bytes } = placed;
    if (!isWhole && next !== undefined) return faultAt(placed, 'changed', 'the line is not ended');
    if (head === undefined) return this.#judgeTorn(line, next);
    if (head.instance !== file.instance) return faultAt(placed, 'changed', `it says to be of ${head.instance}`);
    if (number === 1) {
      const problem = fileLineProblem(placed, head);
      if (problem !== undefined) return problem;
    }
    const fault =
      this.#last === undefined ? firstProblem(placed, head) : this.#orderFault(this.#last, line, head, next);
    // No line behind it says so of the last one.
    if (fault === undefined && next === undefined && recordIn(bytes) === undefined)
      return faultAt(placed, 'changed', 'it is not JSON');
    return fault ?? this.#accept(line, head, bytes);
  }

  /** Half a line is one where a restart says so of exactly these bytes, or where nothing follows. */
  #judgeTorn({ placed, hash }: Read, next: Read | undefined): Fault | undefined {
    const last = this.#last;
    if (next === undefined && !placed.isWhole) {
      this.#isTorn = true;
      return undefined;
    }
    const seq = last?.seq ?? 0;
    const restart = next?.head?.seq === seq + 2 && next.head.prev === hash ? recordIn(next.placed.bytes) : undefined;
    if (restart?.['event'] === 'chain_restart' && last !== undefined && restart['after'] !== last.hash)
      return faultAt(last.placed, 'changed', 'the restart behind the torn line names the hash of other bytes');
    if (restart?.['event'] !== 'chain_restart')
      return faultAt(placed, 'changed', isUnchained(placed.bytes) ? unchained : 'this is no line of the chain');
    this.#last = { placed, seq: seq + 1, hash, before: last?.hash ?? '' };
    this.#lines++;
    this.#unsigned++;
    return undefined;
  }

  /** Where `line` does not follow `last`. */
  #orderFault(last: Accepted, line: Read, head: Head, next: Read | undefined): Fault | undefined {
    const { placed, hash } = line;
    const follows = head.prev === last.hash;
    const isNumbered = head.seq === last.seq + 1;
    if (follows)
      return isNumbered ? undefined : faultAt(placed, 'changed', `its number is ${head.seq}, not ${last.seq + 1}`);
    // The line behind names these very bytes.
    const isVouchedFor = next === undefined ? this.#signsWhatItNames(line, head) : next.head?.prev === hash;
    if (isNumbered) {
      return isVouchedFor
        ? faultAt(last.placed, 'changed', 'the next line names the hash of other bytes')
        : faultAt(placed, 'changed', 'it does not name the line before');
    }
    if (hash === last.hash) return faultAt(placed, 'inserted', 'the line stands there twice');
    if (head.seq === last.seq && head.prev === last.before)
      return faultAt(last.placed, 'inserted', 'the line behind it has its number and follows the one before it');
    if (head.seq <= last.seq)
      return faultAt(placed, 'inserted', `line ${head.seq} of the chain stands behind ${last.seq}`);
    if (!isVouchedFor && next !== undefined)
      return faultAt(placed, 'moved', `line ${head.seq} of the chain stands behind ${last.seq}`);
    // Two lines that became one.
    if (recordIn(last.placed.bytes) === undefined) return faultAt(last.placed, 'changed', 'it is not JSON any more');
    const gone = head.seq - last.seq - 1;
    return faultAt(placed, 'missing', `${gone === 1 ? 'a line is' : `${gone} lines are`} missing before it`);
  }

  /** A last line that is a sound checkpoint: what it names was so. */
  #signsWhatItNames({ placed: { bytes } }: Read, head: Head): boolean {
    if (!isEvent(bytes, 'checkpoint')) return false;
    const checked = checkCheckpoint(bytes, head, this.#keys);
    return checked.ok && checked.hash === head.prev;
  }

  #accept({ placed, hash }: Read, head: Head, bytes: Buffer): Fault | undefined {
    const { file, number } = placed;
    this.#first ??= { seq: head.seq, time: timeOf(bytes) };
    this.#last = { placed, seq: head.seq, hash, before: head.prev };
    this.#lines++;
    this.#unsigned++;
    this.#intents.give(bytes);
    if (isEvent(bytes, 'checkpoint') || isSigned(bytes)) {
      const checked = checkCheckpoint(bytes, head, this.#keys);
      if (!checked.ok) return faultAt(placed, 'signature', checked.problem);
      if (checked.hash !== head.prev) return faultAt(placed, 'signature', 'its signature belongs to other lines');
      this.#checkpoints++;
      this.#kids.add(checked.kid);
      this.#unsigned = 0;
      this.#signedTo = { file: file.name, line: number, seq: head.seq, time: checked.time };
    } else if (isEvent(bytes, 'gap')) {
      const { lost } = recordIn(bytes) ?? {};
      this.#lost += typeof lost === 'number' ? lost : 0;
    } else if (isEvent(bytes, 'chain_restart')) this.#restarts++;
    return undefined;
  }
}

const unchained = 'its gateway does not chain its lines (audit.chain): nothing can be verified';

function isUnchained(bytes: Buffer): boolean {
  return bytes.toString('latin1', 0, 13) === '{"instance":"';
}

/** Every file begins with a line that names it. */
function fileLineProblem(placed: PlacedLine, head: Head): Fault | undefined {
  const { event, name, first } = recordIn(placed.bytes) ?? {};
  const { name: own } = placed.file;
  if (event !== 'file') return faultAt(placed, 'missing', 'the beginning of the file is missing');
  if (name !== own.replace(/\.gz$/, ''))
    return faultAt(placed, 'moved', `this is the file ${String(name).slice(0, 100)}`);
  return first === head.seq ? undefined : faultAt(placed, 'changed', 'it has two numbers');
}

/** The first line of all names none before it; one that does comes after files that are gone. */
function firstProblem(placed: PlacedLine, { seq, prev }: Head): Fault | undefined {
  return (seq === 1) === (prev === '')
    ? undefined
    : faultAt(placed, 'changed', 'it names no line before it, and is not the first');
}

function faultAt({ file, number }: PlacedLine, kind: Fault['kind'], detail: string): Fault {
  return { file: file.name, line: number, kind, detail };
}

const signature = Buffer.from('"jws":"');

/** Says to be signed, whatever it calls itself. */
function isSigned(bytes: Buffer): boolean {
  return bytes.includes(signature) && recordIn(bytes)?.['jws'] !== undefined;
}

function timeOf(bytes: Buffer): string | undefined {
  return /"time":"([^"]{1,30})"/.exec(bytes.toString('latin1', 0, 256))?.[1];
}
