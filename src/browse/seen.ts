/** What the registry has confirmed, told to all who remember some of it. */
import type { Clock, RepositoryNames, Seen, TagActivity } from '../ports.ts';
import { ResolvedTags } from './resolved-tags.ts';

export interface SeenParts {
  readonly activity: TagActivity;
  readonly names: Pick<RepositoryNames, 'noteWritten'> & { noteDeleted(repository: string): void };
  /** Forgets what was known of a repository's tags. */
  readonly forget: (repository: string) => void;
  readonly clock: Clock;
}

/** In one turn, without a promise: a pull is answered before and after. */
export function createSeen({ activity, names, forget, clock }: SeenParts): Seen {
  const resolved = new ResolvedTags();
  return {
    written(repository, { tags, digest, by }) {
      const at = clock();
      for (const tag of tags) activity.noteWritten(repository, { tag, digest, at, by });
      names.noteWritten(repository);
      forget(repository);
    },
    deleted(repository, gone) {
      activity.noteDeleted(repository, gone, clock());
      names.noteDeleted(repository);
      forget(repository);
    },
    resolved(repository, { by, ...named }) {
      resolved.note(by, repository, named, clock());
    },
    pulled(repository, pulled) {
      const at = clock();
      const tags = 'tag' in pulled ? [pulled.tag] : resolved.of(pulled.by, repository, pulled.digest, at);
      for (const tag of tags) activity.notePulled(repository, tag, at);
    },
    contentWritten: (repository) => names.noteWritten(repository),
  };
}
