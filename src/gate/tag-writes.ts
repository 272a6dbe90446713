/** Tags at the moment they change. A push that names a tag creates it, moves it, or repeats it; only the registry knows which. */
import { type TypedContent, keepsAttachments } from '../distribution/attachments.ts';
import { isReferrersTag } from '../distribution/reference.ts';
import type { Circumstances } from '../policy/conditions.ts';
import type { CompiledPolicy, Decision } from '../policy/evaluate.ts';
import type { Principal } from '../policy/model.ts';
import type { Registry, RegistryFailure } from '../ports.ts';
import type { DeniedNeed } from './admit.ts';

/** Who does something to a repository whose tags have rules of their own. */
export interface TagAsker {
  readonly policy: CompiledPolicy;
  readonly principal: Principal;
  readonly repository: string;
  readonly circumstances: Circumstances;
}

export type TagJudgement =
  /** `writes`: what it comes to, where that was asked. */
  | { readonly kind: 'allowed'; readonly writes?: Writes }
  | { readonly kind: 'denied'; readonly need: DeniedNeed; readonly decision: Decision }
  | { readonly kind: 'unknown'; readonly reason: RegistryFailure['reason'] };

/** `repeat`: the tag names that content already. `attach`: a list of attachments grows. */
export type Writes = 'create' | 'overwrite' | 'repeat' | 'attach';

export const allowed: TagJudgement = { kind: 'allowed' };

/** How a write of `tag` would be judged, were it new and were it there; the same for most people and tags. */
function judgeBothWays({ policy, principal, repository, circumstances }: TagAsker, tag: string) {
  const judge = (action: 'create' | 'overwrite') => ({
    action,
    decision: policy.decide({ ...circumstances, principal, action, repository, tag }),
  });
  return { create: judge('create'), overwrite: judge('overwrite') };
}

/** Whether it matters to the policy if `tag` exists; otherwise neither the registry nor a lock has to be asked. */
export function isGuardedTag(writer: TagAsker, tag: string): boolean {
  const { create, overwrite } = judgeBothWays(writer, tag);
  return !create.decision.allowed || !overwrite.decision.allowed;
}

/** What a push would put under a tag. */
export interface PushedManifest extends TypedContent {
  readonly isSameAs: (digest: string) => boolean;
}

/** Asked of the registry only where creating and overwriting are judged differently. */
export async function judgeTagWrite(
  registry: Pick<Registry, 'resolveTag' | 'manifest'>,
  writer: TagAsker,
  tag: string,
  pushed: PushedManifest,
): Promise<TagJudgement> {
  const { repository } = writer;
  const { create, overwrite } = judgeBothWays(writer, tag);
  if (create.decision.allowed && overwrite.decision.allowed) return allowed;
  const current = await registry.resolveTag(repository, tag);
  if (!current.ok) return { kind: 'unknown', reason: current.reason };
  // The same content again changes nothing: whoever may push the tag at all may repeat a push.
  const isRepeat = current.digest !== undefined && pushed.isSameAs(current.digest);
  const { action, decision } = current.digest === undefined ? create : overwrite;
  const isAllowed = decision.allowed || (isRepeat && (create.decision.allowed || overwrite.decision.allowed));
  if (isAllowed) return { kind: 'allowed', writes: isRepeat ? 'repeat' : action };
  // A list of attachments that only grows loses nothing: every signature after the first would be an overwrite.
  if (current.digest !== undefined && create.decision.allowed && isReferrersTag(tag)) {
    const reading = await registry.manifest(repository, current.digest);
    if (!reading.ok) return { kind: 'unknown', reason: reading.reason };
    if (reading.manifest !== undefined && keepsAttachments(tag, reading.manifest, pushed))
      return { kind: 'allowed', writes: 'attach' };
  }
  return { kind: 'denied', need: { action, repository, tag }, decision };
}
