/**
 * The names of all repositories, walked in the background: a page at a time, while somebody asks and some minutes more. What
 * is pushed through this gateway is known at once; what others do is known after the next walk.
 */
import type { AtOnce } from '../gate/at-once.ts';
import type { Clock, Registry, RepositoryNames } from '../ports.ts';
import type { EpochMs } from '../time.ts';
import { type Walk, walkRepositories } from './repository-walk.ts';

export interface NamesParts {
  readonly registry: Pick<Registry, 'repositories'>;
  /** A walk takes its turns among the questions of pages. */
  readonly turns: AtOnce;
  readonly clock: Clock;
  /** From one walk to the next. */
  readonly everyMs?: number;
  /** How long walks go on after somebody asked. */
  readonly wantedMs?: number;
  readonly maxNames?: number;
}

export interface WalkedNames extends RepositoryNames {
  /** The last of a repository may have gone with what was deleted. */
  noteDeleted(repository: string): void;
  close(): void;
}

type Known = NonNullable<ReturnType<RepositoryNames['current']>>;

const usual = { everyMs: 60_000, wantedMs: 300_000, maxNames: 100_000 };
/** Names that are noted between two walks. */
const maxNotes = 10_000;

/** Asks nothing before somebody asks it. */
export function createRepositoryNames(parts: NamesParts): WalkedNames {
  return new Names(parts);
}

class Names implements WalkedNames {
  readonly #parts: Required<NamesParts>;
  #walk: Walk | undefined;
  #known: Known | undefined;
  /** Own pushes, by when they were. */
  readonly #notes = new Map<string, EpochMs>();
  #running: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #endedAt = -Infinity;
  #wantedUntil = -Infinity;
  #isClosed = false;

  constructor(parts: NamesParts) {
    this.#parts = { ...usual, ...parts };
  }

  current(): Known | undefined {
    this.#want();
    return (this.#known ??= this.#merge());
  }

  async ready(waitMs: number): Promise<void> {
    this.#want();
    if (this.#walk !== undefined || this.#running === undefined) return;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => (timer = setTimeout(resolve, waitMs)));
    await Promise.race([this.#running, late]).finally(() => clearTimeout(timer));
  }

  noteWritten(repository: string): void {
    if (this.#known !== undefined && holds(this.#known.names, repository)) return;
    const isNew = !this.#notes.has(repository);
    if (isNew && this.#notes.size >= maxNotes) return;
    this.#notes.set(repository, this.#parts.clock());
    if (isNew) this.#known = undefined;
  }

  noteDeleted(repository: string): void {
    this.#notes.delete(repository);
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
  }

  #want(): void {
    this.#wantedUntil = performance.now() + this.#parts.wantedMs;
    this.#plan();
  }

  /** The next walk: one minute after the last, or now. */
  #plan(): void {
    if (this.#running !== undefined || this.#timer !== undefined || this.#isClosed) return;
    const inMs = this.#endedAt + this.#parts.everyMs - performance.now();
    if (inMs <= 0) {
      this.#running = this.#run();
      return;
    }
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      if (performance.now() < this.#wantedUntil) this.#plan();
    }, inMs).unref();
  }

  async #run(): Promise<void> {
    const { registry, turns, clock, maxNames } = this.#parts;
    const ask: typeof registry.repositories = (size, place) => turns.run(() => registry.repositories(size, place));
    const walk = await walkRepositories(ask, { before: this.#walk, at: clock(), maxNames });
    this.#walk = walk;
    // What was pushed while it went may have come behind it.
    for (const [name, at] of this.#notes) if (at < walk.at) this.#notes.delete(name);
    this.#known = undefined;
    this.#endedAt = performance.now();
    this.#running = undefined;
    this.#plan();
  }

  #merge(): Known | undefined {
    const walk = this.#walk;
    if (walk === undefined) return undefined;
    const names = new Set(walk.names);
    for (const name of this.#notes.keys()) names.add(name);
    return { names: [...names].sort(), at: walk.at, complete: walk.isComplete };
  }
}

function holds(sorted: readonly string[], name: string): boolean {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((sorted[middle] ?? '') < name) low = middle + 1;
    else high = middle;
  }
  return sorted[low] === name;
}
