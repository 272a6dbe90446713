/**
 * What a counted reply says about limits: Docker Hub's headers, which image tools read, of the tightest limit, and the
 * fields of draft-ietf-httpapi-ratelimit-headers (structured fields, RFC 9651), of every limit that applies. Shadow limits
 * are nobody's business outside.
 */
import { type LimitState, tightest } from '../../limits/spend.ts';
import type { Limit } from '../../policy/model.ts';

/** What the headers say of a limit whatever is left of it. */
interface Texts {
  readonly name: string;
  readonly window: string;
  readonly rate: string;
  readonly policy: string;
}

const known = new WeakMap<Limit, Texts>();

function textsOf(limit: Limit): Texts {
  const found = known.get(limit);
  if (found !== undefined) return found;
  const { amount, seconds } = limit.rate;
  const [name, window] = [`"${limit.name}"`, `;w=${seconds}`];
  const texts = { name, window, rate: `${amount}${window}`, policy: `${name};q=${amount}${window}` };
  known.set(limit, texts);
  return texts;
}

/** None where no limit applies. */
export function limitHeaders(states: readonly LimitState[]): Readonly<Record<string, string>> {
  const first = tightest(states);
  if (first === undefined) return {};
  const { rate, window } = textsOf(first.limit);
  let [policies, balances] = ['', ''];
  for (const state of states) {
    if (state.limit.mode !== 'enforce') continue;
    const { name, policy } = textsOf(state.limit);
    const comma = policies === '' ? '' : ', ';
    policies += comma + policy;
    balances += `${comma}${name};r=${state.remaining};t=${secondsOf(state)}`;
  }
  return {
    'RateLimit-Limit': rate,
    'RateLimit-Remaining': `${first.remaining}${window}`,
    'Docker-RateLimit-Source': first.source,
    'RateLimit-Policy': policies,
    RateLimit: balances,
  };
}

/** Whole seconds until one more fits when none does, else until all do. Never later than `Retry-After`. */
function secondsOf({ waitSeconds, fullSeconds }: LimitState): number {
  return Math.ceil(waitSeconds > 0 ? waitSeconds : fullSeconds);
}

/** Whole seconds, at least 1: skopeo and podman sleep as long as it says, so it says no more than needed. */
export function retryAfter(seconds: number): string {
  return String(Math.max(1, Math.ceil(seconds)));
}
