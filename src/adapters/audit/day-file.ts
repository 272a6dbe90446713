/** One open audit file: bytes are appended whole or carried on with, and reach the disk when that is asked for. */
import { constants } from 'node:fs';
import { type FileHandle, open, stat } from 'node:fs/promises';
import { syncNameOf } from '../files/whole-file.ts';

export interface DayFile {
  readonly path: string;
  /** Whether the name still leads to the file that is open; undefined when nobody can tell. */
  isInPlace(): Promise<boolean>;
  /** Bytes beyond those written here since it was last asked: somebody else writes to it, or cut it. */
  strayBytes(): Promise<number>;
  /** How many of `bytes` arrived before something failed: all of them without `problem`. */
  append(bytes: Buffer): Promise<{ readonly written: number; readonly problem?: unknown }>;
  sync(): Promise<void>;
  close(): Promise<void>;
}

/** What others may have put there leads nowhere else, and holds up nothing. */
const flags = constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT | constants.O_NOFOLLOW | constants.O_NONBLOCK;

/** Makes it where it is not there. Rejects as `open` does, and for what is no regular file. */
export async function openDayFile(path: string): Promise<DayFile & { readonly size: number }> {
  const handle = await open(path, flags, 0o640);
  let size: number;
  let ino: number;
  try {
    const there = await handle.stat();
    if (!there.isFile()) throw new Error(`${path} is no regular file`);
    ({ size, ino } = there);
    if (size === 0) await syncNameOf(path);
  } catch (error) {
    await handle.close();
    throw error;
  }
  let expected = size;
  return {
    path,
    size,
    isInPlace: async () => {
      const there = await stat(path).catch(() => undefined);
      return there?.ino === ino;
    },
    async strayBytes() {
      const { size: now } = await handle.stat();
      const stray = now - expected;
      expected = now;
      return stray;
    },
    async append(bytes) {
      let written = 0;
      try {
        while (written < bytes.length) written += await appendSome(handle, bytes, written);
        return { written };
      } catch (problem) {
        return { written, problem };
      } finally {
        expected += written;
      }
    },
    sync: () => handle.datasync(),
    close: () => handle.close(),
  };
}

async function appendSome(handle: FileHandle, bytes: Buffer, from: number): Promise<number> {
  const { bytesWritten } = await handle.write(bytes, from, bytes.length - from, null);
  if (bytesWritten === 0) throw new Error('nothing more is taken');
  return bytesWritten;
}
