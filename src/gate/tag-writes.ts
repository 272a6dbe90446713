/**
 * Tags at the moment they change. A push that names a tag creates it, moves it, or repeats it; only the registry knows
 * which. Deleting a manifest by digest deletes every tag that points at it.
 */
import { createHash } from 'node:crypto';
import type { Circumstances } from '../policy/conditions.ts';
import type { CompiledPolicy, Decision } from '../policy/evaluate.ts';
import type { Principal } from '../policy/model.ts';
import type { Registry, RegistryFailure } from '../ports.ts';
import type { DeniedNeed } from './admit.ts';
import { everyTag } from './every-tag.ts';

export interface TagWriter {
  readonly policy: CompiledPolicy;
  readonly principal: Principal;
  readonly repository: string;
  readonly circumstances: Circumstances;
}

export type TagJudgement =
  | { readonly kind: 'allowed' }
  | { readonly kind: 'denied'; readonly need: DeniedNeed; readonly decision: Decision }
  | { readonly kind: 'unknown'; readonly reason: RegistryFailure['reason'] };

const allowed: TagJudgement = { kind: 'allowed' };

/** How a write of `tag` would be judged, were it new and were it there; the same for most people and tags. */
function judgeBothWays({ policy, principal, repository, circumstances }: TagWriter, tag: string) {
  const judge = (action: 'create' | 'overwrite') => ({
    action,
    decision: policy.decide({ ...circumstances, principal, action, repository, tag }),
  });
  return { create: judge('create'), overwrite: judge('overwrite') };
}

/** Whether it matters to the policy if `tag` exists; otherwise neither the registry nor a lock has to be asked. */
export function isGuardedTag(writer: TagWriter, tag: string): boolean {
  const { create, overwrite } = judgeBothWays(writer, tag);
  return !create.decision.allowed || !overwrite.decision.allowed;
}

/** Asked of the registry only where creating and overwriting are judged differently. */
export async function judgeTagWrite(
  registry: Pick<Registry, 'resolveTag'>,
  writer: TagWriter,
  tag: string,
  sameContent: (digest: string) => boolean,
): Promise<TagJudgement> {
  const { repository } = writer;
  const { create, overwrite } = judgeBothWays(writer, tag);
  if (create.decision.allowed && overwrite.decision.allowed) return allowed;
  const current = await registry.resolveTag(repository, tag);
  if (!current.ok) return { kind: 'unknown', reason: current.reason };
  // The same content again changes nothing: whoever may push the tag at all may repeat a push.
  const isRepeat = current.digest !== undefined && sameContent(current.digest);
  const { action, decision } = current.digest === undefined ? create : overwrite;
  if (decision.allowed || (isRepeat && (create.decision.allowed || overwrite.decision.allowed))) return allowed;
  return { kind: 'denied', need: { action, repository, tag }, decision };
}

/** By the algorithm that registries name content with. */
export function digestOf(content: Buffer): string {
  return `sha256:${createHash('sha256').update(content).digest('hex')}`;
}

/** Whether content has a digest, by that digest's own algorithm. */
export function hasDigest(content: Buffer, digest: string): boolean {
  const [algorithm = '', encoded] = digest.split(':');
  return /^sha(?:256|384|512)$/.test(algorithm) && createHash(algorithm).update(content).digest('hex') === encoded;
}

const resolvedAtOnce = 16;

/** Whether tags can forbid what is deleted by digest; otherwise nothing has to be asked. */
export function hasGuardedTags({ policy, principal, repository, circumstances }: TagWriter): boolean {
  return policy.judgesTags({ ...circumstances, principal, action: 'delete', repository });
}

/**
 * Deleting by digest, judged against every tag that points at it. Only tags whose deletion would be refused are resolved;
 * when no rule judges tags here, nothing is asked at all.
 */
export async function judgeDeleteByDigest(
  registry: Pick<Registry, 'resolveTag' | 'tags'>,
  writer: TagWriter,
  digest: string,
): Promise<TagJudgement> {
  const { policy, principal, repository, circumstances } = writer;
  const question = { ...circumstances, principal, action: 'delete', repository } as const;
  if (!hasGuardedTags(writer)) return allowed;
  const every = await everyTag(registry, repository);
  if (!every.ok) return { kind: 'unknown', reason: every.reason };
  const guarded = every.tags
    .map((tag) => ({ tag, decision: policy.decide({ ...question, tag }) }))
    .filter(({ decision }) => !decision.allowed);
  for (let begin = 0; begin < guarded.length; begin += resolvedAtOnce) {
    const batch = guarded.slice(begin, begin + resolvedAtOnce);
    const resolved = await Promise.all(batch.map(({ tag }) => registry.resolveTag(repository, tag)));
    for (const [index, current] of resolved.entries()) {
      if (!current.ok) return { kind: 'unknown', reason: current.reason };
      const hit = current.digest === digest ? batch[index] : undefined;
      if (hit !== undefined) {
        return { kind: 'denied', need: { action: 'delete', repository, tag: hit.tag }, decision: hit.decision };
      }
    }
  }
  return allowed;
}
