/**
 * Audit files: a record becomes a chained line in the file of its day. Whoever records never waits, but for lines that must
 * be on disk before something is done.
 */
import { join } from 'node:path';
import { type Signed, type Tip, checkpointObject } from '../../audit/chain.ts';
import { auditFileName, dayOf } from '../../audit/file-name.ts';
import { fieldsText, timedText } from '../../audit/plain-record.ts';
import type { AuditLog, AuditRecord, Clock } from '../../ports.ts';
import type { EpochMs } from '../../time.ts';
import { wordsOf } from '../failure.ts';
import { Backlog, type Batch, batchOf, maxGathered, unwrittenOf } from './backlog.ts';
import { deleteOld } from './beside.ts';
import { type Claim, claimInstance } from './claim.ts';
import { type DayFile, openDayFile } from './day-file.ts';
import { type Resumed, resumeChain } from './resume.ts';

export interface AuditWriterOptions {
  readonly directory: string;
  /** As which this gateway writes, unless another process already does. */
  readonly name: string;
  readonly keepMs: number;
  readonly isChained: boolean;
  readonly clock: Clock;
  readonly onTrouble: (what: AuditTrouble) => void;
  /** A checkpoint has been written: a copy elsewhere shows what is cut off here. */
  readonly onCheckpoint?: (checkpoint: Signed & Awaited<ReturnType<SignCheckpoint>>) => void;
  /** Bytes that may wait. Default: 16 MiB. */
  readonly maxWaiting?: number;
}

/** What operators are told: once when lines cannot be written, once when they can again, and what was changed from outside. */
export type AuditTrouble =
  | { readonly kind: 'failing'; readonly detail: string }
  | { readonly kind: 'writing_again'; readonly lost: number }
  /** At the end there was no way to write so many lines. */
  | { readonly kind: 'lost_at_end'; readonly lost: number }
  | { readonly kind: 'changed_from_outside'; readonly path: string; readonly bytes: number }
  /** What an earlier process left: `torn_line`, `not_closed`, `chain_broken`. */
  | { readonly kind: 'restarted'; readonly reason: string };

/** Signs a checkpoint. */
export type SignCheckpoint = (signed: Signed) => Promise<{ readonly kid: string; readonly jws: string }>;

export interface AuditWriter extends AuditLog {
  readonly instance: string;
  /** As `record`, of one that is text already. */
  recordText(fields: string): void;
  /** Writes a line that says what is about to be done: true when it is on disk, false when it cannot be now. */
  readonly intend: (record: AuditRecord) => Promise<boolean>;
  /** Lines that were lost. */
  readonly lost: () => number;
  /** undefined: the last line was written. */
  readonly problem: () => string | undefined;
  /** From now on there is a signed checkpoint every minute and at the end of each file. */
  signBy(sign: SignCheckpoint): void;
  /** Writes what waits and a last checkpoint, in two seconds at most. What is recorded later is lost. */
  close(): Promise<void>;
}

const defaultMaxWaiting = 16_777_216;
/** Milliseconds that the first of several lines waits for more. */
const gatherMs = 100;
const syncMs = 1000;
const checkpointMs = 60_000;
/** Milliseconds from a failure to the next attempt. */
const retryMs = 1000;
/** What must be written now asks sooner, but not at every request. */
const minRetryMs = 100;
const closeMs = 2000;

/** Opens the directory, which must be there, and goes on with the chain found there. Rejects when it cannot be used. */
export async function openAuditWriter(options: AuditWriterOptions): Promise<AuditWriter> {
  const { directory, name, clock } = options;
  const claim = claimInstance(directory, name);
  try {
    const resumed = await resumeChain(directory, claim.instance);
    await deleteOld(directory, options.keepMs, clock());
    const writer = new Writer(options, claim, resumed.tip);
    await writer.begin(resumed);
    return writer;
  } catch (error) {
    claim.release();
    throw error;
  }
}

class Writer implements AuditWriter {
  readonly instance: string;
  readonly #options: AuditWriterOptions;
  readonly #claim: Claim;
  readonly #backlog: Backlog;
  #tip: Tip;
  /** Whose file is written; it may have to be opened first. */
  #day: string | undefined;
  #file: DayFile | undefined;
  #batch: Batch | undefined;
  #problem: string | undefined;
  #failedAt = -Infinity;
  #sign: SignCheckpoint | undefined;
  #unsignedSince: EpochMs | undefined;
  #isDirty = false;
  #syncedAt = 0;
  #running: Promise<void> | undefined;
  #isWanted = false;
  #timer: NodeJS.Timeout | undefined;
  #ticker: NodeJS.Timeout | undefined;
  #isClosed = false;
  /** Many records are of one millisecond. */
  #now = NaN;
  #time = '';
  /** Those who wait for their lines to be on disk. */
  #pending: ((isWritten: boolean) => void)[] = [];

