/**
 * From "the first entry that matches decides" to "every allow counts, any deny wins", for one caller. An entry's allow
 * may overlap an earlier entry that does not give the action. What that one matches is then denied, also to a still
 * earlier entry that gives it there; where nothing would be left of such an entry, the later allow is dropped instead.
 * The result never gives more.
 */
import { type Region, covers, overlaps } from './matching.ts';

export const repositoryActions = ['pull', 'push', 'delete'] as const;
export type RepositoryAction = (typeof repositoryActions)[number];

/** An entry as far as it can concern one caller. */
export interface Candidate {
  readonly entry: number;
  readonly region: Region;
  /** The only network the entry is about. */
  readonly network: string | undefined;
  readonly actions: ReadonlySet<RepositoryAction>;
  /** false: whether it matches depends on more than region and network, or on a smaller region than is known. */
  readonly isExact: boolean;
}

/** Some actions of an entry. */
interface Given {
  readonly candidate: Candidate;
  readonly actions: ReadonlySet<RepositoryAction>;
}

export interface Conversion {
  readonly grants: readonly Given[];
  readonly denials: readonly Given[];
  /** Actions left out although docker_auth gives them, with the earlier entry that is in the way. */
  readonly dropped: readonly (Given & { readonly because: number })[];
  /** Actions denied where still earlier entries give them. */
  readonly limited: readonly {
    readonly candidate: Candidate;
    readonly action: RepositoryAction;
    readonly givers: readonly number[];
  }[];
  /** Entries that an earlier one leaves nothing to; granting them to this caller as well would be `harmless` or not. */
  readonly decided: readonly { readonly candidate: Candidate; readonly by: number; readonly harmless: boolean }[];
}

/** `candidates` in order of the access list. */
export function convert(candidates: readonly Candidate[]): Conversion {
  const converter = new Converter();
  for (const candidate of candidates) converter.take(candidate);
  return converter;
}

class Converter implements Conversion {
  readonly dropped: Conversion['dropped'][number][] = [];
  readonly limited: Conversion['limited'][number][] = [];
  readonly decided: Conversion['decided'][number][] = [];
  readonly #grants = new Map<Candidate, Set<RepositoryAction>>();
  readonly #denials = new Map<Candidate, Set<RepositoryAction>>();
  /** Entries that may be the first to match somewhere. */
  readonly #effective: Candidate[] = [];

  get grants(): readonly Given[] {
    return list(this.#grants);
  }

  get denials(): readonly Given[] {
    return list(this.#denials);
  }

  take(candidate: Candidate): void {
    const decider = this.#effective.find((earlier) => earlier.isExact && includes(earlier, candidate));
    if (decider !== undefined) {
      const isBlind = candidate.actions.has('push') && !candidate.actions.has('pull');
      const harmless =
        !isBlind && [...candidate.actions].every((action) => this.#obstacles(candidate, action).length === 0);
      this.decided.push({ candidate, by: decider.entry, harmless });
      return;
    }
    if (candidate.isExact) {
      for (const action of repositoryActions) if (candidate.actions.has(action)) this.#grant(candidate, action);
    }
    this.#effective.push(candidate);
  }

  /** Earlier entries that may decide a part of this one's region and do not give the action. */
  #obstacles(candidate: Candidate, action: RepositoryAction): readonly Candidate[] {
    return this.#effective.filter(
      (earlier) => !earlier.actions.has(action) && overlaps(earlier.region, candidate.region),
    );
  }

  #grant(candidate: Candidate, action: RepositoryAction): void {
    const obstacles = this.#obstacles(candidate, action);
    // A right to push lets clients read what they push, so pull is denied unless it was given, just before.
    const isBlind = action === 'push' && this.#grants.get(candidate)?.has('pull') !== true;
    const blocking =
      obstacles.find((earlier) => includes(earlier, candidate)) ??
      obstacles.find((earlier) => this.#wouldUndo(earlier, action)) ??
      (isBlind && this.#wouldUndo(candidate, 'pull') ? candidate : undefined);
    if (blocking !== undefined) {
      this.dropped.push({ candidate, actions: new Set([action]), because: blocking.entry });
      return;
    }
    for (const earlier of obstacles) this.#deny(earlier, action);
    if (isBlind) this.#deny(candidate, 'pull');
    add(this.#grants, candidate, action);
  }

  #deny(candidate: Candidate, action: RepositoryAction): void {
    if (this.#denials.get(candidate)?.has(action) === true) return;
    const givers = this.#giversBefore(candidate, action).map(({ entry }) => entry);
    if (givers.length > 0) this.limited.push({ candidate, action, givers });
    add(this.#denials, candidate, action);
  }

  /** Whether denying the action in the whole region leaves nothing of an entry before it. */
  #wouldUndo(candidate: Candidate, action: RepositoryAction): boolean {
    if (this.#denials.get(candidate)?.has(action) === true) return false;
    return this.#giversBefore(candidate, action).some((earlier) => includes(candidate, earlier));
  }

  #giversBefore(candidate: Candidate, action: RepositoryAction): readonly Candidate[] {
    return [...this.#grants]
      .filter(([earlier, actions]) => earlier.entry < candidate.entry && actions.has(action))
      .map(([earlier]) => earlier)
      .filter((earlier) => overlaps(earlier.region, candidate.region));
  }
}

/** Whether `earlier` matches wherever `later` does; networks are compared as they are written. */
function includes(earlier: Candidate, later: Candidate): boolean {
  const isSameNetwork = earlier.network === undefined || earlier.network === later.network;
  return isSameNetwork && covers(earlier.region, later.region);
}

function add(map: Map<Candidate, Set<RepositoryAction>>, candidate: Candidate, action: RepositoryAction): void {
  map.set(candidate, (map.get(candidate) ?? new Set()).add(action));
}

function list(map: ReadonlyMap<Candidate, ReadonlySet<RepositoryAction>>): readonly Given[] {
  return [...map]
    .map(([candidate, actions]) => ({ candidate, actions }))
    .sort((left, right) => left.candidate.entry - right.candidate.entry);
}
