/** What text that leaves this gateway and comes back is good for: registries, and what they call a repository. */
import type { UpstreamTerms } from '../config/upstreams.ts';
import { type Upstreams, isPlain, remoteName } from '../distribution/upstreams.ts';

export interface SealedFor {
  /** Where an upload into a repository goes on: after a change of prefixes its name may mean another one. */
  readonly repository: (repository: string) => string;
  /** Lists of all registries. */
  readonly all: string;
}

/** Of a registry for everything: its URL alone. */
export function sealedForOf({ of, all }: Upstreams<UpstreamTerms>): SealedFor {
  return {
    repository(repository) {
      const upstream = of(repository);
      if (upstream === undefined) return '';
      return isPlain(upstream) ? upstream.url : `${upstream.url} ${remoteName(upstream, repository) ?? ''}`;
    },
    all: all
      .map((upstream) => {
        const { name, url, prefix, remotePrefix } = upstream;
        return all.length === 1 && isPlain(upstream) ? url : JSON.stringify([name, url, prefix, remotePrefix]);
      })
      .join(' '),
  };
}