  constructor(options: AuditWriterOptions, claim: Claim, tip: Tip) {
    this.#options = options;
    this.#backlog = new Backlog(options.maxWaiting ?? defaultMaxWaiting);
    this.#claim = claim;
    this.instance = claim.instance;
    this.#tip = tip;
  }

  /** Closes a torn line and says what was found. */
  async begin({ file, isTorn, remark }: Resumed): Promise<void> {
    if (file !== undefined) {
      this.#day = file.day;
      this.#file = await openDayFile(file.path);
      const { problem } = isTorn ? await this.#file.append(newline) : {};
      if (problem !== undefined) throw new Error(`${file.path} cannot be written: ${wordsOf(problem)}`);
    }
    if (remark !== undefined && this.#options.isChained) {
      this.#add(fieldsText({ event: 'chain_restart', ...remark }), file?.day);
      this.#options.onTrouble({ kind: 'restarted', reason: String(remark['reason']) });
    }
    this.#ticker = setInterval(() => void this.#run(), syncMs).unref();
  }

  record(record: AuditRecord): void {
    this.recordText(fieldsText(record));
  }

  recordText(fields: string): void {
    if (!this.#add(fields)) return;
    if (this.#backlog.size >= maxGathered) void this.#run();
    else this.#timer ??= setTimeout(() => void this.#run(), gatherMs).unref();
  }

  intend = async (record: AuditRecord): Promise<boolean> => {
    const isFailing = this.#problem !== undefined && performance.now() - this.#failedAt < minRetryMs;
    if (this.#isClosed || isFailing || !this.#add(fieldsText(record))) return false;
    const written = new Promise<boolean>((resolve) => this.#pending.push(resolve));
    void this.#run();
    return written;
  };

  lost = (): number => this.#backlog.lostEver;
  problem = (): string | undefined => this.#problem;

  signBy(sign: SignCheckpoint): void {
    this.#sign = sign;
  }

  async close(): Promise<void> {
    clearInterval(this.#ticker);
    this.#isClosed = true;
    await withinCloseMs(this.#end().catch((error: unknown) => this.#failed(error)));
    await withinCloseMs(this.#file?.close().catch(() => undefined));
    clearTimeout(this.#timer);
    const lost = this.#backlog.giveUp(this.#batch === undefined ? 0 : unwrittenOf(this.#batch));
    if (lost > 0) this.#options.onTrouble({ kind: 'lost_at_end', lost });
    for (const resolve of this.#pending.splice(0)) resolve(false);
    this.#claim.release();
  }

  async #end(): Promise<void> {
    await this.#run();
    if (this.#problem !== undefined || this.#day === undefined) return;
    await this.#checkpoint(this.#day);
    await this.#file?.sync();
  }

  /** False when it is lost. */
  #add(fields: string, day?: string): boolean {
    const now = this.#options.clock();
    if (now !== this.#now) [this.#now, this.#time] = [now, new Date(now).toISOString()];
    return this.#backlog.add({ day: day ?? this.#time.slice(0, 10), text: timedText(fields, this.#time) });
  }

  /** One at a time; for all who come meanwhile there is one more. */
  #run(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#isWanted = true;
    return (this.#running ??= this.#attempts());
  }

  async #attempts(): Promise<void> {
    while (this.#isWanted) {
      this.#isWanted = false;
      await this.#attempt();
    }
    this.#running = undefined;
  }

  /** Never rejects. */
  async #attempt(): Promise<void> {
    const pending = this.#pending.splice(0);
    if (pending.length === 0 && performance.now() - this.#failedAt < retryMs && !this.#isClosed) return;
    const isWritten = await this.#writeWaiting(pending.length > 0).catch((error: unknown) => this.#failed(error));
    for (const resolve of pending) resolve(isWritten);
  }

  async #writeWaiting(mustSync: boolean): Promise<boolean> {
    await this.#lookAtFile();
    while (this.#batch !== undefined || !this.#backlog.isEmpty) {
      this.#batch ??= await this.#nextBatch();
      await this.#write(this.#batch);
    }
    const now = this.#options.clock();
    // A day without another line ends as well.
    const isDue = (day: string, since: EpochMs): boolean => dayOf(now) > day || Math.abs(now - since) >= checkpointMs;
    if (this.#day !== undefined && this.#unsignedSince !== undefined && isDue(this.#day, this.#unsignedSince))
      await this.#checkpoint(this.#day);
    if (this.#isDirty && (mustSync || performance.now() - this.#syncedAt >= syncMs)) await this.#sync();
    if (this.#problem !== undefined) this.#mended();
    return true;
  }

  /** A file that was taken away is begun again under its name. Rejects when it cannot be opened. */
  async #lookAtFile(): Promise<void> {
    if (!this.#claim.isHeld())
      throw new Error(
        `another gateway writes here as ${this.instance} by now: give every host a name of its own, and start again`,
      );
    const file = this.#file;
    if (file !== undefined && (await file.isInPlace())) {
      const bytes = await file.strayBytes();
      if (bytes !== 0) this.#options.onTrouble({ kind: 'changed_from_outside', path: file.path, bytes });
      return;
    }
    if (file !== undefined) {
      this.#file = undefined;
      await file.close().catch(() => undefined);
      // What was half written went with the file.
      this.#backlog.return(this.#batch?.lines ?? []);
      this.#batch = undefined;
    }
    if (this.#day !== undefined) await this.#open(this.#day);
  }

  /** Lines of one day, with its file open. A clock that is set back does not lead back to a file that is closed. */
  async #nextBatch(): Promise<Batch> {
    const now = this.#options.clock();
    const next = this.#backlog.day ?? dayOf(now);
    const day = this.#day !== undefined && this.#day > next ? this.#day : next;
    if (this.#day !== day) await this.#turnTo(day);
    const { lines, lost } = this.#backlog.take(day);
    const gap = { day, text: timedText(fieldsText({ event: 'gap', lost }), new Date(now).toISOString()) };
    return this.#chain(lost === 0 ? lines : [...lines, gap]);
  }

  #chain(lines: Batch['lines']): Batch {
    return batchOf(lines, this.#tip, this.instance, this.#options.isChained);
  }

  /** Rejects where a part of it remains to be written. */
  async #write(batch: Batch): Promise<void> {
    if (this.#file === undefined) throw new Error('no file is open');
    const { written, problem } = await this.#file.append(batch.bytes.subarray(batch.written));
    batch.written += written;
    this.#isDirty ||= written > 0;
    if (problem !== undefined) throw problem instanceof Error ? problem : new Error(wordsOf(problem));
    this.#tip = batch.tip;
    this.#batch = undefined;
    this.#unsignedSince ??= this.#options.clock();
  }

  /** Closes the file of the day before with a checkpoint. */
  async #turnTo(day: string): Promise<void> {
    if (this.#day !== undefined) {
      await this.#checkpoint(this.#day);
      await this.#file?.sync();
      await this.#file?.close();
      this.#file = undefined;
      const { directory, keepMs, clock } = this.#options;
      void deleteOld(directory, keepMs, clock()).catch(() => undefined);
    }
    this.#day = day;
    await this.#open(day);
  }

  /** A file begins with a line that names it. */
  async #open(day: string): Promise<void> {
    const name = auditFileName(day, this.instance);
    const file = await openDayFile(join(this.#options.directory, name));
    this.#file = file;
    if (file.size === 0 && this.#options.isChained)
      await this.#writeOwn(day, { event: 'file', name, first: this.#tip.seq + 1 });
  }

  /** Nothing where nobody signs, or nothing came since the last one. */
  async #checkpoint(day: string): Promise<void> {
    if (this.#sign === undefined || !this.#options.isChained || this.#unsignedSince === undefined) return;
    const time = new Date(this.#options.clock()).toISOString();
    const signed = { instance: this.instance, seq: this.#tip.seq + 1, hash: this.#tip.hash, time };
    const signature = await this.#sign(signed);
    await this.#writeOwnText({ day, text: checkpointObject(signed, signature) });
    this.#unsignedSince = undefined;
    this.#options.onCheckpoint?.({ ...signed, ...signature });
  }

  async #writeOwn(day: string, fields: object): Promise<void> {
    await this.#writeOwnText({
      day,
      text: timedText(fieldsText(fields), new Date(this.#options.clock()).toISOString()),
    });
  }

  async #writeOwnText(line: Batch['lines'][number]): Promise<void> {
    this.#batch = { ...this.#chain([line]), lines: [] };
    await this.#write(this.#batch);
  }

  async #sync(): Promise<void> {
    await this.#file?.sync();
    this.#isDirty = false;
    this.#syncedAt = performance.now();
  }

  #failed(error: unknown): false {
    const isNew = this.#problem === undefined;
    this.#problem = wordsOf(error);
    this.#failedAt = performance.now();
    if (isNew) this.#options.onTrouble({ kind: 'failing', detail: this.#problem });
    return false;
  }

  #mended(): void {
    this.#problem = undefined;
    this.#options.onTrouble({ kind: 'writing_again', lost: this.#backlog.lostEver });
  }
}

/** A disk that hangs holds up no end. */
async function withinCloseMs(done: Promise<unknown> | undefined): Promise<void> {
  await Promise.race([done, new Promise((resolve) => setTimeout(resolve, closeMs).unref())]);
}

const newline = Buffer.from('\n');
