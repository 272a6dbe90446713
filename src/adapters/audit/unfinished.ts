/** What gateways were about to do, and nobody knows whether they did: the newest of it, in bounded memory. */
import { type Question, fits } from '../../audit/question.ts';
import { OpenIntents, type Unfinished } from '../../audit/unfinished.ts';
import { type Reading, auditLines } from '../files/audit-files.ts';

export interface UnfinishedFound {
  /** Newest first. */
  readonly newest: readonly Unfinished[];
  /** How many there are before those. */
  readonly older: number;
}

const maxKept = 10_000;

/** Of the intents that fit. Rejects as `auditLines` does. */
export async function unfinishedIn(
  directory: string,
  question: Question,
  reading: Pick<Reading, 'since' | 'onUnreadable'>,
): Promise<UnfinishedFound> {
  const { since } = reading;
  const from = since === undefined ? '' : new Date(since).toISOString();
  const found: Unfinished[] = [];
  let older = 0;
  const keep = (what: Unfinished): void => {
    if (timeOf(what) < from || !fits(question, what.intent)) return;
    found.push(what);
    if (found.length < 2 * maxKept) return;
    older += maxKept;
    found.splice(0, maxKept);
  };
  const gateways = new Map<string, OpenIntents>();
  for await (const lines of auditLines(directory, { ...reading, order: 'oldest' })) {
    for (const { file, bytes } of lines) {
      const intents = gateways.get(file.instance) ?? new OpenIntents(keep);
      gateways.set(file.instance, intents);
      intents.give(bytes);
    }
  }
  for (const intents of gateways.values()) intents.end();
  found.sort((a, b) => (timeOf(a) < timeOf(b) ? 1 : -1));
  return { newest: found.slice(0, maxKept), older: older + Math.max(0, found.length - maxKept) };
}

function timeOf({ intent: { time } }: Unfinished): string {
  return typeof time === 'string' ? time : '';
}
