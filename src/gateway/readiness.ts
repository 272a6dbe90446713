/** The readiness page: every part of the gateway that can be in trouble brings its own check. */
import { type Problem, escapeUnprintable, formatProblem } from '../document/problem.ts';
import type { ReadinessCheck } from '../http/admin/admin.ts';
import type { OperatorLog } from '../adapters/log/log.ts';
import { frozenInWords } from '../policy/freezes.ts';
import type { RegistryHealth, RegistryProbe } from '../ports.ts';
import type { Company } from './company.ts';

interface Health {
  readonly ok: boolean;
  /** What there is to say, in words. */
  readonly detail?: string | undefined;
  /** In trouble it takes this replica out of service; never for what all replicas share. */
  readonly isVital?: boolean;
}

/** What the page has a line for. */
export interface Part {
  readonly name: string;
  /** Answered from memory. */
  readonly health: () => Health;
}

/** The lines of the page as of now, in the order of `parts`. */
export function checkAll(parts: readonly Part[]): readonly ReadinessCheck[] {
  return parts.map(({ name, health }) => {
    const { ok, detail, isVital = false } = health();
    const state = ok ? 'ok' : isVital ? 'failed' : 'degraded';
    return { name, state, detail: detail === undefined ? undefined : onOneLine(detail) };
  });
}

/** Words of others, such as those of TLS, may have lines of their own, and would write lines of the page. */
function onOneLine(text: string): string {
  return escapeUnprintable(text.trim().replace(/\s*[\r\n]\s*/g, ' '));
}

/** A line for what rules forbid for some time only, while they do. `now` in milliseconds since 1970. */
export function frozenNow(policy: Parameters<typeof frozenInWords>[0], now: number): readonly Part[] {
  const detail = frozenInWords(policy, now);
  return detail === undefined ? [] : [{ name: 'freezes', health: () => ({ ok: true, detail }) }];
}

/** Of what is read from files again and again: `problems` are those of the newest ones, `kept` what goes on instead. */
export function lastGood(kept: string, problems: readonly Problem[], detail?: string): Health {
  return problems.length === 0
    ? { ok: true, detail }
    : { ok: false, detail: `the last good ${kept}; ${formatAll(problems)}` };
}

/** All problems on one line. */
export function formatAll(problems: readonly Problem[]): string {
  return problems.map((problem) => formatProblem(problem)).join(' | ');
}

/** `betterOff`: gateways that reach the registry, and all that this one reaches. */
function alone(detail: string, betterOff: number): Health {
  if (betterOff === 0) return { ok: false, detail };
  const who = betterOff === 1 ? 'another gateway reaches it' : `${betterOff} other gateways reach it`;
  return { ok: false, detail: `${detail}, for more than 30 s; ${who}, so this one leaves`, isVital: true };
}

interface Followed {
  readonly url: string;
  readonly name: string;
  readonly line: string;
  readonly log: OperatorLog;
  readonly company: Pick<Company, 'note' | 'betterOff'>;
}

const probeMs = 5000;
/** How long the start waits to hear of the registry. The gateway serves without as well. */
const firstProbeMs = 2000;

/** Resolves with the first answer, or without one. `url`: for the log; `line`: for the page; `name`: for other gateways. */
export async function followRegistry(
  registry: RegistryProbe,
  { url, name, line, log, company }: Followed,
): Promise<{ readonly part: Part; readonly clockAheadMs: () => number | undefined; close(): void }> {
  const ask = async (withinMs: number): Promise<RegistryHealth> => {
    const latest = await registry.ping(withinMs);
    company.note(name, latest.ok);
    return latest;
  };
  let health = await ask(firstProbeMs);
  if (!health.ok)
    log.warn('the registry behind the gateway cannot be used yet', { upstream: url, detail: health.detail });
  const timer = setInterval(() => void ask(probeMs - 500).then((latest) => (health = latest)), probeMs).unref();
  return {
    part: { name: line, health: () => (health.ok ? { ok: true } : alone(health.detail, company.betterOff(name))) },
    clockAheadMs: () => (health.ok ? health.clockAheadMs : undefined),
    close: () => clearInterval(timer),
  };
}
