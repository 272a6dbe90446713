/** How a registry is. */
import type { RegistryHealth } from '../../ports.ts';
import type { Ask } from './questions.ts';

/** Whether the registry answers at all. `isOpenToAll`: it lets in by the gateway's own login whoever has none. */
export async function ping(
  ask: Ask,
  withinMs: number | undefined,
  isOpenToAll: () => boolean,
): Promise<RegistryHealth> {
  const begun = Date.now();
  const asked = await ask('GET', '/v2/', { withinMs });
  if ('failed' in asked)
    return { ok: false, detail: asked.failed === 'login_failed' ? asked.detail : `${asked.failed}: ${asked.detail}` };
  if (asked.status === 200 || (asked.status === 401 && isOpenToAll()))
    return { ok: true, clockAheadMs: aheadOf(asked.headers.date, begun) };
  const detail =
    asked.status === 401
      ? 'the registry has access control of its own (401); Portcullis needs it open and reachable only from here'
      : `GET /v2/ answers ${asked.status}`;
  return { ok: false, detail };
}

/** Of whoever wrote this `Date`, in whole seconds, about half of the way there and back. */
function aheadOf(date: string | undefined, begun: number): number | undefined {
  const written = Date.parse(date ?? '');
  return Number.isNaN(written) ? undefined : (begun + Date.now()) / 2 - (written + 500);
}
