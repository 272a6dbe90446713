/** Which limits a request draws on, what is left of them, and what to say about it. */
import { describeAmount, describePrincipal } from '../policy/describe.ts';
import type { CompiledPolicy } from '../policy/evaluate.ts';
import type { Counted, GroupMember, Limit, Named, Principal } from '../policy/model.ts';
import { describeWait } from '../policy/rate.ts';
import type { Balance, Budget, RateLimiter } from '../ports.ts';
import { clientNetwork } from './client-network.ts';
import { type Quota, owedOf, quotaOf, roomOf } from './gcra.ts';

export interface Spender {
  readonly principal: Principal;
  readonly address: string | undefined;
  /** Absent for a token request. */
  readonly repository?: string | undefined;
}

/** One limit as it stands for one spender. */
export interface LimitState {
  readonly limit: Limit;
  /** Whose budget it is: an account, an address or /64, a repository. */
  readonly source: string;
  readonly fits: boolean;
  readonly remaining: number;
  /** Seconds until one request fits (0 when one does) and until the budget is full. */
  readonly waitSeconds: number;
  readonly fullSeconds: number;
}

/** What one counted request did to the limits that apply to it. */
export interface Spending {
  readonly admitted: boolean;
  readonly states: readonly LimitState[];
}

export type Spent = 'counted' | 'refused' | 'would_refuse';

export interface Limits {
  /** Counts a request. Without limits that apply nothing is asked and everything is admitted. */
  spend(policy: CompiledPolicy, counted: Counted, spender: Spender): Promise<Spending>;
  /** The same states, nothing counted. */
  look(policy: CompiledPolicy, counted: Counted, spender: Spender): Promise<readonly LimitState[]>;
}

const unlimited: Spending = { admitted: true, states: [] };

/** `onSpent` hears what became of each limit that a request drew on. */
export function createLimits(
  limiter: Pick<RateLimiter, 'charge' | 'peek'>,
  onSpent: (limit: Limit, spent: Spent) => void = () => {},
): Limits {
  return {
    async spend(policy, counted, spender) {
      const draws = drawsOf(policy, counted, spender);
      if (draws.length === 0) return unlimited;
      const { admitted, balances } = await limiter.charge(draws);
      const states = statesOf(draws, balances);
      for (const { limit, fits } of states) {
        if (fits && admitted) onSpent(limit, 'counted');
        else if (!fits) onSpent(limit, limit.mode === 'shadow' ? 'would_refuse' : 'refused');
      }
      return { admitted, states };
    },
    async look(policy, counted, spender) {
      const draws = drawsOf(policy, counted, spender);
      return draws.length === 0 ? [] : statesOf(draws, await limiter.peek(draws));
    },
  };
}

interface Draw extends Budget {
  readonly limit: Limit;
  readonly source: string;
}

function drawsOf(policy: CompiledPolicy, counted: Counted, spender: Spender): readonly Draw[] {
  return policy.limitsOf(spender.principal, counted).map((limit) => {
    const { kind, source } = payer(limit, spender);
    return drawOf(limit, kind, source);
  });
}

/** What a limit is worth is the same for every request, as long as its policy is in force. */
const quotas = new WeakMap<Limit, Quota>();

function drawOf(limit: Limit, kind: string, source: string): Draw {
  const known = quotas.get(limit);
  const quota = known ?? quotaOf(limit.rate, limit.burst);
  if (known === undefined) quotas.set(limit, quota);
  const { intervalUs, burst } = quota;
  const isEnforced = limit.mode === 'enforce';
  return { counter: counterName(limit.name, kind, source), intervalUs, burst, isEnforced, limit, source };
}

function payer(limit: Limit, { principal, address, repository = '' }: Spender): { kind: string; source: string } {
  const per = countedPer(limit, principal);
  if (per === 'repository') return { kind: 'repository', source: repository };
  if (per === 'account' && 'name' in principal) return { kind: principal.kind, source: principal.name };
  return { kind: 'address', source: clientNetwork(address) };
}

/** What a budget of this limit belongs to: whoever has no account counts by address. */
export function countedPer({ per }: Limit, principal: Named | GroupMember): Limit['per'] {
  return per === 'account' && principal.kind === 'anonymous' ? 'address' : per;
}

/** Names of limits and sources hold no line break. */
function counterName(limit: string, kind: string, source: string): string {
  return `${limit}\n${kind}\n${source}`;
}

function statesOf(draws: readonly Draw[], balances: readonly Balance[]): readonly LimitState[] {
  const states: LimitState[] = [];
  for (let index = 0; index < draws.length; index++) {
    const [draw, balance] = [draws[index], balances[index]];
    if (draw !== undefined && balance !== undefined) states.push(stateOf(draw.limit, draw.source, balance));
  }
  return states;
}

function stateOf(limit: Limit, source: string, { fits, remaining, waitUs, debtUs }: Balance): LimitState {
  return { limit, source, fits, remaining, waitSeconds: waitUs / 1_000_000, fullSeconds: debtUs / 1_000_000 };
}

/** The limit that answers: among enforced ones the one to wait for longest, else the one with the least left. */
export function tightest(states: readonly LimitState[]): LimitState | undefined {
  let first: LimitState | undefined;
  for (const state of states)
    if (state.limit.mode === 'enforce' && (first === undefined || isTighter(state, first))) first = state;
  return first;
}

function isTighter(state: LimitState, than: LimitState): boolean {
  const difference =
    state.waitSeconds - than.waitSeconds ||
    than.remaining - state.remaining ||
    than.remaining / than.limit.burst - state.remaining / state.limit.burst;
  return difference > 0;
}

/** For the client, on one line: `user "dana" has used up 100 pulls per 6 hours (limit "pulls"); the next one is free in 3 minutes`. */
export function limitSentence(principal: Principal, { limit, source, waitSeconds }: LimitState): string {
  const who =
    limit.per === 'repository'
      ? `repository "${source}"`
      : limit.per === 'account' && 'name' in principal
        ? describePrincipal(principal)
        : `address ${source}`;
  const what = describeAmount(limit);
  const next = `the next one is free in ${describeWait(waitSeconds)}`;
  const sentence = `${who} has used up ${what} (limit "${limit.name}"); ${next}`;
  return sentence.length <= 200 ? sentence : `${who.slice(0, 80)} has used up ${what}; ${next}`;
}

/** A counter that owes much, as the limit it belongs to. undefined when the policy has no such limit any more. */
export function stateOfCounter(policy: CompiledPolicy, counter: string, debtUs: number): LimitState | undefined {
  const [name = '', kind = '', source = ''] = counter.split('\n');
  const limit = policy.policy.limits.find((each) => each.name === name);
  if (limit === undefined) return undefined;
  const budget = drawOf(limit, kind, source);
  const room = roomOf(debtUs, budget);
  return stateOf(limit, source, { fits: room.waitUs === 0, debtUs: owedOf(debtUs, budget), ...room });
}
