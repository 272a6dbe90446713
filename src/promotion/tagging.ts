/** The tag of a promotion, written last, in its turn: who asked is judged once more by the login and the policy of then. */
import { passGates, type GateOutcome } from './gates.ts';
import { promoterOf, standing } from './asker.ts';
import type { Closure } from './closure.ts';
import { registryFault } from './fault.ts';
import { partsHeld } from './held.ts';
import { type PromotionAsk, type PromotionOutcome, type PromotionParts, refusedBy, refusedByGates } from './outcome.ts';
import { isGuarded, judgeTarget } from './rights.ts';

/** Milliseconds that the tag waits for another writer of it. */
const tagTurnMs = 30_000;

type Tagged = { readonly kind: 'tagged'; readonly gates: GateOutcome } | PromotionOutcome;

/** In the turn of the tag, of the digest, and of what that is made of: whoever deletes one of them waits for it. */
export async function setTag(parts: PromotionParts, ask: PromotionAsk, closure: Closure): Promise<Tagged> {
  const { repository, tag } = ask.request.target;
  const write = (): Promise<Tagged> => judgeAndTag(parts, ask, closure);
  const turn = await parts.tagLocks.withTags(repository, [tag, ...partsHeld(closure)], tagTurnMs, write);
  if (turn.ok) return turn.value;
  if (turn.reason === 'busy') return { kind: 'tag_busy' };
  // Whoever may do anything with this tag needs no turn to be judged.
  return isGuarded(promoterOf(parts, ask), repository, tag) ? { kind: 'locks_unavailable' } : write();
}

async function judgeAndTag(parts: PromotionParts, asked: PromotionAsk, closure: Closure): Promise<Tagged> {
  const ask = standing(parts, asked);
  if ('kind' in ask) return ask;
  const { registry, writer, knownParts } = parts;
  const { root } = closure;
  const { repository, tag } = ask.request.target;
  const judged = await judgeTarget(registry, promoterOf(parts, ask), ask.request.target, root.digest);
  const refusal = refusedBy(judged, ask.caller, tag);
  if (refusal !== undefined) return refusal;
  const gated = { policy: ask.policy, principal: ask.caller.principal, repository };
  const gates = await passGates(parts.judgeGatesAgain, { now: registry, then: registry }, gated, [{ ...root, tag }]);
  const refused = refusedByGates(gates);
  if (refused !== undefined) return refused;
  if (judged.kind === 'same') return { kind: 'tagged', gates };
  const write = (): ReturnType<typeof writer.putManifest> => writer.putManifest(repository, tag, root);
  const written = await parts.around(repository, write, (value) => value.ok || value.reason === 'refused');
  if (!written.ok) return { kind: 'marks_unavailable' };
  if (!written.value.ok) return registryFault(written.value, 'writing the tag');
  for (const { content } of closure.images.values()) knownParts.learn(repository, content);
  return { kind: 'tagged', gates };
}
