/** What passes is remembered for people to look at, beside being counted and logged. */
import type { AuditRecord, Clock, Minutes, Recent } from '../ports.ts';
import type { Observed } from './observed.ts';

/** The same, and each record and answer is noted as well. Nothing of that is worth naming on the way of a pull. */
export function remembering(observed: Observed, recent: Recent, minutes: Minutes, clock: Clock): Observed {
  const { audit, answers } = observed;
  return {
    ...observed,
    audit: {
      ...audit,
      record(record) {
        audit.record(record);
        const now = clock();
        if (!isLooking(record)) recent.note(record, now);
        noteSent(minutes, record, now);
      },
    },
    answers: {
      ...answers,
      onAnswered(timing) {
        answers.onAnswered(timing);
        const { method, route, outcome, firstByteSeconds } = timing;
        const now = clock();
        minutes.note('request', now);
        const isManifest = method === 'GET' && outcome === 'ok' && route === 'manifest';
        if (isManifest && firstByteSeconds !== undefined) minutes.noteManifestPull(firstByteSeconds, now);
      },
    },
  };
}

/** Whoever looks at the activity does not see themselves looking. */
function isLooking({ route, decision, httpMethod }: AuditRecord): boolean {
  return (route === 'ui' || route === 'api') && decision === 'allow' && httpMethod === 'GET';
}

/** A challenge, which every login begins with, refuses nobody. */
function noteSent(minutes: Minutes, record: AuditRecord, now: number): void {
  const { event, decision, reason, action, repository, reference, status = 0, bytes = 0 } = record;
  if (decision === 'deny' && reason !== 'credentials_missing') minutes.note('refusal', now);
  if (event !== 'access' || decision !== 'allow' || action === 'push' || bytes === 0) return;
  // That there is no such tag is no pull, however often somebody asks.
  if (status >= 400) return;
  minutes.noteSent(repository, action === 'pull' && reference !== undefined ? 1 : 0, bytes, now);
}
