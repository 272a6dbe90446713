/** Turns of questions that people's pages ask: some at once in all, fewer of one registry, so that one that hangs leaves some. */
import { AtOnce } from '../gate/at-once.ts';
import type { ListPlace } from '../ports.ts';

export interface Turns {
  /** A question about a repository. */
  about<T>(repository: string, ask: () => Promise<T>): Promise<T>;
  /** A page of the list of all repositories. */
  listing<T>(place: ListPlace | undefined, ask: () => Promise<T>): Promise<T>;
}

export interface TurnTerms {
  /** At once. */
  readonly all: number;
  /** Where there are several registries: at once of each, and which of them is asked; undefined: none of them in particular. */
  readonly registries?: {
    readonly each: number;
    readonly of: (repository: string) => string | undefined;
    readonly listedAt: (place: ListPlace | undefined) => string | undefined;
  };
}

/** Whoever waits for a registry's turn holds none of the others'. */
export function createTurns({ all, registries }: TurnTerms): Turns {
  const common = new AtOnce(all);
  const own = new Map<string, AtOnce>();
  const run = <T>(registry: string | undefined, ask: () => Promise<T>): Promise<T> => {
    if (registries === undefined || registry === undefined) return common.run(ask);
    const turns = own.get(registry) ?? new AtOnce(registries.each);
    own.set(registry, turns);
    return turns.run(() => common.run(ask));
  };
  return {
    about: (repository, ask) => run(registries?.of(repository), ask),
    listing: (place, ask) => run(registries?.listedAt(place), ask),
  };
}
