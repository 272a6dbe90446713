/** How the limits stand that apply to a question, as far as the running gateway tells. */
import { formatPlace } from '../policy/describe.ts';
import type { CompiledPolicy } from '../policy/evaluate.ts';
import type { Counted, GroupMember, Limit, Principal, Source } from '../policy/model.ts';
import { formatSubject } from '../policy/model.ts';
import { describeRate, describeWait, formatRate } from '../policy/rate.ts';
import type { LimitStateView } from '../http/admin-limits.ts';
import { callAdmin } from './admin-client.ts';
import { readConfiguration } from './configuration.ts';

export interface LimitStanding {
  readonly limit: Limit;
  /** Unknown without a gateway that runs on these policies. */
  readonly state: LimitStateView | undefined;
}

export interface Standings {
  readonly standings: readonly LimitStanding[];
  /** Why there is no state. */
  readonly unknown: string | undefined;
}

/** A command does not wait for a gateway that is not there. */
const withinMs = 1000;

/** `isConfigured`: the policies are those of the configuration, which a gateway may be running on. */
export async function limitStandings(
  compiled: CompiledPolicy,
  principal: Principal | GroupMember,
  counted: Counted | undefined,
  asked: { readonly repository: string; readonly address?: string | undefined },
  isConfigured: boolean,
): Promise<Standings> {
  const limits = counted === undefined ? [] : compiled.limitsOf(principal, counted);
  const without = (unknown: string): Standings => ({
    standings: limits.map((limit) => ({ limit, state: undefined })),
    unknown,
  });
  if (counted === undefined || limits.length === 0) return { standings: [], unknown: undefined };
  if (principal.kind === 'group') return without('a group alone has no budget');
  if (!isConfigured) return without('these are not the policies that a gateway runs on');
  const configuration = readConfiguration({ values: {} });
  if (!configuration.ok) return without('the configuration cannot be read');
  const query = new URLSearchParams({
    subject: formatSubject(principal),
    count: counted,
    repository: asked.repository,
  });
  if (asked.address !== undefined) query.set('address', asked.address);
  const reply = await callAdmin(configuration.config, 'GET', `/limits/state?${query.toString()}`, withinMs);
  if (!reply.ok) return without(reply.message);
  const { limits: states } = reply.body as { readonly limits: readonly LimitStateView[] };
  return {
    standings: limits.map((limit) => ({ limit, state: states.find(({ limit: name }) => name === limit.name) })),
    unknown: undefined,
  };
}

/** `pulls: 1000 per 6 hours per account, 997 left (policies/limits.yaml:3)`. */
export function describeStanding({ limit, state }: LimitStanding, place: (source: Source) => string): string {
  const { name, mode, rate, burst, per, source } = limit;
  const atOnce = burst === rate.amount ? '' : `, ${burst} at once`;
  const shadow = mode === 'shadow' ? ', in shadow mode' : '';
  const left =
    state === undefined
      ? ''
      : state.waitSeconds > 0
        ? `: none left, the next in ${describeWait(state.waitSeconds)}`
        : `: ${state.remaining} left`;
  return `${name}: ${describeRate(rate)} per ${per}${atOnce}${shadow}${left} ${place(source)}`;
}

export function standingToJson({ limit, state }: LimitStanding): unknown {
  const { name, mode, count, per, rate, burst, source } = limit;
  return {
    limit: name,
    mode,
    count,
    per,
    rate: formatRate(rate),
    burst,
    file: source.file,
    line: source.line,
    source: state?.source ?? null,
    remaining: state?.remaining ?? null,
    waitSeconds: state?.waitSeconds ?? null,
  };
}

export function placeOf(source: Source): string {
  return `(${formatPlace(source)})`;
}
