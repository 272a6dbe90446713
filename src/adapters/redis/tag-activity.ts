/** Who wrote which tag and when it was pulled, of all gateways: notes are collected for a second, then written in few steps. */
import type { GoneTags, TagActivity, TagHistory, TagMove } from '../../ports.ts';
import { type EpochMs, readInstant } from '../../time.ts';
import { activityMs, maxActiveRepositories, maxActiveTags, maxActiveTagsOfAll, maxMoves } from '../bounds.ts';
import { PullNotes } from '../pull-notes.ts';
import { Runs, batches } from '../runs.ts';
import { type RedisConnection, listOf } from './connection.ts';
import { activeRepositoriesKeys, activityKeys, nameKey } from './keys.ts';
import { dropTags, indexTags, lastTagWrites, newestTags, noteTags, readTags } from './tag-scripts.ts';

const flushMs = 1000;
const atOnce = 500;
/** Beyond it notes are dropped while the store is away. */
const maxPending = 10_000;

/** As a script takes it: kind, time, tag or digest, and what is kept of a move. */
type Note = readonly [kind: 'written' | 'pulled' | 'tag-gone' | 'digest-gone', at: number, name: string, kept: string];

/** What the index of repositories has of one: when it was heard of, last written, and how many entries it has. */
type Summary = readonly [heard: number, written: string, entries: number];

/** The bounds are for tests to change. */
export interface RedisTagActivityOptions {
  readonly maxRepositories?: number;
  readonly maxTags?: number;
}

/** Nothing waits for a note: those of a second may be lost with the process, and more while Redis is away for long. */
export function createRedisTagActivity(
  connection: Pick<RedisConnection, 'calls'>,
  options: RedisTagActivityOptions = {},
): TagActivity {
  const calls = connection.calls();
  const notes = new Notes(calls, options);
  const pulls = new PullNotes();
  return {
    noteWritten(repository, { tag, digest, at, by }) {
      notes.add(repository, ['written', Math.floor(at), tag, `${digest} ${JSON.stringify(by)}`]);
    },
    noteDeleted(repository, gone, at) {
      notes.add(repository, deletionOf(gone, Math.floor(at)));
    },
    notePulled(repository, tag, at) {
      if (pulls.isDue(repository, tag, at)) notes.add(repository, ['pulled', Math.floor(at), tag, '']);
    },
    async newest(repository, limit) {
      if (!(await notes.written())) return undefined;
      if (limit <= 0) return [];
      const found = listOf(await calls.run(newestTags, activityKeys(nameKey(repository)), [activityMs, limit]));
      return found && pairsOf(found).flatMap(([tag, line]) => moveOf(tag, line) ?? []);
    },
    async of(repository, tags) {
      if (!(await notes.written())) return undefined;
      const found = new Map<string, TagHistory>();
      for (const part of batches(tags, atOnce)) {
        const read = listOf(await calls.run(readTags, activityKeys(nameKey(repository)), [activityMs, ...part]));
        if (read === undefined) return undefined;
        for (const [at, [lines, pulled]] of pairsOf(read).entries()) addHistory(found, part[at] ?? '', lines, pulled);
      }
      return found;
    },
    async lastWrites(repositories) {
      if (!(await notes.written())) return undefined;
      const found = new Map<string, EpochMs>();
      for (const part of batches(repositories, atOnce)) {
        const times = listOf(
          await calls.run(lastTagWrites, activeRepositoriesKeys, [activityMs, ...part.map(nameKey)]),
        );
        if (times === undefined) return undefined;
        for (const [at, text] of times.entries()) {
          const time = readInstant(text) ?? 0;
          if (time > 0) found.set(part[at] ?? '', time);
        }
      }
      return found;
    },
    close: () => notes.close(),
  };
}

class Notes {
  readonly #calls: ReturnType<RedisConnection['calls']>;
  readonly #bounds: readonly number[];
  readonly #pending = new Map<string, Note[]>();
  /** By the key of their name. */
  readonly #summaries = new Map<string, Summary>();
  readonly #writing = new Runs(() => this.#flush());
  #size = 0;

  constructor(
    calls: ReturnType<RedisConnection['calls']>,
    { maxRepositories = maxActiveRepositories, maxTags = maxActiveTagsOfAll }: RedisTagActivityOptions,
  ) {
    this.#calls = calls;
    this.#bounds = [activityMs, maxRepositories, maxTags];
  }

  add(repository: string, note: Note): void {
    if (this.#size >= maxPending) return;
    this.#size++;
    const own = this.#pending.get(repository);
    if (own === undefined) this.#pending.set(repository, [note]);
    else own.push(note);
    this.#writing.soon(flushMs);
  }

  /** Whether the store has every note so far. */
  async written(): Promise<boolean> {
    if (this.#size > 0) await this.#writing.now();
    return this.#size === 0;
  }

  async close(): Promise<void> {
    await this.#writing.now();
    this.#writing.close();
  }

  async #flush(): Promise<number | undefined> {
    for (const [repository, own] of this.#pending) {
      while (own.length > 0) if (!(await this.#write(repository, own))) return flushMs;
      this.#pending.delete(repository);
    }
    return (await this.#index()) ? undefined : flushMs;
  }

  /** The first of them. Again they say the same: whether lost ones were written is not known. */
  async #write(repository: string, own: Note[]): Promise<boolean> {
    const name = nameKey(repository);
    const part = own.slice(0, atOnce);
    const values = [activityMs, maxActiveTags, maxMoves, ...part.flat()];
    const answer = listOf(await this.#calls.run(noteTags, activityKeys(name), values));
    if (answer === undefined) return false;
    own.splice(0, part.length);
    this.#size -= part.length;
    const [entries, heard, written] = answer.map(String);
    this.#summaries.set(name, [Number(heard), written ?? '', Number(entries)]);
    return true;
  }

  async #index(): Promise<boolean> {
    for (const part of batches([...this.#summaries], atOnce)) {
      const values = [...this.#bounds, ...part.flat(2)];
      const dropped = listOf(await this.#calls.run(indexTags, activeRepositoriesKeys, values));
      if (dropped === undefined) return false;
      for (const [name, summary] of part) if (this.#summaries.get(name) === summary) this.#summaries.delete(name);
      for (const name of dropped) await this.#calls.run(dropTags, activityKeys(String(name)));
    }
    return true;
  }
}

function deletionOf(gone: GoneTags, at: number): Note {
  return 'tag' in gone ? ['tag-gone', at, gone.tag, ''] : ['digest-gone', at, gone.digest, ''];
}

function pairsOf(list: readonly unknown[]): readonly (readonly [string, string])[] {
  return Array.from({ length: list.length / 2 }, (_, at) => [String(list[2 * at]), String(list[2 * at + 1])] as const);
}

function addHistory(found: Map<string, TagHistory>, tag: string, lines: string, pulled: string): void {
  const moves = lines.split('\n').flatMap((line) => moveOf(tag, line) ?? []);
  const lastPull = readInstant(pulled);
  if (moves.length > 0 || lastPull !== undefined) found.set(tag, { moves, lastPull });
}

/** undefined for nothing, and for what another version of this program wrote. */
function moveOf(tag: string, line: string): TagMove | undefined {
  const [, written, digest, account = ''] = /^(\d+) (\S+) (".*")$/.exec(line) ?? [];
  const at = readInstant(written);
  if (at === undefined || digest === undefined) return undefined;
  try {
    const by: unknown = JSON.parse(account);
    return typeof by === 'string' ? { tag, digest, at, by } : undefined;
  } catch {
    return undefined;
  }
}
