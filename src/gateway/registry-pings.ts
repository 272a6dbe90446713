/** Asks a registry once by the gateway's own login, as the gateway would, and closes what that opened. */
import type { OperatorLog } from '../adapters/log/log.ts';
import type { UpstreamTerms } from '../config/upstreams.ts';
import { createBackend } from '../http/backend/backend.ts';
import { createMemoryBudget } from '../limits/memory-budget.ts';
import { loginAt } from './upstream-login.ts';

/** Never rejects; `detail` says why it does not work. */
export async function pingByLogin(
  upstream: UpstreamTerms,
  publicUrl: string,
  withinMs: number,
): Promise<{ readonly ok: boolean; readonly detail: string }> {
  let said = '';
  const silent: OperatorLog = {
    info: () => undefined,
    warn: () => undefined,
    error: (_message, facts) => void (said = typeof facts?.['detail'] === 'string' ? facts['detail'] : said),
  };
  try {
    const { url, timeouts } = upstream;
    const contentMemory = createMemoryBudget({ total: 0, each: 0 });
    const backend = createBackend({
      ...timeouts,
      url,
      publicUrl,
      askMs: withinMs,
      contentMemory,
      ...loginAt(upstream, silent),
    });
    const health = await backend.ping(withinMs);
    backend.close();
    return { ok: health.ok, detail: said === '' && !health.ok ? health.detail : said };
  } catch (error) {
    return { ok: false, detail: error instanceof Error ? error.message : String(error) };
  }
}
