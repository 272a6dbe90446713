/** Files that are written whole: a reader, or a crash, sees all of the new text or the old one. */
import { randomBytes } from 'node:crypto';
import { lstat, open, readFile, realpath, rename, rm, writeFile } from 'node:fs/promises';
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

/**
 * Puts `content` at `path` with mode 0600, on disk when it resolves. Replaces a symbolic link instead of following it. The
 * directory must exist.
 */
export async function writePrivateFile(path: string, content: Text): Promise<void> {
  await withTemporary(path, 0o600, content, (temporary) => rename(temporary, path));
  await syncNameOf(path);
}

/** Has the name of a new file outlive a loss of power, as fsync(2) of the file alone does not. */
export async function syncNameOf(path: string): Promise<void> {
  const directory = await open(dirname(path), 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

/** Puts a new file at `path`; rejects with EEXIST when something is there. */
export function createFile(path: string, text: string, mode: number): Promise<void> {
  return withWritten(path, mode, text, () => Promise.resolve());
}

/** In pieces where all of it at once would hold up other work. */
type Text = string | Iterable<string>;

type Handle = Awaited<ReturnType<typeof open>>;

/** The name neither looks like a policy file nor can be guessed. */
async function withTemporary<T>(
  target: string,
  mode: number,
  text: Text,
  use: (temporary: string, file: Handle) => Promise<T>,
): Promise<T> {
  const temporary = join(dirname(target), `.${basename(target)}.${randomBytes(6).toString('hex')}.tmp`);
  try {
    return await withWritten(temporary, mode, text, (file) => use(temporary, file));
  } finally {
    await rm(temporary, { force: true });
  }
}

async function withWritten<T>(path: string, mode: number, text: Text, use: (file: Handle) => Promise<T>): Promise<T> {
  const file = await open(path, 'wx', mode);
  try {
    await writeFile(file, text);
    await file.sync();
    return await use(file);
  } finally {
    await file.close();
  }
}
