/** Files that somebody else writes, read without waiting and without end. */
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { hasCode, wordsOf } from '../failure.ts';

/** The text of a regular file of at most `maxBytes`, or what is wrong, with its path and in words for operators. */
export async function readBounded(
  path: string,
  maxBytes: number,
): Promise<{ readonly ok: true; readonly text: string } | { readonly ok: false; readonly detail: string }> {
  const failed = (why: string) => ({ ok: false, detail: `${path} ${why}` }) as const;
  try {
    // A FIFO would block for ever, and a device never end.
    const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      const found = await file.stat();
      if (!found.isFile()) return failed('is not a regular file');
      if (found.size > maxBytes) return failed(`is larger than ${maxBytes / 1024} KiB`);
      return { ok: true, text: await file.readFile('utf8') };
    } finally {
      await file.close();
    }
  } catch (error) {
    return failed(hasCode(error, 'ENOENT') ? 'does not exist' : wordsOf(error));
  }
}
