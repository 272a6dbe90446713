/** A file of the state directory that holds what one process must remember: replaced as a whole, private, checked when read. */
import { readFileSync, renameSync, statSync } from 'node:fs';
import { z } from 'zod';
import { type Problem, unplaced } from '../../document/problem.ts';
import { hasCode, wordsOf } from '../failure.ts';
import { foreignPath } from '../files/own-path.ts';
import { writePrivateFile } from '../files/whole-file.ts';

export interface StateFile {
  /** False when the disk does not take it: then the old content is still there. Writes what is current when it begins. */
  save(): Promise<boolean>;
  /** After a while, together with what follows. */
  saveSoon(): void;
  /** Why the last write failed. */
  problem(): string | undefined;
  /** Writes what is not written yet. */
  close(): Promise<void>;
}

export interface StateFileOptions<T> {
  /** Undefined: nothing is kept. */
  readonly path: string | undefined;
  /** What the file says it is; a file that says otherwise is not ours. */
  readonly kind: string;
  readonly version: number;
  readonly schema: z.ZodType<T>;
  /** What is to be written: as a whole, or as the entries of a list, one after the other while other work goes on. */
  readonly current?: () => T;
  readonly entries?: () => Iterable<unknown>;
  readonly onProblem: (problem: Problem) => void;
  /** Milliseconds that `saveSoon` waits for what follows. */
  readonly saveSoonMs?: number;
}

const usualSoonMs = 2000;
const maxBytes = 256 * 1024 * 1024;

/** The file and what it held. One that cannot be used (cut, not ours, unreadable) is moved aside and reported. */
export function openStateFile<T>(options: StateFileOptions<T>): {
  readonly file: StateFile;
  readonly held: T | undefined;
} {
  const { path, onProblem, saveSoonMs = usualSoonMs } = options;
  if (path === undefined) return { file: noFile, held: undefined };
  const held = read(path, options);
  let problem: string | undefined;
  let tail: Promise<unknown> = Promise.resolve();
  let queued: Promise<boolean> | undefined;
  let timer: NodeJS.Timeout | undefined;

  async function write(file: string): Promise<boolean> {
    clearTimeout(timer);
    timer = undefined;
    try {
      await writePrivateFile(file, textOf(options));
      problem = undefined;
      return true;
    } catch (error) {
      const reason = wordsOf(error);
      if (problem === undefined) onProblem(unplaced(file, 'state-file', `cannot be written: ${reason}`));
      problem = reason;
      return false;
    }
  }

  function save(file: string): Promise<boolean> {
    // One write at a time; everyone who comes while it runs shares the next one.
    queued ??= tail.then(() => {
      queued = undefined;
      return write(file);
    });
    tail = queued;
    return queued;
  }

  return {
    held,
    file: {
      save: () => save(path),
      saveSoon() {
        timer ??= setTimeout(() => void save(path), saveSoonMs).unref();
      },
      problem: () => problem,
      async close() {
        if (timer !== undefined) await save(path);
        await tail;
      },
    },
  };
}

/** Characters that are written at once. */
const pieceLength = 65_536;

function textOf<T>({ kind, version, current, entries }: StateFileOptions<T>): string | Iterable<string> {
  if (entries === undefined) return JSON.stringify({ kind, version, content: current?.() });
  return piecesOf(JSON.stringify({ kind, version, content: [] }).slice(0, -2), entries());
}

/** Each waits for the disk to have the one before. */
function* piecesOf(head: string, entries: Iterable<unknown>): Generator<string> {
  let piece = head;
  let separator = '';
  for (const entry of entries) {
    piece += separator + JSON.stringify(entry);
    separator = ',';
    if (piece.length < pieceLength) continue;
    yield piece;
    piece = '';
  }
  yield `${piece}]}`;
}

const noFile: StateFile = {
  save: () => Promise.resolve(true),
  saveSoon() {},
  problem: () => undefined,
  close: () => Promise.resolve(),
};

function read<T>(path: string, { kind, version, schema, onProblem }: StateFileOptions<T>): T | undefined {
  const refused = (reason: string): undefined => {
    const aside = `${path}.${new Date().toISOString().replace(/[:.]/g, '-')}.aside`;
    try {
      renameSync(path, aside);
      onProblem(unplaced(path, 'state-file', `${reason}; it was moved to ${aside}, and nothing of it is in force`));
    } catch (error) {
      onProblem(unplaced(path, 'state-file', `${reason}, and it cannot be moved aside: ${wordsOf(error)}`));
    }
    return undefined;
  };
  let text: string;
  try {
    const found = statSync(path);
    // Reading a pipe would wait forever.
    if (!found.isFile()) return refused('it is not a file');
    const foreign = foreignPath(path);
    if (foreign !== undefined) return refused(`it ${foreign}`);
    if (found.size > maxBytes) return refused('it is too large to be ours');
    text = readFileSync(path, 'utf8');
  } catch (error) {
    return hasCode(error, 'ENOENT') ? undefined : refused(`it cannot be read: ${wordsOf(error)}`);
  }
  const parsed = parseJson(text);
  if (parsed === undefined) return refused('it is not complete JSON');
  const frame = z.object({ kind: z.literal(kind), version: z.number(), content: z.unknown() }).safeParse(parsed.value);
  if (!frame.success) return refused(`it does not hold ${kind}`);
  if (frame.data.version !== version) return refused('it was written by another version of this program');
  const content = schema.safeParse(frame.data.content);
  return content.success ? content.data : refused('its content is damaged');
}

function parseJson(text: string): { readonly value: unknown } | undefined {
  try {
    return { value: JSON.parse(text) };
  } catch {
    return undefined;
  }
}
