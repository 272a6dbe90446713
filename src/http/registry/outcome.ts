/** What becomes of a request below `/v2`, as a value: what this gateway answers itself is sent once, at the end. */
import type { AuditRecord } from '../../ports.ts';
import { type Forwarding, forwarded } from '../backend/forwarding.ts';
import { type Answer, type UpstreamFailure, upstreamFailed } from '../front/respond.ts';

export interface Outcome {
  /** undefined: a reply of the registry has gone out, or nobody waits for one. */
  readonly answer?: Answer;
  readonly record: Partial<AuditRecord>;
}

/** The registry had it. */
export function passedOn(forwarding: Forwarding): Outcome {
  return { record: forwarded(forwarding) };
}

/** An answer of our own that is no refusal. */
export function answered(answer: Answer): Outcome {
  return { answer, record: {} };
}

/** The request itself cannot be. */
export function denied(answer: Answer, reason: string): Outcome {
  return { answer, record: { decision: 'deny', reason } };
}

/** Nothing can be said, since the registry did not say what it hangs on. */
export function unanswerable(reason: UpstreamFailure): Outcome {
  return { answer: upstreamFailed(reason), record: { decision: 'error', reason: `upstream_${reason}` } };
}

export const clientGone: Outcome = { record: { decision: 'error', reason: 'client_gone', status: 499 } };
