/** Limits and failed logins as the admin API shows them. */
import { z } from 'zod';
import { type LimitState, type Limits, countedPer, stateOfCounter } from '../../limits/spend.ts';
import type { CompiledPolicy } from '../../policy/evaluate.ts';
import { type Limit, type Named, formatSubject } from '../../policy/model.ts';
import { principalIn } from '../../policy/principal.ts';
import { formatRate } from '../../policy/rate.ts';
import type { FailedLogins, RateLimiter } from '../../ports.ts';
import { delayMs } from '../../identity/login-delays.ts';

export interface LimitParts {
  readonly limits: Pick<Limits, 'look'>;
  readonly limiter: Pick<RateLimiter, 'owing'>;
  readonly failedLogins: Pick<FailedLogins, 'worst'>;
}

const limit = z.object({
  name: z.string(),
  mode: z.enum(['enforce', 'shadow']),
  count: z.enum(['pull', 'push', 'token']),
  per: z.enum(['account', 'address', 'repository']),
  rate: z.string().describe('as a policy file writes it'),
  burst: z.int(),
});
const spent = z.object({
  source: z.string().describe('whose budget it is: an account, an address or /64, a repository'),
  remaining: z.int().describe('requests that would fit now'),
  waitSeconds: z.number().describe('until one fits; 0 when one does'),
  fullSeconds: z.number().describe('until the whole burst fits'),
});
const limitState = z.object({ ...limit.shape, ...spent.shape });
const failedLogin = z.object({
  by: z
    .enum(['pair', 'network', 'site', 'account'])
    .describe(
      'what is counted: an account from one network, anybody from a network or its /48, an account from anywhere',
    ),
  account: z.string().optional().describe('as clients sent it'),
  network: z.string().optional(),
  failures: z.int(),
  lastFailure: z.iso.datetime(),
  waitSeconds: z.number().describe('until the next attempt; 0 when it may be made now'),
});
export const limitList = z.object({ limits: z.array(limitState), logins: z.array(failedLogin) });
export const limitStates = z.object({
  subject: z.string(),
  limits: z.array(z.object({ ...limit.shape, ...spent.partial().shape })),
});

export type LimitList = z.infer<typeof limitList>;
export type LimitStates = z.infer<typeof limitStates>;

/** The part of a burst that may be left of a budget that is listed. */
const listedPart = 0.2;
/** Characters of an account name that is listed: no valid one is longer. */
const maxAccountLength = 128;

/** The longest wait first; undefined when the store is away. */
export async function listLimits(
  { limiter, failedLogins }: LimitParts,
  policy: CompiledPolicy,
  now: number,
): Promise<LimitList | undefined> {
  const [owing, failed] = await Promise.all([limiter.owing(), failedLogins.worst()]);
  if (!owing.ok || !failed.ok) return undefined;
  const limits = owing.owing
    .flatMap(({ counter, debtUs }) => stateOfCounter(policy, counter, debtUs) ?? [])
    .filter((state) => state.remaining <= listedPart * state.limit.burst)
    .map((state) => ({ ...limitView(state.limit), ...spentView(state) }));
  const logins = failed.worst.map(({ by, account, network, failures: { count, ageMs } }) => ({
    by,
    ...(account === undefined ? {} : { account: account.slice(0, maxAccountLength) }),
    ...(network === undefined ? {} : { network }),
    failures: count,
    lastFailure: new Date(now - ageMs).toISOString(),
    waitSeconds: Math.max(0, delayMs(by, count) - ageMs) / 1000,
  }));
  return { limits: limits.toSorted(byWait), logins: logins.toSorted(byWait) };
}

function byWait(left: { readonly waitSeconds: number }, right: { readonly waitSeconds: number }): number {
  return right.waitSeconds - left.waitSeconds;
}

/** What the query parameters of a question about one request mean. */
export const stateQuery = {
  subject: 'user:NAME, robot:NAME, workload:NAME or anonymous; required',
  count: 'pull, push or token; required',
  repository: 'where; without it limits per repository come without a state',
  address: 'where from; without it limits per address come without a state',
};

/** Nothing is counted. */
export async function lookAtLimits(
  { limits }: LimitParts,
  policy: CompiledPolicy,
  query: URLSearchParams,
): Promise<LimitStates | { readonly status: 400 | 404; readonly detail: string }> {
  const counted = (['pull', 'push', 'token'] as const).find((each) => each === query.get('count'));
  if (counted === undefined) return { status: 400, detail: 'count: expected pull, push or token' };
  const named = parseNamed(query.get('subject') ?? '');
  if (named === undefined) {
    return { status: 400, detail: 'subject: expected user:NAME, robot:NAME, workload:NAME or anonymous' };
  }
  const subject = formatSubject(named);
  const principal = principalIn(policy.policy, named);
  if (principal === undefined) {
    return { status: 404, detail: `${subject} is unknown to the policy in force, or disabled there` };
  }
  const repository = query.get('repository') ?? undefined;
  const address = query.get('address') ?? undefined;
  const isGiven = { account: true, address: address !== undefined, repository: repository !== undefined };
  const spender = { principal, address, ...(repository === undefined ? {} : { repository }) };
  const states = new Map((await limits.look(policy, counted, spender)).map((state) => [state.limit.name, state]));
  const views = policy.limitsOf(principal, counted).map((each) => {
    const state = isGiven[countedPer(each, principal)] ? states.get(each.name) : undefined;
    return { ...limitView(each), ...(state === undefined ? {} : spentView(state)) };
  });
  return { subject, limits: views };
}

function parseNamed(subject: string): Named | undefined {
  if (subject === 'anonymous') return { kind: 'anonymous' };
  const colon = subject.indexOf(':');
  const kind = (['user', 'robot', 'workload'] as const).find((each) => each === subject.slice(0, colon));
  return kind === undefined ? undefined : { kind, name: subject.slice(colon + 1) };
}

function limitView({ name, mode, count, per, rate, burst }: Limit): z.infer<typeof limit> {
  return { name, mode, count, per, rate: formatRate(rate), burst };
}

function spentView({ source, remaining, waitSeconds, fullSeconds }: LimitState): z.infer<typeof spent> {
  return { source, remaining, waitSeconds, fullSeconds };
}
