/** Who wrote which tag and when it was pulled, for one process, kept across restarts by a file. */
import { z } from 'zod';
import type { Problem } from '../../document/problem.ts';
import type { Clock, GoneTags, TagActivity, TagHistory, TagMove } from '../../ports.ts';
import type { EpochMs } from '../../time.ts';
import { activityMs, maxActiveRepositories, maxActiveTags, maxActiveTagsOfAll, maxMoves } from '../bounds.ts';
import { PullNotes } from '../pull-notes.ts';
import { openStateFile } from './state-file.ts';

export interface MemoryTagActivityOptions {
  /** In a directory that exists and belongs to this process alone. Undefined: a restart forgets. */
  readonly file: string | undefined;
  readonly clock: Clock;
  /** A file that cannot be used or written. */
  readonly onProblem: (problem: Problem) => void;
  /** For tests. */
  readonly maxRepositories?: number;
  readonly maxTags?: number;
}

/** What may be lost with the process; a file of all of it is not to be written every other second. */
const saveSoonMs = 30_000;

/** Both in the order of their last note, the oldest first. */
interface Repository {
  readonly written: Map<string, readonly TagMove[]>;
  readonly pulled: Map<string, EpochMs>;
}

const nothing: Repository = { written: new Map(), pulled: new Map() };

/** A repository as it stands in the file: its tags with their moves, and when tags were pulled. */
type Entry = readonly [
  repository: string,
  written: readonly (readonly [tag: string, moves: readonly (readonly [at: EpochMs, digest: string, by: string])[]])[],
  pulled: readonly (readonly [tag: string, at: EpochMs])[],
];

/** By hand: at a hundred thousand tags a start would wait half a second for a schema. */
const content = z.custom<readonly Entry[]>((value) => isListOf(value, isEntry));

function isListOf(value: unknown, isOne: (one: unknown) => boolean): boolean {
  return Array.isArray(value) && value.every(isOne);
}

function isEntry(value: unknown): boolean {
  if (!Array.isArray(value)) return false;
  const [name, written, pulled] = value as readonly unknown[];
  const isMove = (one: unknown): boolean => Array.isArray(one) && isOf(one, ['number', 'string', 'string']);
  const isTag = (one: unknown): boolean => Array.isArray(one) && typeof one[0] === 'string' && isListOf(one[1], isMove);
  const isPull = (one: unknown): boolean => Array.isArray(one) && isOf(one, ['string', 'number']);
  return typeof name === 'string' && isListOf(written, isTag) && isListOf(pulled, isPull);
}

function isOf(list: readonly unknown[], types: readonly string[]): boolean {
  return types.every((type, at) => typeof list[at] === type);
}

/** With a `file` notes outlast a restart; where it cannot be read or written they go on in memory. */
export function createMemoryTagActivity(options: MemoryTagActivityOptions): TagActivity {
  const { file: path, clock, onProblem } = options;
  const remembered = new Remembered(options);
  const { file, held } = openStateFile({
    path,
    kind: 'portcullis tag activity',
    version: 1,
    schema: content,
    onProblem,
    saveSoonMs,
    entries: () => remembered.content(),
  });
  for (const each of held ?? []) remembered.load(each);
  const pulls = new PullNotes();
  return {
    noteWritten(repository, move) {
      remembered.write(repository, move);
      file.saveSoon();
    },
    noteDeleted(repository, gone, at) {
      remembered.delete(repository, gone, at);
      file.saveSoon();
    },
    notePulled(repository, tag, at) {
      if (!pulls.isDue(repository, tag, at)) return;
      remembered.pull(repository, tag, at);
      file.saveSoon();
    },
    newest: (repository, limit) => Promise.resolve(remembered.newest(repository, clock()).slice(0, limit)),
    of: (repository, tags) => Promise.resolve(remembered.of(repository, tags, clock())),
    lastWrites(repositories) {
      const now = clock();
      const found = new Map<string, EpochMs>();
      for (const name of repositories) {
        const at = remembered.lastWrite(name);
        if (at !== undefined && isRemembered(at, now)) found.set(name, at);
      }
      return Promise.resolve(found);
    },
    close: () => file.close(),
  };
}

class Remembered {
  /** In the order of their last note. */
  readonly #repositories = new Map<string, Repository>();
  readonly #maxRepositories: number;
  readonly #maxTags: number;
  #tags = 0;

  constructor({ maxRepositories = maxActiveRepositories, maxTags = maxActiveTagsOfAll }: MemoryTagActivityOptions) {
    this.#maxRepositories = maxRepositories;
    this.#maxTags = maxTags;
  }

