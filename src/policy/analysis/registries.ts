/** Which registries have repositories that a pattern matches. */
import type { UpstreamNames, Upstreams } from '../../distribution/upstreams.ts';
import { type RepositoryPattern, parseRepositoryPattern } from '../pattern.ts';
import { filler, meetingOf } from './witness.ts';

/** In the order of their prefixes. */
export function registriesOf<Upstream extends UpstreamNames>(
  upstreams: Upstreams<Upstream>,
  pattern: RepositoryPattern,
): readonly Upstream[] {
  return upstreams.all.filter((upstream) => {
    const area = areaOf(upstream);
    const name = area === undefined ? undefined : meetingOf(pattern, area, filler);
    return name !== undefined && upstreams.of(name) === upstream;
  });
}

/** `mirror/**`: all names that lead to the registry, unless one with a longer prefix has them. */
function areaOf({ prefix }: UpstreamNames): RepositoryPattern | undefined {
  const area = parseRepositoryPattern(prefix === '' ? '**' : `${prefix}/**`);
  return 'problem' in area ? undefined : area;
}
