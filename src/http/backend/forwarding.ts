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
  /** Of `upstream_broken`: the connection was lost on the way. */
  readonly isLost?: boolean;
}

/** What went wrong at the registry, in a word for figures. */
export type UpstreamError = 'refused' | 'timeout' | 'reset' | 'broken' | 'login';

/** undefined where nothing did; what a registry answers is none, whatever it says. */
export function upstreamErrorOf({
  outcome,
  isLost,
}: Pick<Forwarding, 'outcome' | 'isLost'>): UpstreamError | undefined {
  switch (outcome) {
    case 'upstream_unreachable':
      return 'refused';
    case 'upstream_timeout':
      return 'timeout';
    case 'upstream_broken':
      return isLost === true ? 'reset' : 'broken';
    case 'upstream_login_failed':
      return 'login';
    default:
      return undefined;
  }
}

/** The same for the log. */
export function forwarded({ status, outcome, bytes, digest, detail, cache }: Forwarding): Partial<AuditRecord> {
  const known = { status, bytes, detail, cache, ...(digest === undefined ? {} : { digest }) };
  return outcome === 'complete' ? known : { ...known, decision: 'error', reason: outcome };
}