  write(name: string, move: TagMove): void {
    const { written } = this.#noted(name);
    this.#put(written, move.tag, withMove(written.get(move.tag) ?? [], move));
    this.#bound();
  }

  pull(name: string, tag: string, at: EpochMs): void {
    const { pulled } = this.#noted(name);
    this.#put(pulled, tag, Math.max(at, pulled.get(tag) ?? 0));
    this.#bound();
  }

  delete(name: string, gone: GoneTags, at: EpochMs): void {
    const repository = this.#repositories.get(name);
    if (repository === undefined) return;
    const { written, pulled } = repository;
    const tags = 'tag' in gone ? [gone.tag] : tagsAt(written, gone.digest);
    for (const tag of tags) {
      if ((written.get(tag)?.[0]?.at ?? 0) > at) continue;
      for (const map of [written, pulled]) if (map.delete(tag)) this.#tags--;
    }
    if (written.size + pulled.size === 0) this.#repositories.delete(name);
  }

  newest(name: string, now: EpochMs): readonly TagMove[] {
    const moves = [...(this.#repositories.get(name)?.written.values() ?? [])].flatMap(([last]) => last ?? []);
    return moves
      .filter(({ at }) => isRemembered(at, now))
      .reverse()
      .sort((left, right) => right.at - left.at);
  }

  lastWrite(name: string): EpochMs | undefined {
    let last: EpochMs | undefined;
    for (const [move] of this.#repositories.get(name)?.written.values() ?? [])
      if (move !== undefined && (last === undefined || move.at > last)) last = move.at;
    return last;
  }

  of(name: string, tags: readonly string[], now: EpochMs): ReadonlyMap<string, TagHistory> {
    const found = new Map<string, TagHistory>();
    const repository = this.#repositories.get(name);
    if (repository === undefined) return found;
    for (const tag of tags) {
      const moves = (repository.written.get(tag) ?? []).filter(({ at }) => isRemembered(at, now));
      const pulledAt = repository.pulled.get(tag);
      const lastPull = pulledAt !== undefined && isRemembered(pulledAt, now) ? pulledAt : undefined;
      if (moves.length > 0 || lastPull !== undefined) found.set(tag, { moves, lastPull });
    }
    return found;
  }

  /** While it is read, notes may come: a repository is as it is when it is its turn. */
  *content(): Generator<Entry> {
    for (const name of [...this.#repositories.keys()]) {
      const { written, pulled } = this.#repositories.get(name) ?? nothing;
      const moves = [...written].map(
        ([tag, all]) => [tag, all.map(({ at, digest, by }) => [at, digest, by] as const)] as const,
      );
      yield [name, moves, [...pulled]];
    }
  }

  load([name, written, pulled]: Entry): void {
    const repository = this.#noted(name);
    for (const [tag, moves] of written)
      this.#put(repository.written, tag, moves.map(([at, digest, by]) => ({ tag, digest, at, by })).slice(0, maxMoves));
    for (const [tag, at] of pulled) this.#put(repository.pulled, tag, at);
    this.#bound();
  }

  #noted(name: string): Repository {
    const repository = this.#repositories.get(name) ?? { written: new Map(), pulled: new Map() };
    this.#repositories.delete(name);
    this.#repositories.set(name, repository);
    return repository;
  }

  #put<T>(map: Map<string, T>, tag: string, value: T): void {
    if (!map.delete(tag)) this.#tags++;
    map.set(tag, value);
    if (map.size <= maxActiveTags) return;
    const [oldest] = map.keys();
    if (oldest !== undefined && map.delete(oldest)) this.#tags--;
  }

  #bound(): void {
    while (this.#tags > this.#maxTags || this.#repositories.size > this.#maxRepositories) {
      const [[name, { written, pulled }] = [undefined, nothing]] = this.#repositories;
      if (name === undefined) return;
      this.#repositories.delete(name);
      this.#tags -= written.size + pulled.size;
    }
  }
}

/** By their times, whichever was noted last; the same digest twice in a row is one move, by the later of the two. */
function withMove(moves: readonly TagMove[], move: TagMove): readonly TagMove[] {
  const all = [move, ...moves].sort((left, right) => right.at - left.at);
  return all.filter(({ digest }, at) => at === 0 || digest !== all[at - 1]?.digest).slice(0, maxMoves);
}

function tagsAt(written: ReadonlyMap<string, readonly TagMove[]>, digest: string): readonly string[] {
  return [...written].flatMap(([tag, [last]]) => (last?.digest === digest ? [tag] : []));
}

function isRemembered(at: EpochMs, now: EpochMs): boolean {
  return now - at < activityMs;
}
