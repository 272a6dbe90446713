/** The registries behind, for questions about policies: where a repository is, and what its registry never takes. */
import type { Config } from '../config/load.ts';
import { type UpstreamTerms, defaultUpstream, soleUpstream } from '../config/upstreams.ts';
import { parseRepositoryName } from '../distribution/reference.ts';
import { type Upstreams, createUpstreams, isPlain, remoteName } from '../distribution/upstreams.ts';
import { obstacleTo } from '../policy/analysis/obstacle.ts';
import { registriesOf } from '../policy/analysis/registries.ts';
import type { Action, Source } from '../policy/model.ts';
import type { RepositoryPattern } from '../policy/pattern.ts';

/** Where one repository is. */
export interface Place {
  /** Undefined: no registry has such names. */
  readonly upstream: UpstreamTerms | undefined;
  /** What it is called there. */
  readonly remote: string | undefined;
}

export interface Behind {
  readonly upstreams: Upstreams<UpstreamTerms>;
  /** The spelling by which a repository is judged. */
  canonical(repository: string): string;
  placeOf(repository: string): Place;
  /** Why it is refused there, whatever rules allow. */
  obstacle(action: Action, repository: string): string | undefined;
  registriesOf(pattern: RepositoryPattern): readonly UpstreamTerms[];
  /** Of the terms of a registry in the configuration. */
  readonly sourceOf: (upstream: { readonly name: string }) => Source;
}

/** Undefined where one registry has everything, by the names that clients use. */
export function behindOf({
  config,
  isTrial,
  placeOf,
}: {
  readonly config: Config;
  readonly isTrial: boolean;
  readonly placeOf: (key: string) => Source;
}): Behind | undefined {
  const named = config.upstreams;
  // Try mode finds one for all other names itself.
  const all = isTrial && defaultUpstream(named) === undefined ? [...named, soleUpstream('', config)] : named;
  if (all.length === 1 && all.every((each) => isPlain(each) && each.access === 'read-write')) return undefined;
  const upstreams = createUpstreams(all);
  return {
    upstreams,
    canonical(repository) {
      const name = parseRepositoryName(repository);
      return name === undefined ? repository : upstreams.canonical(name);
    },
    placeOf(repository) {
      const upstream = upstreams.of(repository);
      return { upstream, remote: upstream === undefined ? undefined : remoteName(upstream, repository) };
    },
    obstacle: (action, repository) => obstacleTo(upstreams, action, repository),
    registriesOf: (pattern) => registriesOf(upstreams, pattern),
    sourceOf: ({ name }) => placeOf(`upstreams.${name}`),
  };
}

/** `registry "hub" (http://cache:5000), there library/alpine`. */
export function describeRegistry({ upstream, remote }: Place, repository: string): string {
  if (upstream === undefined) return 'in no registry';
  const there = remote === undefined || remote === repository ? '' : `, there ${remote}`;
  return `in registry "${upstream.name}" (${upstream.url})${there}`;
}
