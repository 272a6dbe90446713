/** The readiness page: every part of the gateway that can be in trouble brings its own check. */
import { type Problem, onOneLine, formatProblem } from '../document/problem.ts';
import type { ReadinessCheck } from '../http/admin/admin.ts';
import type { OperatorLog } from '../adapters/log/log.ts';
import { frozenInWords } from '../policy/freezes.ts';
import type { RegistryHealth, RegistryProbe } from '../ports.ts';

interface Health {
  readonly ok: boolean;
  /** What there is to say, in words. */
  readonly detail?: string | undefined;
}

/** What the page has a line for. */
export interface Part {
  readonly name: string;
  /** Answered from memory. */
  readonly health: () => Health;
  /** In trouble it takes this replica out of service; never for what all replicas share. */
  readonly isVital?: true;
}

/** The lines of the page as of now, in the order of `parts`. */
export function checkAll(parts: readonly Part[]): readonly ReadinessCheck[] {
  return parts.map(({ name, health, isVital }) => {
    const { ok, detail } = health();
    const state = ok ? 'ok' : isVital ? 'failed' : 'degraded';
    return { name, state, detail: detail === undefined ? undefined : onOneLine(detail) };
  });
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

const probeMs = 5000;
/** How long the start waits to hear of the registry. The gateway serves without as well. */
const firstProbeMs = 2000;

/** Resolves with the first answer, or without one. `url`: for the log; `name`: for the page. */
export async function followRegistry(
  registry: RegistryProbe,
  { url, name, log }: { readonly url: string; readonly name: string; readonly log: OperatorLog },
): Promise<{ readonly part: Part; readonly clockAheadMs: () => number | undefined; close(): void }> {
  let health: RegistryHealth = await registry.ping(firstProbeMs);
  if (!health.ok)
    log.warn('the registry behind the gateway cannot be used yet', { upstream: url, detail: health.detail });
  const timer = setInterval(
    () => void registry.ping(probeMs - 500).then((latest) => (health = latest)),
    probeMs,
  ).unref();
  return {
    part: { name, health: () => (health.ok ? { ok: true } : health) },
    clockAheadMs: () => (health.ok ? health.clockAheadMs : undefined),
    close: () => clearInterval(timer),
  };
}
