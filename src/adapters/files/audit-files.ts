/**
 * The one reader of audit files: their lines as they lie there, oldest or newest first, packed or not. Holds a few blocks
 * of each file of a day at once, however large they are.
 */
import { constants } from 'node:fs';
import { type FileHandle, mkdtemp, open, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { type AuditFileName, dayOf, parseAuditFileName } from '../../audit/file-name.ts';
import { hasCode, wordsOf } from '../failure.ts';

export interface AuditFile extends AuditFileName {
  readonly path: string;
  readonly name: string;
}

export interface AuditLine {
  readonly file: AuditFile;
  /** From 1; undefined where files are read from their end. */
  readonly number: number | undefined;
  /** Where it begins, in bytes; undefined where files are read from their beginning or are packed. */
  readonly start?: number;
  /** Without the line end; of a longer one than any gateway writes, a MiB or a little more. */
  readonly bytes: Buffer;
  /** Ended by a line end, and not cut here. */
  readonly isWhole: boolean;
}

export interface Reading {
  readonly order: 'oldest' | 'newest';
  /** Milliseconds since 1970: days that ended before are not opened. Lines of the first day may be older. */
  readonly since?: number | undefined;
  /** The first day that is not opened any more lies behind this. */
  readonly until?: number | undefined;
  /** Of files that are read from their end: where that is, instead of the end of the file. */
  readonly endOf?: ((file: AuditFile) => number | undefined) | undefined;
  /** Files that are packed are left out. */
  readonly isPlainOnly?: boolean;
  /** Hears why a file cannot be read to its end; then the others are read all the same. */
  readonly onUnreadable?: ((why: unknown) => void) | undefined;
}

const blockBytes = 262_144;
const maxLineBytes = 1_048_576;
const lineEnd = 0x0a;

/** By day, then by gateway. Where a file is there packed and plain, the plain one. Rejects when the directory cannot be read. */
export async function listAuditFiles(directory: string): Promise<readonly AuditFile[]> {
  const found = new Map<string, AuditFile>();
  for (const name of (await readdir(directory)).sort()) {
    const parsed = parseAuditFileName(name);
    const plain = name.replace(/\.gz$/, '');
    if (parsed !== undefined && !found.has(plain)) found.set(plain, { ...parsed, name, path: join(directory, name) });
  }
  const key = ({ day, instance }: AuditFile): string => `${day} ${instance}`;
  return [...found.values()].sort((a, b) => (key(a) < key(b) ? -1 : 1));
}

/**
 * Lines of every gateway merged by their times, in batches. A line without a time on the day of its file goes with the one
 * read before it there. Rejects when a file cannot be read to its end, unless `onUnreadable` hears of it.
 */
export async function* auditLines(directory: string, reading: Reading): AsyncGenerator<readonly AuditLine[]> {
  const { order, since = -Infinity, until = Infinity, isPlainOnly = false, endOf, onUnreadable } = reading;
  const [first, last] = [since === -Infinity ? '' : dayOf(since), until === Infinity ? '~' : dayOf(until)];
  const files = (await listAuditFiles(directory)).filter(
    ({ day, isPacked }) => day >= first && day <= last && !(isPlainOnly && isPacked),
  );
  const days = [...new Set(files.map(({ day }) => day))];
  for (const day of order === 'oldest' ? days : days.reverse()) {
    const readers = files
      .filter((file) => file.day === day)
      .map((file) => readable(linesOf(file, order, endOf?.(file)), onUnreadable));
    if (readers.length === 1 && readers[0] !== undefined) yield* readers[0];
    else yield* merged(readers, order);
  }
}

async function* readable(
  lines: AsyncGenerator<readonly AuditLine[]>,
  onUnreadable: Reading['onUnreadable'],
): AsyncGenerator<readonly AuditLine[]> {
  try {
    yield* lines;
  } catch (error) {
    if (onUnreadable === undefined) throw error;
    onUnreadable(error);
  }
}

/**
 * The lines of one file, in batches: of what it was packed into since it was listed, none where it was deleted since. `end`:
 * where one that is read from its end ends, in bytes. Rejects with the name of the file where it cannot be read to its end.
 */
export async function* linesOf(
  file: AuditFile,
  order: Reading['order'],
  end?: number,
): AsyncGenerator<readonly AuditLine[]> {
  const opened = await openListed(file);
  if (opened === undefined) return;
  const { handle, isPacked } = opened;
  try {
    if (order === 'oldest') yield* forwards(file, handle, isPacked);
    else if (isPacked) yield* unpackedBackwards(file, handle);
    else yield* backwards(file, handle, end);
  } catch (error) {
    // Words about what is packed do not say which file it is.
    throw new Error(`${file.path} cannot be read to its end: ${wordsOf(error)}`);
  } finally {
    await handle.close();
  }
}

async function openListed({ path, isPacked }: AuditFile): Promise<Opened | undefined> {
  const handle = await openRegular(path);
  if (handle !== undefined || isPacked) return handle && { handle, isPacked };
  const packed = await openRegular(`${path}.gz`);
  return packed && { handle: packed, isPacked: true };
}

interface Opened {
  readonly handle: FileHandle;
  readonly isPacked: boolean;
}

/** undefined where there is none. Rejects for what would never end, such as a pipe. */
async function openRegular(path: string): Promise<FileHandle | undefined> {
  let handle: FileHandle;
  try {
    handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined;
    throw error;
  }
  if ((await handle.stat()).isFile()) return handle;
  await handle.close();
  throw new Error(`${path} is no regular file`);
}

async function* forwards(file: AuditFile, handle: FileHandle, isPacked: boolean): AsyncGenerator<readonly AuditLine[]> {
  const source = handle.createReadStream({ highWaterMark: blockBytes });
  let stream: Readable = source;
  if (isPacked) {
    const gunzip = createGunzip({ chunkSize: blockBytes });
    source.on('error', (error) => gunzip.destroy(error));
    stream = source.pipe(gunzip);
  }
  let number = 0;
  let begun: Buffer = Buffer.alloc(0);
  let isCutting = false;
  try {
    for await (const block of stream as AsyncIterable<Buffer>) {
      const lines: AuditLine[] = [];
      let at = 0;
      for (let end = block.indexOf(lineEnd); end !== -1; end = block.indexOf(lineEnd, at)) {
        const bytes = begun.length === 0 ? block.subarray(at, end) : Buffer.concat([begun, block.subarray(at, end)]);
        lines.push({ file, number: ++number, bytes, isWhole: !isCutting });
        [begun, isCutting, at] = [Buffer.alloc(0), false, end + 1];
      }
      if (!isCutting) begun = Buffer.concat([begun, block.subarray(at)]);
      if (begun.length > maxLineBytes) [begun, isCutting] = [begun.subarray(0, maxLineBytes), true];
      if (lines.length > 0) yield lines;
    }
    if (begun.length > 0) yield [{ file, number: number + 1, bytes: begun, isWhole: false }];
  } finally {
    source.destroy();
    stream.destroy();
  }
}

/** What is packed can be read forwards only: it is unpacked into a file without a name, as far as it goes. */
async function* unpackedBackwards(file: AuditFile, handle: FileHandle): AsyncGenerator<readonly AuditLine[]> {
  const directory = await mkdtemp(join(tmpdir(), 'portcullis-audit-'));
  const path = join(directory, 'unpacked');
  try {
    const target = await open(path, 'wx+', 0o600);
    await rm(path);
    try {
      const unpacking = pipeline(handle.createReadStream(), createGunzip({ chunkSize: blockBytes }), async (blocks) => {
        for await (const block of blocks as AsyncIterable<Buffer>) await target.appendFile(block);
      });
      const [{ status }] = await Promise.allSettled([unpacking]);
      yield* backwards(file, target);
      if (status === 'rejected') await unpacking;
    } finally {
      await target.close();
    }
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

async function* backwards(file: AuditFile, handle: FileHandle, end = Infinity): AsyncGenerator<readonly AuditLine[]> {
  let at = Math.min(end, (await handle.stat()).size);
  /** What was read of a line whose beginning lies before. */
  let rest: Buffer = Buffer.alloc(0);
  let isWhole = false;
  while (at > 0) {
    const from = Math.max(0, at - blockBytes);
    const block = Buffer.concat([await blockAt(handle, from, at - from), rest]);
    const lines: AuditLine[] = [];
    let to = block.length;
    for (let before = block.lastIndexOf(lineEnd, to - 1); to > 0 && before !== -1;) {
      const start = from + before + 1;
      if (to > before + 1 || isWhole)
        lines.push({ file, number: undefined, start, bytes: block.subarray(before + 1, to), isWhole });
      [to, isWhole] = [before, true];
      before = to === 0 ? -1 : block.lastIndexOf(lineEnd, to - 1);
    }
    rest = block.subarray(0, to);
    if (rest.length > maxLineBytes) [rest, isWhole] = [rest.subarray(0, maxLineBytes), false];
    at = from;
    if (lines.length > 0) yield lines;
  }
  if (rest.length > 0 || isWhole) yield [{ file, number: undefined, start: 0, bytes: rest, isWhole }];
}

async function blockAt(handle: FileHandle, position: number, length: number): Promise<Buffer> {
  const block = Buffer.allocUnsafe(length);
  let done = 0;
  while (done < length) {
    const { bytesRead } = await handle.read(block, done, length - done, position + done);
    if (bytesRead === 0) break;
    done += bytesRead;
  }
  return block.subarray(0, done);
}

/** Where one of several readers stands. */
interface Standing {
  readonly reader: AsyncGenerator<readonly AuditLine[]>;
  lines: readonly AuditLine[];
  at: number;
  time: string;
}

const mergedLines = 512;

async function* merged(
  readers: readonly AsyncGenerator<readonly AuditLine[]>[],
  order: Reading['order'],
): AsyncGenerator<readonly AuditLine[]> {
  const open: Standing[] = readers.map((reader) => ({ reader, lines: [], at: 0, time: '' }));
  const isBefore = (a: string, b: string): boolean => (order === 'oldest' ? a < b : a > b);
  let batch: AuditLine[] = [];
  try {
    for (const standing of [...open]) await advance(standing, open);
    while (open.length > 0) {
      const next = open.reduce((best, each) => (isBefore(each.time, best.time) ? each : best));
      const line = next.lines[next.at];
      if (line !== undefined) batch.push(line);
      next.at++;
      if (next.at < next.lines.length) next.time = timeOnDay(next.lines[next.at]) ?? next.time;
      else await advance(next, open);
      if (batch.length < mergedLines) continue;
      yield batch;
      batch = [];
    }
    if (batch.length > 0) yield batch;
  } finally {
    for (const { reader } of open) await reader.return(undefined);
  }
}

/** Reads on, or takes a reader at its end out of `open`. */
async function advance(standing: Standing, open: Standing[]): Promise<void> {
  const step = await standing.reader.next();
  if (step.done === true) return void open.splice(open.indexOf(standing), 1);
  Object.assign(standing, { lines: step.value, at: 0, time: timeOnDay(step.value[0]) ?? standing.time });
}

const timeLabel = '"time":"';

/** The time of a line as it stands there, which sorts as text. */
export function timeIn(bytes: Buffer | undefined): string | undefined {
  const at = bytes?.subarray(0, 512).indexOf(timeLabel) ?? -1;
  return at === -1 ? undefined : bytes?.toString('latin1', at + timeLabel.length, at + timeLabel.length + 24);
}

/** The same; undefined also for a line by a clock that was set back, which says nothing of those around it. */
export function timeOnDay(line: AuditLine | undefined): string | undefined {
  const time = timeIn(line?.bytes);
  return line !== undefined && time?.startsWith(line.file.day) === true ? time : undefined;
}
