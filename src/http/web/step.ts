/** What a request for the page comes to, before it is sent and written down. */
import type { AuditRecord } from '../../ports.ts';
import type { Drawn } from './draw.ts';
import type { PageRefusal } from './refusals.ts';
import type { Visit } from './visit.ts';

/** What is written down beside who, where and when. */
export type StepRecord = Partial<AuditRecord> & Pick<AuditRecord, 'event' | 'decision' | 'reason'>;

/** A page, another page to go to, or a refusal. */
export type Step = { readonly record: StepRecord } & (
  | { readonly drawn: Drawn }
  /** `to`: of ours, or of an identity provider that the configuration names. */
  | { readonly to: string; readonly cookies: readonly string[] }
  | { readonly refusal: PageRefusal }
);

/** What is read by GET and is no page of an operation: a way of logging in, say. */
export interface Door {
  readonly path: string;
  /** How the login form offers it. */
  readonly offer?: string | undefined;
  open(visit: Visit, query: URLSearchParams): Promise<Step> | Step;
}

/** The refusal, and that it was one. */
export function refusing(refusal: PageRefusal, decision: AuditRecord['decision'] = 'deny'): Step {
  return { record: { event: refusal.status === 429 ? 'limit' : 'access', decision, reason: refusal.reason }, refusal };
}
