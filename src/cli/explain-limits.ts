/** The limits that apply to a question, with what the running gateway says is left of them. */
import { type LimitStates, limitStates } from '../http/admin/admin-types.ts';
import { countedPer } from '../limits/spend.ts';
import type { PolicyByName } from '../policy/by-name.ts';
import type { Inquiry } from '../policy/analysis/consider.ts';
import { type Action, type Counted, type Limit, formatSubject } from '../policy/model.ts';
import { formatRate } from '../policy/rate.ts';
import { callAdmin } from './admin-client.ts';
import { readConfiguration } from './configuration.ts';

export interface ApplyingLimits {
  readonly limits: readonly { readonly limit: Limit; readonly state: BudgetState | undefined }[];
  /** Why states are missing, in words. */
  readonly notes: readonly string[];
}

export interface BudgetState {
  /** An account, an address or /64, a repository. */
  readonly source: string;
  readonly remaining: number;
  readonly waitSeconds: number;
  readonly fullSeconds: number;
}

/** An explanation waits no longer than this for a gateway. */
const timeoutMs = 1000;

/** `about`: why a running gateway cannot know, other policies or another time. What cannot be known is noted. */
export async function applyingLimits(
  compiled: PolicyByName,
  inquiry: Inquiry,
  about: { readonly otherPolicies: boolean; readonly otherTime: boolean },
): Promise<ApplyingLimits> {
  const counted = countedBy(inquiry.action);
  const limits = counted === undefined ? [] : compiled.limitsOf(inquiry.principal, counted);
  if (counted === undefined || limits.length === 0) return { limits: [], notes: [] };
  const without = (why: string): ApplyingLimits => ({
    limits: limits.map((limit) => ({ limit, state: undefined })),
    notes: [why],
  });
  if (inquiry.principal.kind === 'group') return without('a group has no budget of its own: ask about a member');
  if (about.otherPolicies) return without('what is left is known of the configured policies only, not of --policies');
  if (about.otherTime) return without('what is left is known for now only, not for --at');
  const answer = await ask(inquiry, counted);
  if ('why' in answer) return without(`what is left is not known: ${answer.why}`);
  const notes = new Set<string>();
  const found = limits.map((limit) => {
    const there = answer.limits.find((each) => isSame(each, limit));
    if (there === undefined) notes.add('the running gateway has other limits: it has not read these files yet');
    const { source, remaining, waitSeconds, fullSeconds } = there ?? {};
    if (source === undefined || remaining === undefined || waitSeconds === undefined || fullSeconds === undefined) {
      const isByAddress = there !== undefined && countedPer(limit, inquiry.principal) === 'address';
      if (isByAddress) notes.add('what is left for an address: ask with --address');
      return { limit, state: undefined };
    }
    return { limit, state: { source, remaining, waitSeconds, fullSeconds } };
  });
  return { limits: found, notes: [...notes] };
}

function countedBy(action: Action): Counted | undefined {
  if (action === 'pull') return 'pull';
  return action === 'push' || action === 'create' || action === 'overwrite' ? 'push' : undefined;
}

function isSame(there: LimitStates['limits'][number], { name, mode, per, rate, burst }: Limit): boolean {
  return (
    there.name === name &&
    there.mode === mode &&
    there.per === per &&
    there.rate === formatRate(rate) &&
    there.burst === burst
  );
}

async function ask(
  { principal, repository, address }: Inquiry,
  count: Counted,
): Promise<LimitStates | { readonly why: string }> {
  const configuration = readConfiguration();
  if (!configuration.ok) return { why: 'the configuration cannot be read' };
  const subject = principal.kind === 'group' ? '' : formatSubject(principal);
  const query = new URLSearchParams({ subject, count, repository });
  if (address !== undefined) query.set('address', address);
  const reply = await callAdmin(configuration.config, 'GET', `/limits/state?${query.toString()}`, timeoutMs);
  if (!reply.ok) return { why: reply.message };
  const read = limitStates.safeParse(reply.body);
  return read.success ? read.data : { why: 'the admin listener answers in another way than expected' };
}
