/** Limits and failed logins. */
import { z } from 'zod';
import type { Upstreams } from '../distribution/upstreams.ts';
import { type LimitState, type Limits, countedPer, stateOfCounter } from '../limits/spend.ts';
import type { CompiledPolicy } from '../policy/evaluate.ts';
import { type Limit, type Named, formatSubject } from '../policy/model.ts';
import { principalIn } from '../policy/principal.ts';
import { formatRate } from '../policy/rate.ts';
import type { Clock, FailedLogins, RateLimiter } from '../ports.ts';
import { delayMs } from '../identity/login-delays.ts';
import { type LimitList, type LimitStates, type LimitView, type SpentView, limitList, limitStates } from './answers.ts';
import { type Operation, type Outcome, instant, operation } from './operation.ts';
import { spelled } from './spelled.ts';

export interface LimitParts {
  readonly policy: () => { readonly compiled: CompiledPolicy };
  readonly clock: Clock;
  readonly limits: Pick<Limits, 'look'>;
  readonly limiter: Pick<RateLimiter, 'owing'>;
  readonly failedLogins: Pick<FailedLogins, 'worst'>;
  readonly upstreams: Pick<Upstreams, 'canonical'>;
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

const stateInput = z.object({
  subject: z.string({ error: expectedSubject() }).describe('user:NAME, robot:NAME, workload:NAME or anonymous'),
  count: z.enum(['pull', 'push', 'token'], { error: 'expected pull, push or token' }),
  repository: z.string().optional().describe('where; without it limits per repository come without a state'),
  address: z.string().optional().describe('where from; without it limits per address come without a state'),
});

function expectedSubject(): string {
  return 'expected user:NAME, robot:NAME, workload:NAME or anonymous';
}

/** Nothing is counted. */
async function lookAtLimits(
  { limits, upstreams }: LimitParts,
  policy: CompiledPolicy,
  { subject: asked, count, repository: named, address }: z.output<typeof stateInput>,
): Promise<Outcome<LimitStates>> {
  const who = parseNamed(asked);
  if (who === undefined) return { ok: false, reason: 'invalid', detail: `subject: ${expectedSubject()}` };
  const subject = formatSubject(who);
  const principal = principalIn(policy.policy, who);
  if (principal === undefined) {
    return { ok: false, reason: 'unknown', detail: `${subject} is unknown to the policy in force, or disabled there` };
  }
  const repository = named === undefined ? undefined : spelled(upstreams, named);
  const isGiven = { account: true, address: address !== undefined, repository: repository !== undefined };
  const looked = await limits.look(policy, count, { principal, address, repository });
  const states = new Map(looked.map((state) => [state.limit.name, state]));
  const views = policy.limitsOf(principal, count).map((each) => {
    const state = isGiven[countedPer(each, principal)] ? states.get(each.name) : undefined;
    return { ...limitView(each), ...(state === undefined ? {} : spentView(state)) };
  });
  return { ok: true, answer: { subject, limits: views } };
}

function parseNamed(subject: string): Named | undefined {
  if (subject === 'anonymous') return { kind: 'anonymous' };
  const colon = subject.indexOf(':');
  const kind = (['user', 'robot', 'workload'] as const).find((each) => each === subject.slice(0, colon));
  return kind === undefined ? undefined : { kind, name: subject.slice(colon + 1) };
}

/** As a policy file writes it. */
export function limitView({ name, mode, count, per, rate, burst }: Limit): LimitView {
  return { name, mode, count, per, rate: formatRate(rate), burst };
}

/** What is left of it. */
export function spentView({ source, remaining, waitSeconds, fullSeconds }: LimitState): SpentView {
  return { source, remaining, waitSeconds, fullSeconds };
}

export const limitsNear = operation<LimitParts>()({
  method: 'GET',
  path: '/limits',
  summary: 'Budgets with at most a fifth left, and whoever failed to log in often; the longest wait first.',
  needs: 'inspect',
  input: z.object({}),
  answer: limitList,
  async run(parts) {
    const answer = await listLimits(parts, parts.policy().compiled, parts.clock());
    const detail = 'the store of limits and failed logins cannot be reached';
    return answer === undefined ? { ok: false, reason: 'unavailable', detail } : { ok: true, answer };
  },
});

export const limitOperations: readonly Operation<LimitParts>[] = [
  limitsNear,
  operation<LimitParts>()({
    method: 'GET',
    path: '/limits/state',
    summary: 'The limits that apply to a request, and what is left of them; nothing is counted.',
    needs: 'inspect',
    input: stateInput,
    answer: limitStates,
    run: (parts, _viewer, input) => lookAtLimits(parts, parts.policy().compiled, input),
  }),
];
