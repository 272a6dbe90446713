/** Turns of questions that people's pages ask: some at once of each registry, so that one that hangs holds up none of the others. */
import { AtOnce } from '../gate/at-once.ts';
import type { ListPlace } from '../ports.ts';

export interface Turns {
  /** A question about a repository. */
  about<T>(repository: string, ask: () => Promise<T>): Promise<T>;
  /** A page of the list of all repositories. */
  listing<T>(place: ListPlace | undefined, ask: () => Promise<T>): Promise<T>;
}

export interface TurnTerms {
  /** At once, of each registry. */
  readonly each: number;
  /** Which of several registries is asked: one of as few values as there are; undefined: none that anything is known of. */
  readonly registries?: {
    readonly of: (repository: string) => string | undefined;
    readonly listedAt: (place: ListPlace | undefined) => string | undefined;
  };
}

/** Without `registries` there is one. */
export function createTurns({ each, registries }: TurnTerms): Turns {
  const turns = new Map<string | undefined, AtOnce>();
  const run = <T>(registry: string | undefined, ask: () => Promise<T>): Promise<T> => {
    const own = turns.get(registry) ?? new AtOnce(each);
    turns.set(registry, own);
    return own.run(ask);
  };
  return {
    about: (repository, ask) => run(registries?.of(repository), ask),
    listing: (place, ask) => run(registries?.listedAt(place), ask),
  };
}
