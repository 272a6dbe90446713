/** A htpasswd file followed while it changes: people by the newest text that could be read. */
import { realpath, stat } from 'node:fs/promises';
import { type Problem, unplaced } from '../../document/problem.ts';
import { type HtpasswdPeople, readHtpasswd } from '../../policy/files/htpasswd.ts';
import { Runs } from '../runs.ts';
import { readBounded } from './bounded-file.ts';
import { watchDirectoriesOf } from './watched-directories.ts';

export interface HtpasswdFile {
  readonly people: () => HtpasswdPeople;
  /** Of the newest text: lines that cannot be used, or why all of it cannot. */
  readonly problems: () => readonly Problem[];
  close(): void;
}

export interface HtpasswdReading {
  readonly people: HtpasswdPeople;
  readonly problems: readonly Problem[];
  readonly text: string;
}

interface HtpasswdFileOptions {
  readonly path: string;
  /** Called when people or problems are others than before. `isUsed`: these people are those of the file. */
  readonly onChange: (problems: readonly Problem[], isUsed: boolean) => void;
  /** Milliseconds between looks at the file, for what no watch reports. */
  readonly pollMs?: number;
}

const maxBytes = 4_194_304;
const settleMs = 100;
const defaultPollMs = 2000;
/** How long a mere beginning of it must stay before it is believed: a writer may have been caught between two steps. */
const cutMs = 1000;

/** What the file says now, or why it cannot be read. */
export async function readHtpasswdFile(
  path: string,
): Promise<({ readonly ok: true } & HtpasswdReading) | { readonly ok: false; readonly problem: Problem }> {
  const read = await readBounded(path, maxBytes);
  if (!read.ok) return { ok: false, problem: unplaced(path, 'unreadable', read.detail) };
  return { ok: true, text: read.text, ...readHtpasswd(path, read.text) };
}

/** The last text that could be read stays in use until a better one is there. */
export function followHtpasswdFile(first: HtpasswdReading, options: HtpasswdFileOptions): HtpasswdFile {
  const { path, onChange, pollMs = defaultPollMs } = options;
  let used = first;
  let unread: Problem | undefined;
  let signature: string | undefined;
  let cut: { readonly text: string; readonly since: number } | undefined;
  let settling: NodeJS.Timeout | undefined;
  let closed = false;

  async function read(): Promise<void> {
    const before = await sign(path);
    if (before === signature) return;
    const found = await readHtpasswdFile(path);
    if (closed) return;
    // Changed while it was read: the next look is at what came of it.
    if (before !== (await sign(path))) return soon();
    const wasUnread = unread;
    unread = found.ok ? undefined : found.problem;
    signature = found.ok ? before : undefined;
    if (!found.ok) {
      if (wasUnread?.message !== unread?.message) onChange([found.problem], false);
      return;
    }
    if (!isBeginning(found.text, used)) cut = undefined;
    else if (cut?.text !== found.text) cut = { text: found.text, since: performance.now() };
    if (cut !== undefined && performance.now() - cut.since < cutMs) signature = undefined;
    else if (found.text !== used.text || wasUnread !== undefined) {
      used = found;
      cut = undefined;
      onChange(found.problems, true);
    }
  }

  function soon(): void {
    if (closed) return;
    // Written in place it may look as before.
    signature = undefined;
    clearTimeout(settling);
    settling = setTimeout(() => void runs.now(), settleMs).unref();
  }

  const directories = watchDirectoriesOf([path], soon);
  const runs = new Runs(async () => {
    await directories.look();
    await read();
    return cut === undefined ? pollMs : Math.min(pollMs, cutMs);
  });
  runs.soon(0);

  return {
    people: () => used.people,
    problems: () => (unread === undefined ? used.problems : [unread, ...used.problems]),
    close() {
      closed = true;
      runs.close();
      clearTimeout(settling);
      directories.close();
    },
  };
}

/** Of what was read before, nothing included. */
function isBeginning(text: string, { text: before, people }: HtpasswdReading): boolean {
  return people.users.size > 0 && (text.trim() === '' || (text.length < before.length && before.startsWith(text)));
}

/** Follows symlinks, which Kubernetes swaps. */
async function sign(path: string): Promise<string> {
  const target = await realpath(path).catch(() => 'missing');
  const found = await stat(path, { bigint: true }).catch(() => undefined);
  return found === undefined ? 'missing' : `${target} ${found.ino} ${found.size} ${found.mtimeNs}`;
}
