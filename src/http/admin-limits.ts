/** What the admin API shows of limits: who is near one, whom failed logins hold back, and how one caller stands. */
import { z } from 'zod';
import { type LimitState, type Limits, stateOfCounter } from '../limits/spend.ts';
import type { CompiledPolicy } from '../policy/evaluate.ts';
import type { Counted, Principal } from '../policy/model.ts';
import { formatRate } from '../policy/rate.ts';
import type { FailedBy, FailedLogins, RateLimiter } from '../ports.ts';
import { delayMs } from '../token/login-delays.ts';

const limitState = z.object({
  limit: z.string(),
  mode: z.enum(['enforce', 'shadow']),
  count: z.enum(['pull', 'push', 'token']),
  per: z.enum(['account', 'address', 'repository']),
  rate: z.string(),
  burst: z.int(),
  /** Whose budget it is. */
  source: z.string(),
  remaining: z.int(),
  /** Until one request fits, until the budget is full. */
  waitSeconds: z.int(),
  fullSeconds: z.int(),
});
const heldLogin = z.object({
  by: z.enum(['account and address', 'address', 'account']),
  account: z.string().optional(),
  address: z.string().optional(),
  failures: z.int(),
  waitSeconds: z.int(),
});

export const limitList = z.object({ limits: z.array(limitState), logins: z.array(heldLogin) });
export const limitStates = z.object({ limits: z.array(limitState) });
export type LimitList = z.infer<typeof limitList>;
export type LimitStateView = z.infer<typeof limitState>;

/** The part of a burst from which on somebody with less left is near the limit. */
const nearPart = 0.2;

/** Undefined when the store cannot be asked. */
export async function listLimits(
  policy: CompiledPolicy,
  limiter: Pick<RateLimiter, 'owing'>,
  failedLogins: Pick<FailedLogins, 'worst'>,
): Promise<LimitList | undefined> {
  const [owing, worst] = await Promise.all([limiter.owing(), failedLogins.worst()]);
  if (!owing.ok || !worst.ok) return undefined;
  const limits = owing.owing.flatMap(({ counter, debtUs }) => {
    const state = stateOfCounter(policy, counter, debtUs);
    return state === undefined || state.remaining > nearPart * state.limit.burst ? [] : [viewOf(state)];
  });
  const logins = worst.worst.map(({ by, account, network, failures }) => ({
    by: byInWords[by],
    ...(account === undefined ? {} : { account }),
    ...(network === undefined ? {} : { address: network }),
    failures: failures.count,
    waitSeconds: Math.max(0, Math.ceil((delayMs(by, failures.count) - failures.ageMs) / 1000)),
  }));
  return { limits, logins };
}

const byInWords: Readonly<Record<FailedBy, LimitList['logins'][number]['by']>> = {
  pair: 'account and address',
  network: 'address',
  account: 'account',
};

export interface LimitQuestion {
  readonly principal: Principal;
  readonly counted: Counted;
  readonly repository: string | undefined;
  readonly address: string | undefined;
}

export async function standingOf(
  policy: CompiledPolicy,
  limits: Pick<Limits, 'look'>,
  { principal, counted, repository, address }: LimitQuestion,
): Promise<z.infer<typeof limitStates>> {
  const spender = { principal, address, ...(repository === undefined ? {} : { repository }) };
  return { limits: (await limits.look(policy, counted, spender)).map(viewOf) };
}

function viewOf({ limit, source, remaining, waitSeconds, fullSeconds }: LimitState): LimitStateView {
  const { name, mode, count, per, rate, burst } = limit;
  return {
    limit: name,
    mode,
    count,
    per,
    rate: formatRate(rate),
    burst,
    source,
    remaining,
    waitSeconds: Math.ceil(waitSeconds),
    fullSeconds: Math.ceil(fullSeconds),
  };
}
