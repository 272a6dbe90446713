/** Who may promote what: reading the source, and writing the target by the right to promote. */
import { carries } from '../distribution/access.ts';
import { isReferrersTag } from '../distribution/reference.ts';
import type { Caller } from '../identity/identify.ts';
import type { Circumstances } from '../policy/conditions.ts';
import type { CompiledPolicy, Decision } from '../policy/evaluate.ts';
import type { Principal } from '../policy/model.ts';
import type { PromotedName, Registry, RegistryFailure } from '../ports.ts';

export interface Promoter {
  readonly policy: CompiledPolicy;
  readonly principal: Principal;
  readonly circumstances: Circumstances;
}

/** Whether the policy lets somebody read what a name stands for. */
export function mayPull(
  { policy, principal, circumstances }: Promoter,
  { repository, reference }: PromotedName,
): Decision {
  const tag = reference.includes(':') ? undefined : reference;
  return policy.decide({ ...circumstances, principal, action: 'pull', repository, tag });
}

/** Whether the policy lets somebody promote to a tag; without `writes` before it is known what that comes to. */
export function mayPromote(
  { policy, principal, circumstances }: Promoter,
  repository: string,
  tag: string,
  writes?: 'create' | 'overwrite',
): Decision {
  const question = { ...circumstances, principal, action: 'promote', repository, tag } as const;
  return policy.decide(writes === undefined ? question : { ...question, writes });
}

/** A right to promote is one to bring along what is attached, unless a rule forbids that by name. */
export function mayAttach(promoter: Promoter, repository: string, tag: string): Decision {
  const decision = mayPromote(promoter, repository, tag, 'create');
  return isReferrersTag(tag) && decision.reason === 'no_rule' ? { ...decision, allowed: true } : decision;
}

/** Whether the credentials reach as far: a token only to its `access`. */
export function reachesFor({ bound }: Pick<Caller, 'bound'>, repository: string, action: 'pull' | 'promote'): boolean {
  return bound === undefined || carries(bound, 'repository', repository, action);
}

export type TargetJudgement =
  /** Nothing is there, or may be overwritten. */
  | { readonly kind: 'free'; readonly writes: 'create' | 'overwrite'; readonly decision: Decision }
  | { readonly kind: 'same'; readonly decision: Decision }
  /** Another image is there, and may not be overwritten. */
  | { readonly kind: 'taken'; readonly decision: Decision }
  | { readonly kind: 'denied'; readonly decision: Decision }
  | { readonly kind: 'unknown'; readonly failure: RegistryFailure };

/** The registry is always asked what the tag names now. */
export async function judgeTarget(
  registry: Pick<Registry, 'resolveTag'>,
  promoter: Promoter,
  { repository, tag }: { readonly repository: string; readonly tag: string },
  digest: string,
): Promise<TargetJudgement> {
  const anyhow = mayPromote(promoter, repository, tag);
  if (!anyhow.allowed) return { kind: 'denied', decision: anyhow };
  const current = await registry.resolveTag(repository, tag);
  if (!current.ok) return { kind: 'unknown', failure: current };
  if (current.digest === digest) return { kind: 'same', decision: anyhow };
  const writes = current.digest === undefined ? 'create' : 'overwrite';
  const decision = mayPromote(promoter, repository, tag, writes);
  if (decision.allowed) return { kind: 'free', writes, decision };
  return { kind: writes === 'overwrite' ? 'taken' : 'denied', decision };
}

/** Whether it matters what the tag is now; otherwise it can be written without its turn. */
export function isGuarded(promoter: Promoter, repository: string, tag: string): boolean {
  return (['create', 'overwrite'] as const).some((writes) => !mayPromote(promoter, repository, tag, writes).allowed);
}
