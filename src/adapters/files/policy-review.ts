/** What is to be said of policy files, read anew: they come to another thread as text. */
import { type PolicyReview, reviewPolicy } from '../../policy/analysis/review.ts';
import { type PolicyText, parsePolicy } from '../../policy/files/parse.ts';
import type { Policy } from '../../policy/model.ts';

export interface ReviewTerms {
  /** The files before the last reload; absent before the first. */
  readonly before?: readonly PolicyText[] | undefined;
  readonly after: readonly PolicyText[];
  /** Milliseconds since 1970. */
  readonly now: number;
}

/** Of files that cannot be read there is nothing to be said. */
export function reviewPolicies({ before, after, now }: ReviewTerms): PolicyReview {
  const policy = policyOf(after);
  if (policy === undefined) return { changes: undefined, lints: [], unexercised: [] };
  return reviewPolicy(before && policyOf(before), policy, now);
}

function policyOf(files: readonly PolicyText[]): Policy | undefined {
  const reading = parsePolicy(files);
  return reading.ok ? reading.policy : undefined;
}
