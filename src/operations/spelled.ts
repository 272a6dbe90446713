/** Names of repositories as people give them. */
import { parseRepositoryName } from '../distribution/reference.ts';
import type { Upstreams } from '../distribution/upstreams.ts';

/** In the one spelling by which a repository is judged, counted and written down; what is no name stays as it is. */
export function spelled({ canonical }: Pick<Upstreams, 'canonical'>, repository: string): string {
  const name = parseRepositoryName(repository);
  return name === undefined ? repository : canonical(name);
}
