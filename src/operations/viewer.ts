/** Who looks, and what they may see: judged by the evaluator that judges pulls, and no further than their credentials reach. */
import { carries } from '../distribution/access.ts';
import type { Caller } from '../identity/identify.ts';
import type { Circumstances } from '../policy/conditions.ts';
import type { CompiledPolicy, Decision } from '../policy/evaluate.ts';
import { type Action, rightsOfAll } from '../policy/model.ts';
import { narrowPolicy } from '../policy/secret-reach.ts';
import type { AuditRecord } from '../ports.ts';

/** Whoever proved that they can read the state directory: may look at everything, and administer; nothing is theirs. */
export interface Operator {
  readonly kind: 'operator';
  readonly policy: CompiledPolicy;
  readonly circumstances: Circumstances;
  readonly request?: RequestFacts;
}

/** A person, a machine or nobody in particular. */
export interface Looker {
  readonly kind: 'caller';
  readonly caller: Caller;
  /** As the caller's credentials see it. */
  readonly policy: CompiledPolicy;
  readonly circumstances: Circumstances;
  readonly request?: RequestFacts;
  /** By a password just shown, or by the page's session: what a token may not do. */
  readonly isInPerson: boolean;
  /** The session of the page, or of the token that was shown. */
  readonly sessionId?: string | undefined;
}

export type Viewer = Operator | Looker;

/** By what a record belongs to those of the same request. */
type RequestFacts = Pick<AuditRecord, 'userAgent' | 'requestId' | 'traceId'>;

/** What every record has of what a viewer did: where from, and in which request. */
export function askedBy({ circumstances: { address }, request }: Viewer): RequestFacts & Pick<AuditRecord, 'address'> {
  return { address, ...request };
}

/** undefined for an operator and for nobody in particular. */
export function nameOf(viewer: Viewer): string | undefined {
  if (viewer.kind === 'operator') return undefined;
  const { principal } = viewer.caller;
  return 'name' in principal ? principal.name : undefined;
}

/** What the policy says of the viewer; an operator is allowed everything. */
export function decide(viewer: Viewer, action: Action, repository: string, tag?: string): Decision {
  if (viewer.kind === 'operator') return { allowed: true, reason: 'rule_allows', rule: undefined, shadow: [] };
  const { caller, policy, circumstances } = viewer;
  // Written out: a spread takes longer than the decision, and a list asks for ten thousand.
  const { address, now } = circumstances;
  return policy.decide({ address, now, principal: caller.principal, action, repository, tag });
}

/** The policy in force as far as the viewer's credentials reach in one repository. */
export function policyFor({ caller, policy }: Looker, repository: string): CompiledPolicy {
  const { bound } = caller;
  if (bound === undefined) return policy;
  const carried = (['pull', 'push', 'delete', 'promote', 'inspect'] as const).filter((action) =>
    carries(bound, 'repository', repository, action),
  );
  const lists = carries(bound, 'registry', 'catalog', '*') ? (['catalog'] as const) : [];
  return narrowPolicy(policy, '', { rights: rightsOfAll([...carried, ...lists]) });
}

/** Whether the viewer may know that a repository, or a tag of it, is there: as `GET` on `/v2` lets them. */
export function maySee(viewer: Viewer, repository: string, tag?: string): boolean {
  return reaches(viewer, repository, 'pull') && decide(viewer, 'pull', repository, tag).allowed;
}

/** Whether the viewer may see who may do what there, and who was refused. */
export function mayInspect(viewer: Viewer, repository: string): boolean {
  return reaches(viewer, repository, 'inspect') && decide(viewer, 'inspect', repository).allowed;
}

/** `inspect` or `administer` in every repository there is or will be; never by a bearer token, which names repositories. */
export function mayEverywhere(viewer: Viewer, action: 'inspect' | 'administer'): boolean {
  if (viewer.kind === 'operator') return true;
  const { caller, policy, circumstances, isInPerson } = viewer;
  if (caller.bound !== undefined || (action === 'administer' && !isInPerson)) return false;
  return policy.mayEverywhere(caller.principal, action, circumstances).allowed;
}

/** A bearer token reaches only what its `access` names. */
function reaches(viewer: Viewer, repository: string, action: 'pull' | 'inspect'): boolean {
  const bound = viewer.kind === 'operator' ? undefined : viewer.caller.bound;
  return bound === undefined || carries(bound, 'repository', repository, action);
}
