/** Files that are written whole: a reader, or a crash, sees all of the new text or the old one. */
import { randomBytes } from 'node:crypto';
import { lstat, open, readFile, realpath, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

type Replacement = 'written' | 'changed-meanwhile';

const byteOrderMark = '\ufeff';

/**
 * Puts `text` where `expected` stands now, keeping mode, owner, byte order mark and a symbolic link to the file. Writes
 * nothing when the file no longer says `expected`. Rejects when it cannot be written, or its owner cannot be kept.
 */
export async function replaceFile(path: string, expected: string, text: string): Promise<Replacement> {
  const target = await realpath(path);
  const { mode, uid, gid } = await lstat(target);
  const mark = (await readFile(target, 'utf8')).startsWith(byteOrderMark) ? byteOrderMark : '';
  return withTemporary(target, mode & 0o777, mark + text, async (temporary, file) => {
    const made = await file.stat();
    if (made.uid !== uid || made.gid !== gid) await file.chown(uid, gid);
    await file.chmod(mode & 0o777);
    if ((await readFile(target, 'utf8')) !== mark + expected) return 'changed-meanwhile';
    await rename(temporary, target);
    return 'written';
  });
}

/** Puts a new file at `path`; rejects with EEXIST when something is there. */
export async function createFile(path: string, text: string, mode: number): Promise<void> {
  const file = await open(path, 'wx', mode);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
}

type Handle = Awaited<ReturnType<typeof open>>;

/** The name neither looks like a policy file nor can be guessed. */
async function withTemporary<T>(
  target: string,
  mode: number,
  text: string,
  use: (temporary: string, file: Handle) => Promise<T>,
): Promise<T> {
  const temporary = join(dirname(target), `.${basename(target)}.${randomBytes(6).toString('hex')}.tmp`);
  const file = await open(temporary, 'wx', mode);
  try {
    await file.writeFile(text);
    await file.sync();
    return await use(temporary, file);
  } finally {
    await file.close();
    await rm(temporary, { force: true });
  }
}

/**
 * Puts `content` at `path` with mode 0600, all of it or nothing: a reader, or a crash, sees the old file or the new one.
 * Replaces a symbolic link instead of following it. The directory must exist.
 */
export async function writePrivateFile(path: string, content: string): Promise<void> {
  const temporary = `${path}.${randomBytes(6).toString('hex')}.tmp`;
  try {
    const file = await open(temporary, 'wx', 0o600);
    try {
      await file.writeFile(content);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
  const directory = await open(dirname(path), 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}
