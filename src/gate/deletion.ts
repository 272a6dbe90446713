/** A deletion, judged and run: by whatever way it is asked for, this is what decides. */
import type { RegistryRoute } from '../distribution/route.ts';
import type { Digest, RepositoryName, Tag } from '../distribution/reference.ts';
import { type Caller, policyOf } from '../identity/identify.ts';
import type { PolicySource, Registry, TagLocks } from '../ports.ts';
import { type AdmitParts, type Refused, admitAgain, refused } from './admit.ts';
import { challengeAccess } from '../distribution/access.ts';
import { deletionOf } from './contained.ts';
import { hasGuardedTags, judgeDeleteByDigest } from './delete-by-digest.ts';
import type { KnownParts } from './known-parts.ts';
import type { TagAsker, TagJudgement } from './tag-writes.ts';

export interface DeletionParts extends AdmitParts {
  readonly policies: PolicySource;
  readonly knownParts: KnownParts;
  readonly tagLocks: TagLocks;
}

/** Milliseconds that a write waits for another one of the same tag. */
export const tagTurnMs = 30_000;

export interface Deletion {
  readonly repository: RepositoryName;
  /** As the client spells it, where that is another name for the same. */
  readonly spelled?: RepositoryName | undefined;
  readonly caller: Caller;
  readonly address: string | undefined;
  readonly isWanted: () => boolean;
}

export type DeletionOutcome<T> =
  | { readonly kind: 'done'; readonly value: T }
  /** `caller`: as the policy of now sees them. */
  | {
      readonly kind: 'refused';
      readonly refused: Refused;
      readonly judgement?: Extract<TagJudgement, { kind: 'denied' }>;
    }
  | { readonly kind: 'unknown'; readonly reason: Extract<TagJudgement, { kind: 'unknown' }>['reason'] }
  /** There is no such manifest, as far as this caller may know. */
  | { readonly kind: 'absent' }
  | { readonly kind: 'unwanted' }
  | { readonly kind: 'missed'; readonly reason: 'busy' | 'unavailable' };

/** By the policy of now. */
export function askerOf(
  { policies, clock }: Pick<DeletionParts, 'policies' | 'clock'>,
  caller: Caller,
  repository: string,
  address: string | undefined,
): TagAsker {
  return {
    policy: policyOf(caller, policies.current()),
    principal: caller.principal,
    repository,
    circumstances: { address, now: clock() },
  };
}

/**
 * Takes a manifest by its digest, which takes every tag with it that leads there. Where tags are protected no push may
 * point one at the digest between the look at the tags and `act`.
 */
export async function deleteByDigest<T>(
  parts: DeletionParts,
  registry: Pick<Registry, 'resolveTag' | 'tags' | 'manifest'>,
  deletion: Deletion,
  digest: Digest,
  act: () => Promise<T>,
): Promise<DeletionOutcome<T>> {
  const { repository, caller, address, isWanted } = deletion;
  const done = async (): Promise<DeletionOutcome<T>> => ({ kind: 'done', value: await act() });
  if (!hasGuardedTags(askerOf(parts, caller, repository, address))) return done();
  const route = routeOf(deletion, { digest });
  const turn = await parts.tagLocks.withTags(repository, [digest, deletionOf(digest)], tagTurnMs, async () => {
    const again = admitAgain(parts, route, caller, address);
    if (again.kind !== 'admitted') return { kind: 'refused', refused: again } as const;
    const asker = askerOf(parts, again.caller, repository, address);
    const judgement = await judgeDeleteByDigest(registry, asker, digest, parts.knownParts, isWanted);
    if (!isWanted()) return { kind: 'unwanted' } as const;
    if (judgement.kind === 'denied') {
      const { need, decision } = judgement;
      return {
        kind: 'refused',
        refused: refused(again.caller, need, decision, challengeAccess(route)),
        judgement,
      } as const;
    }
    return judgement.kind === 'allowed' ? done() : judgement;
  });
  return turn.ok ? turn.value : { kind: 'missed', reason: turn.reason };
}

/** As the rules see it. */
export function routeOf(
  { repository, spelled }: Pick<Deletion, 'repository' | 'spelled'>,
  reference: { readonly tag: Tag } | { readonly digest: Digest },
): RegistryRoute & { readonly kind: 'manifest-delete' } {
  return { kind: 'manifest-delete', repository, reference, spelled };
}
