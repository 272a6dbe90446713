/** How a request that went to the registry ended. */
import type { AuditRecord } from '../../ports.ts';

export interface Forwarding {
  /** What the client was told; for a cut transfer the status that was already sent. */
  readonly status: number;
  readonly outcome:
    | 'complete'
    | 'client_gone'
    | 'client_timeout'
    | 'gateway_stopped'
    | 'upstream_unreachable'
    | 'upstream_timeout'
    | 'upstream_broken'
    | 'upstream_login_failed'
    | 'upstream_limited'
    | 'gateway_no_memory'
    | 'marks_unavailable';
  readonly bytes: number;
  readonly digest: string | undefined;
  readonly detail?: string | undefined;
  /** Where memory answered. */
  readonly cache?: 'hit' | 'confirmed' | 'stale';
}

/** The same for the log. */
export function forwarded({ status, outcome, bytes, digest, detail, cache }: Forwarding): Partial<AuditRecord> {
  const known = { status, bytes, detail, cache, ...(digest === undefined ? {} : { digest }) };
  return outcome === 'complete' ? known : { ...known, decision: 'error', reason: outcome };
}
