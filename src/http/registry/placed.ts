/** Which registry a request is for, and what none of them takes. */
import { routeAccess } from '../../distribution/access.ts';
import type { RegistryRoute } from '../../distribution/route.ts';
import {
  type UpstreamNames,
  type Upstreams,
  isPlain,
  readOnlyInWords,
  remoteName,
} from '../../distribution/upstreams.ts';
import { type Admitted, sentenceOf } from '../../gate/admit.ts';
import { refusal, repositoryUnknown } from '../front/respond.ts';
import { who } from './audit-facts.ts';
import type { Outcome } from './outcome.ts';

/** undefined for what is about no repository, or about one that no registry has. */
export function placeOf(route: RegistryRoute | undefined, upstreams: Upstreams): UpstreamNames | undefined {
  return route !== undefined && 'repository' in route ? upstreams.of(route.repository) : undefined;
}

/** Whether what the registry writes of it has other names in it than its clients know. */
export function isRenamed(route: RegistryRoute, upstreams: Upstreams): boolean {
  const upstream = placeOf(route, upstreams);
  return upstream !== undefined && !isPlain(upstream);
}

/** The refusal of what the policy allows and the registry behind cannot be asked for. */
export function misplacedBy({ route, caller }: Admitted, upstream: UpstreamNames | undefined): Outcome | undefined {
  if (!('repository' in route)) return undefined;
  const { repository } = route;
  if (upstream === undefined || remoteName(upstream, repository) === undefined)
    return {
      answer: repositoryUnknown(repository),
      record: { decision: 'deny', reason: 'upstream_unknown', ...who(caller) },
    };
  const { action } = routeAccess[route.kind];
  if (upstream.access === 'read-write' || action === 'pull') return undefined;
  return {
    answer: refusal('DENIED', sentenceOf(caller, { action, repository }, readOnlyInWords(upstream))),
    record: { decision: 'deny', reason: 'upstream_read_only', ...who(caller) },
  };
}
