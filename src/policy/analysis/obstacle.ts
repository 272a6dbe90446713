/** What no rule can give: writing to a registry that is read-only here, and anything where no registry has such names. */
import { type Upstreams, readOnlyInWords } from '../../distribution/upstreams.ts';
import { type Action, pushes, rights, rightsOf } from '../model.ts';
import type { Explanation } from './explain.ts';

/** Why it is refused there, whatever rules allow. */
export function obstacleTo(upstreams: Pick<Upstreams, 'of'>, action: Action, repository: string): string | undefined {
  const upstream = upstreams.of(repository);
  if (upstream === undefined) return 'no registry behind has such names';
  return writesTo(action) && upstream.access === 'read' ? readOnlyInWords(upstream) : undefined;
}

/** Whether the action changes anything in a registry. */
export function writesTo(action: Action): boolean {
  return (rightsOf(action) & (pushes | rights.promote | rights.delete)) !== 0;
}

/** What rules allow and the registry behind does not take is refused. */
export function refusedBehind(explanation: Explanation, obstacle: string | undefined): Explanation {
  if (obstacle === undefined || !explanation.allowed) return explanation;
  const nothing = { rule: undefined, halves: undefined, deletion: undefined, tags: undefined, impliedByPush: false };
  return {
    ...explanation,
    ...nothing,
    ...{ allowed: false, reason: obstacle, secrets: [], gates: [], unreadable: [], shadow: [], nearMisses: [] },
  };
}
