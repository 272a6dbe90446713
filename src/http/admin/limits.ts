/** Limits and failed logins. */
import { type LimitState, type Limits, countedPer, stateOfCounter } from '../../limits/spend.ts';
import type { CompiledPolicy } from '../../policy/evaluate.ts';
import { type Limit, type Named, formatSubject } from '../../policy/model.ts';
import { principalIn } from '../../policy/principal.ts';
import { formatRate } from '../../policy/rate.ts';
import type { Clock, FailedLogins, RateLimiter } from '../../ports.ts';
import { delayMs } from '../../identity/login-delays.ts';
import {
  type LimitList,
  type LimitStates,
  type LimitView,
  type SpentView,
  limitList,
  limitStates,
} from './admin-types.ts';
import { type Operation, type Result, instant } from './operation.ts';

export interface LimitParts {
  readonly policy: () => { readonly compiled: CompiledPolicy };
  readonly clock: Clock;
  readonly limits: Pick<Limits, 'look'>;
  readonly limiter: Pick<RateLimiter, 'owing'>;
  readonly failedLogins: Pick<FailedLogins, 'worst'>;
}

/** The part of a burst that may be left of a budget that is listed. */
const listedPart = 0.2;
/** Characters of an account name that is listed: no valid one is longer. */
const maxAccountLength = 128;

/** The longest wait first; undefined when the store is away. */
async function listLimits(
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
    account: account?.slice(0, maxAccountLength),
    network,
    failures: count,
    lastFailure: instant(now - ageMs),
    waitSeconds: Math.max(0, delayMs(by, count) - ageMs) / 1000,
  }));
  return { limits: limits.toSorted(byWait), logins: logins.toSorted(byWait) };
}

function byWait(left: { readonly waitSeconds: number }, right: { readonly waitSeconds: number }): number {
  return right.waitSeconds - left.waitSeconds;
}

/** What the query parameters of a question about one request mean. */
const stateQuery = {
  subject: 'user:NAME, robot:NAME, workload:NAME or anonymous; required',
  count: 'pull, push or token; required',
  repository: 'where; without it limits per repository come without a state',
  address: 'where from; without it limits per address come without a state',
};

/** Nothing is counted. */
async function lookAtLimits({ limits }: LimitParts, policy: CompiledPolicy, query: URLSearchParams): Promise<Result> {
  const counted = (['pull', 'push', 'token'] as const).find((each) => each === query.get('count'));
  if (counted === undefined) return { ok: false, reason: 'invalid', detail: 'count: expected pull, push or token' };
  const named = parseNamed(query.get('subject') ?? '');
  const expected = 'subject: expected user:NAME, robot:NAME, workload:NAME or anonymous';
  if (named === undefined) return { ok: false, reason: 'invalid', detail: expected };
  const subject = formatSubject(named);
  const principal = principalIn(policy.policy, named);
  if (principal === undefined) {
    return { ok: false, reason: 'unknown', detail: `${subject} is unknown to the policy in force, or disabled there` };
  }
  const repository = query.get('repository') ?? undefined;
  const address = query.get('address') ?? undefined;
  const isGiven = { account: true, address: address !== undefined, repository: repository !== undefined };
  const looked = await limits.look(policy, counted, { principal, address, repository });
  const states = new Map(looked.map((state) => [state.limit.name, state]));
  const views = policy.limitsOf(principal, counted).map((each) => {
    const state = isGiven[countedPer(each, principal)] ? states.get(each.name) : undefined;
    return { ...limitView(each), ...(state === undefined ? {} : spentView(state)) };
  });
  const body: LimitStates = { subject, limits: views };
  return { ok: true, body };
}

function parseNamed(subject: string): Named | undefined {
  if (subject === 'anonymous') return { kind: 'anonymous' };
  const colon = subject.indexOf(':');
  const kind = (['user', 'robot', 'workload'] as const).find((each) => each === subject.slice(0, colon));
  return kind === undefined ? undefined : { kind, name: subject.slice(colon + 1) };
}

function limitView({ name, mode, count, per, rate, burst }: Limit): LimitView {
  return { name, mode, count, per, rate: formatRate(rate), burst };
}

function spentView({ source, remaining, waitSeconds, fullSeconds }: LimitState): SpentView {
  return { source, remaining, waitSeconds, fullSeconds };
}

export const limitOperations: readonly Operation<LimitParts>[] = [
  {
    method: 'GET',
    path: '/api/v1/limits',
    summary: 'Budgets with at most a fifth left, and whoever failed to log in often; the longest wait first.',
    answer: limitList,
    run: async (parts) => {
      const body = await listLimits(parts, parts.policy().compiled, parts.clock());
      const detail = 'the store of limits and failed logins cannot be reached';
      return body === undefined ? { ok: false, reason: 'unavailable', detail } : { ok: true, body };
    },
  },
  {
    method: 'GET',
    path: '/api/v1/limits/state',
    summary: 'The limits that apply to a request, and what is left of them; nothing is counted.',
    query: stateQuery,
    answer: limitStates,
    run: (parts, { query }) => lookAtLimits(parts, parts.policy().compiled, query),
  },
];
