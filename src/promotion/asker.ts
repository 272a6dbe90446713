/** Who asked for a promotion, as of now: a copy may take long, and rights end meanwhile. */
import type { PromotionAsk, PromotionOutcome, PromotionParts } from './outcome.ts';
import { type Promoter, mayPromote, mayPull } from './rights.ts';

/** By the login and the policy of the question, at this moment. */
export function promoterOf(
  { clock }: Pick<PromotionParts, 'clock'>,
  { policy, caller, address }: PromotionAsk,
): Promoter {
  return { policy, principal: caller.principal, circumstances: { address, now: clock() } };
}

/** By the login and the policy of now; what has ended since, where something has. */
export function standing(parts: PromotionParts, ask: PromotionAsk): PromotionAsk | PromotionOutcome {
  const again = parts.identity.again(ask.caller);
  if (again.kind === 'refused') return { kind: 'login_ended', refusal: again.refusal };
  const now = { ...ask, caller: again.caller, policy: again.policy };
  const promoter = promoterOf(parts, now);
  const { source, target } = ask.request;
  if (!mayPull(promoter, source).allowed) return { kind: 'source_unknown' };
  const decision = mayPromote(promoter, target.repository, target.tag);
  return decision.allowed ? now : { kind: 'not_allowed', caller: now.caller, tag: target.tag, decision };
}
