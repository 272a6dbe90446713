/** Whether the registry behind answers, asked again and again. */
import type { OperatorLog } from '../adapters/log/log.ts';
import type { Registry, RegistryHealth } from '../ports.ts';
import type { Part } from './readiness.ts';

const probeMs = 5000;
/** How long the start waits to hear of the registry. The gateway serves without as well. */
const firstProbeMs = 2000;

/** Resolves with the first answer, or without one. `url`: for the log. */
export async function followRegistry(
  registry: Pick<Registry, 'ping'>,
  { url, log }: { readonly url: string; readonly log: OperatorLog },
): Promise<{ readonly part: Part; close(): void }> {
  let health: RegistryHealth = await registry.ping(firstProbeMs);
  if (!health.ok)
    log.warn('the registry behind the gateway does not answer yet', { upstream: url, detail: health.detail });
  const timer = setInterval(
    () => void registry.ping(probeMs - 500).then((latest) => (health = latest)),
    probeMs,
  ).unref();
  return { part: { name: 'upstream', health: () => health }, close: () => clearInterval(timer) };
}
