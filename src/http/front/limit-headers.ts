/**
 * What a counted reply says about limits: Docker Hub's headers, which image tools read, of the tightest limit, and the
 * fields of draft-ietf-httpapi-ratelimit-headers (structured fields, RFC 9651), of every limit that applies. Shadow limits
 * are nobody's business outside.
 */
import { type LimitState, tightest } from '../../limits/spend.ts';

/** None where no limit applies. */
export function limitHeaders(states: readonly LimitState[]): Readonly<Record<string, string>> {
  const first = tightest(states);
  if (first === undefined) return {};
  const window = `;w=${first.limit.rate.seconds}`;
  const enforced = states.filter(({ limit }) => limit.mode === 'enforce');
  return {
    'RateLimit-Limit': `${first.limit.rate.amount}${window}`,
    'RateLimit-Remaining': `${first.remaining}${window}`,
    'Docker-RateLimit-Source': first.source,
    'RateLimit-Policy': enforced
      .map(({ limit: { name, rate } }) => `"${name}";q=${rate.amount};w=${rate.seconds}`)
      .join(', '),
    RateLimit: enforced.map((state) => `"${state.limit.name}";r=${state.remaining};t=${secondsOf(state)}`).join(', '),
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
