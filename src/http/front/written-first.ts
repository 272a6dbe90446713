/** What must be written down before it is done, where the configuration requires that. */
import type { AuditLog, AuditRecord } from '../../ports.ts';
import { type Answer, refusal } from './respond.ts';

/** In one word and in one sentence, wherever it is said. */
export const notWrittenDown = {
  reason: 'audit_unavailable',
  sentence: 'this cannot be written down at the moment, and is not done without; try again',
  seconds: 3,
} as const;

/** For clients of the registry, who try again later. */
export const notWrittenAnswer: Answer = refusal('UNAVAILABLE', notWrittenDown.sentence, {
  headers: { 'Retry-After': String(notWrittenDown.seconds) },
});

/** Whether it may be done now. `record`: what is known of it. */
export async function isWrittenFirst(audit: AuditLog, record: Partial<AuditRecord>): Promise<boolean> {
  if (audit.intend === undefined) return true;
  return audit.intend({ ...record, event: 'intent', decision: 'allow', reason: 'intended' });
}

/** As `isWrittenFirst`, of what somebody sends to `place`, such as `POST /ui/logout`, with what it is about as far as that says so. */
export async function isSentWritten(
  audit: AuditLog,
  record: Partial<AuditRecord>,
  place: string,
  { repository, tag, account, id }: Readonly<Record<string, unknown>>,
): Promise<boolean> {
  const about = [account, id].filter((each) => typeof each === 'string').join(' ');
  return isWrittenFirst(audit, {
    ...record,
    repository: typeof repository === 'string' ? repository : undefined,
    reference: typeof tag === 'string' ? tag : undefined,
    detail: `${place.slice(0, 200)}${about === '' ? '' : `: ${about}`}`,
  });
}
