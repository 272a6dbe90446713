/**
 * The names of all repositories, walked in the background: a page at a time, while somebody asks and some minutes more. What
 * is written through any gateway is known within about a second, through this one at once; what others do to the registry is
 * known after the next walk: a minute after the last, later where a walk takes more than six seconds.
 */
import { parseRepositoryName } from '../distribution/reference.ts';
import type { Clock, Mark, Registry, RepositoryMarks, RepositoryNames } from '../ports.ts';
import { type EpochMs, within } from '../time.ts';
import { type Walk, type WalkedPage, walkRepositories } from './repository-walk.ts';
import type { Turns } from './turns.ts';

export interface NamesParts {
  readonly registry: Pick<Registry, 'repositories'>;
  /** A walk takes its turns among the questions of pages. */
  readonly turns: Turns;
  /** Tell of repositories that other gateways made or emptied. */
  readonly marks: RepositoryMarks;
  readonly clock: Clock;
  /** From one walk to the next. */
  readonly everyMs?: number;
  /** The same after something was written that the last walk did not see. */
  readonly soonMs?: number;
  /** How long walks go on after somebody asked. */
  readonly wantedMs?: number;
  readonly maxNames?: number;
}

export interface WalkedNames extends RepositoryNames {
  /** The last of a repository may have gone with what was deleted. */
  noteDeleted(repository: string): void;
  /** Walks go on for a while, as if somebody had asked. */
  keep(): void;
  /** As the registry gave them, while it would give the same now as far as any gateway knows. */
  pages(): Promise<readonly WalkedPage[] | undefined>;
  close(): void;
}

type Known = NonNullable<ReturnType<RepositoryNames['current']>>;

interface Finished extends Walk {
  /** By a clock that only grows. */
  readonly began: number;
  readonly mark: Mark | undefined;
  readonly all: ReadonlySet<string>;
  readonly sorted: readonly string[];
}

const usual = { everyMs: 60_000, soonMs: 5000, wantedMs: 300_000, maxNames: 100_000 };
/** Names that are noted between two walks. */
const maxNotes = 10_000;
/** Of the time between two walks, one takes at most this part: a large registry is not kept busy with it. */
const walkingPart = 0.1;
/** Gateways are told at most so often. */
const tellMs = 1000;
/** The mark that changes when a repository may have come or gone. No repository has this name. */
const everyRepository = '*';

/** Asks nothing before somebody asks it. */
export function createRepositoryNames(parts: NamesParts): WalkedNames {
  return new Names(parts);
}

class Names implements WalkedNames {
  readonly #parts: Required<NamesParts>;
  #walk: Finished | undefined;
  #known: Known | undefined;
  /** What was written through this gateway and the last walk does not have, by when. */
  readonly #notes = new Map<string, EpochMs>();
  #deleted = -Infinity;
  #running: Promise<void> | undefined;
  #next: { readonly timer: NodeJS.Timeout; readonly at: number } | undefined;
  #telling: NodeJS.Timeout | undefined;
  #endedAt = -Infinity;
  #tookMs = 0;
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
    await within(waitMs, this.#running, undefined);
  }

  keep(): void {
    this.#want();
  }

  async pages(): Promise<readonly WalkedPage[] | undefined> {
    const walk = this.#walk;
    if (walk?.isComplete !== true || walk.mark === undefined || !this.#isUndisturbed(walk)) return undefined;
    const mark = await this.#parts.marks.read(everyRepository);
    return mark === walk.mark && this.#isUndisturbed(walk) ? walk.pages : undefined;
  }

  noteWritten(repository: string): void {
    if (this.#walk?.all.has(repository) === true || this.#notes.has(repository)) return;
    if (this.#notes.size < maxNotes) this.#notes.set(repository, this.#parts.clock());
    this.#known = undefined;
    this.#disturbed();
  }

  noteDeleted(repository: string): void {
    this.#notes.delete(repository);
    this.#deleted = performance.now();
    this.#disturbed();
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#next?.timer);
    clearTimeout(this.#telling);
  }

  #isUndisturbed({ began }: Finished): boolean {
    const isYoung = performance.now() - began < 2 * this.#parts.everyMs;
    return isYoung && this.#notes.size === 0 && this.#deleted < began;
  }

  /** Other gateways hear of it in a moment, all of one second at once. */
  #disturbed(): void {
    this.#plan();
    if (this.#isClosed) return;
    this.#telling ??= setTimeout(() => {
      this.#telling = undefined;
      void this.#parts.marks.around(everyRepository, () => Promise.resolve());
    }, tellMs).unref();
  }

  #want(): void {
    this.#wantedUntil = performance.now() + this.#parts.wantedMs;
    this.#plan();
  }

  /** The next walk, while somebody wants one: a minute after the last, earlier where that is known to be wrong. */
  #plan(): void {
    const now = performance.now();
    if (this.#running !== undefined || this.#isClosed || now >= this.#wantedUntil) return;
    const { everyMs, soonMs } = this.#parts;
    const isRight = this.#walk !== undefined && this.#isUndisturbed(this.#walk);
    const at = this.#endedAt + Math.max(isRight ? everyMs : soonMs, this.#tookMs / walkingPart);
    if (at <= now) {
      this.#running = this.#run();
      return;
    }
    if (this.#next !== undefined && this.#next.at <= at) return;
    clearTimeout(this.#next?.timer);
    const timer = setTimeout(() => {
      this.#next = undefined;
      this.#plan();
    }, at - now);
    this.#next = { timer: timer.unref(), at };
  }

  async #run(): Promise<void> {
    const { registry, turns, clock, maxNames, marks } = this.#parts;
    const began = performance.now();
    const at = clock();
    const mark = await marks.read(everyRepository);
    const ask: typeof registry.repositories = (size, place) =>
      turns.listing(place, () => registry.repositories(size, place));
    const walk = await walkRepositories(ask, { before: this.#walk, at, maxNames });
    const all = new Set(walk.names);
    this.#walk = {
      ...walk,
      began,
      all,
      sorted: [...all].filter(isAskable).sort(),
      mark: typeof mark === 'string' ? mark : undefined,
    };
    // What was pushed while it went may have come behind it.
    for (const [name, noted] of this.#notes) if (noted < at || all.has(name)) this.#notes.delete(name);
    this.#known = undefined;
    this.#endedAt = performance.now();
    this.#tookMs = this.#endedAt - began;
    this.#running = undefined;
    this.#plan();
  }

  #merge(): Known | undefined {
    const walk = this.#walk;
    if (walk === undefined) return undefined;
    const { at, sorted, isComplete: complete } = walk;
    return { names: this.#notes.size === 0 ? sorted : withNames(sorted, [...this.#notes.keys()]), at, complete };
  }
}

/** Whether a client could ask for it: a registry may list what the grammar of `/v2` refuses. */
function isAskable(name: string): boolean {
  return parseRepositoryName(name) !== undefined;
}

/** Both in order. */
function withNames(sorted: readonly string[], more: readonly string[]): readonly string[] {
  const names: string[] = [];
  let begin = 0;
  for (const name of [...more].sort()) {
    const end = placeOf(sorted, name);
    for (let at = begin; at < end; at++) names.push(sorted[at] ?? '');
    begin = end;
    if (sorted[end] !== name) names.push(name);
  }
  for (let at = begin; at < sorted.length; at++) names.push(sorted[at] ?? '');
  return names;
}

function placeOf(sorted: readonly string[], name: string): number {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((sorted[middle] ?? '') < name) low = middle + 1;
    else high = middle;
  }
  return low;
}
