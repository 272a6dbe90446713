/** What the handlers that write and delete manifests have in common. */
import { challengeAccess } from '../../distribution/access.ts';
import type { RegistryRoute } from '../../distribution/route.ts';
import { type Admitted, refused } from '../../gate/admit.ts';
import { type DeletionParts, askerOf } from '../../gate/deletion.ts';
import type { Caller } from '../../identity/identify.ts';
import type { GateParts } from '../../gate/provenance.ts';
import { type TagJudgement, type TagAsker, isGuardedTag } from '../../gate/tag-writes.ts';
import type { Limits } from '../../limits/spend.ts';
import type { MemoryBudget } from '../../limits/memory-budget.ts';
import type { Backend } from '../backend/backend.ts';
import type { Exchange } from '../front/exchange.ts';
import { tagHeld } from '../front/respond.ts';
import { type Outcome, unanswerable } from './outcome.ts';
import { type Asked, refusalOf } from './refusals.ts';

/** What decides on a write, keeps writes of one tag apart, and counts them. */
export interface WriteGate extends DeletionParts {
  /** What judging by gates takes beside the registry. */
  readonly gates: Omit<GateParts, 'registry'>;
  readonly limits: Limits;
  /** For the manifests that clients are pushing. */
  readonly manifestMemory: MemoryBudget;
  /** Milliseconds without a byte after which a manifest push is given up. */
  readonly idleMs: number;
}

export interface WriteParts {
  readonly gate: WriteGate;
  readonly backend: Pick<Backend, 'open' | 'ask'>;
  readonly front: Pick<Asked, 'service'>;
}

export type ManifestPut = RegistryRoute & { readonly kind: 'manifest-put' };

/** Judged by the policy of this moment, not of the one before a body came. */
export function writerOf(gate: WriteGate, { address }: Exchange, repository: string, caller: Caller): TagAsker {
  return askerOf(gate, caller, repository, address);
}

/** The tags that a push of a manifest would set. */
export function tagsOf({ reference, tags }: ManifestPut): readonly string[] {
  return 'tag' in reference ? [reference.tag] : tags;
}

/** A push of a tag that policy protects: it is counted when it is known not to be refused. */
export function isJudgedLate(gate: WriteGate, exchange: Exchange, { route, caller }: Admitted): boolean {
  if (route.kind !== 'manifest-put') return false;
  const writer = writerOf(gate, exchange, route.repository, caller);
  return tagsOf(route).some((tag) => isGuardedTag(writer, tag));
}

/** Nothing of a refusal depends on the request but where its client reaches the gateway: a write is no look for a blob. */
export function askedOf({ front }: Pick<WriteParts, 'front'>, { publicUrl }: Exchange): Asked {
  return { service: front.service, publicUrl, isLookingForBlob: false };
}

/** A write that a rule about tags forbids, or of which nobody can tell. */
export function notWritten(
  asked: Asked,
  route: RegistryRoute,
  caller: Caller,
  judgement: Exclude<TagJudgement, { kind: 'allowed' }>,
): Outcome {
  if (judgement.kind === 'unknown') return unanswerable(judgement.reason);
  const { need, decision } = judgement;
  const admission = refused(caller, need, decision, challengeAccess(route));
  const { answer, record } = refusalOf(admission, asked);
  return { ...(answer && { answer }), record: { ...record, action: need.action } };
}

/** The turn of a tag did not come. */
export function turnMissed(reason: 'busy' | 'unavailable'): Outcome {
  return { answer: tagHeld(reason), record: { decision: 'error', reason: `tag_${reason}` } };
}
