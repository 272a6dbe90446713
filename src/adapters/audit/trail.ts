/** What audit files say, newest first: a stream of what is asked for, and a page of it that takes a bounded time. */
import { type Question, matches, mayMatch } from '../../audit/question.ts';
import type { ReadRecord } from '../../audit/read-line.ts';
import { recordIn } from '../../audit/read-line.ts';
import type { AuditTrail, TrailPlace } from '../../ports/audit.ts';
import type { Clock } from '../../ports.ts';
import { type AuditLine, type Reading, auditLines, listAuditFiles, timeIn, timeOnDay } from '../files/audit-files.ts';

/** Lines of a moment may stand behind each other the wrong way round; beyond this all are older. */
const disorderMs = 600_000;
/** Bytes of files that one page looks at. */
const pageBytes = 32 * 1024 * 1024;
/** Bytes of records on one page: a few of the longest, thousands of the usual. */
const givenBytes = 1024 * 1024;

interface FoundLine {
  readonly line: AuditLine;
  /** undefined for what was not asked for. */
  readonly record: ReadRecord | undefined;
}

/** All lines, in batches, with those that are asked for read. Rejects as `auditLines` does. */
export async function* linesAsked(
  directory: string,
  question: Question,
  reading: Omit<Reading, 'order'>,
): AsyncGenerator<readonly FoundLine[]> {
  const isWorthParsing = mayMatch(question);
  const { since } = reading;
  const from = since === undefined ? '' : new Date(since).toISOString();
  const end = since === undefined ? '' : new Date(since - disorderMs).toISOString();
  for await (const lines of auditLines(directory, { ...reading, order: 'newest' })) {
    yield lines.map((line) => {
      const isNew = isWorthParsing(line.bytes) && (timeIn(line.bytes) ?? '~') >= from;
      const record = isNew ? recordIn(line.bytes) : undefined;
      return { line, record: record !== undefined && matches(question, record) ? record : undefined };
    });
    if ((timeOnDay(lines.at(-1)) ?? '~') < end) return;
  }
}

/** Of the files of all gateways that share the directory; those that are packed are only named. */
export function createAuditTrail(directory: string, clock: Clock): AuditTrail {
  return {
    async page(question, { since, limit, place, isWanted }) {
      const asOf = place?.asOf ?? new Date(clock()).toISOString();
      let day = place?.day ?? '';
      let ends: Record<string, number> = { ...place?.ends };
      const records: ReadRecord[] = [];
      let looked = 0;
      let given = 0;
      const here = (): TrailPlace => ({ asOf, day, ends });
      const reading: Omit<Reading, 'order'> = {
        since,
        until: day === '' ? undefined : Date.parse(day),
        endOf: (file) => (file.day === place?.day ? place.ends[file.instance] : undefined),
        isPlainOnly: true,
      };
      for await (const lines of linesAsked(directory, question, reading)) {
        for (const { line, record } of lines) {
          if (line.file.day !== day) [day, ends] = [line.file.day, {}];
          ends[line.file.instance] = line.start ?? 0;
          looked += line.bytes.length;
          // What came since the first page belongs in front of it.
          if (record === undefined || (timeIn(line.bytes) ?? '') > asOf) continue;
          records.push(record);
          given += line.bytes.length;
          if (records.length === limit || given > givenBytes) return { records, next: here(), packed: [] };
        }
        if (looked > pageBytes || !isWanted()) return { records, next: here(), packed: [] };
      }
      return { records, next: undefined, packed: await packedSince(directory, since) };
    },
  };
}

async function packedSince(directory: string, since = 0): Promise<readonly string[]> {
  const first = new Date(since).toISOString().slice(0, 10);
  const files = await listAuditFiles(directory);
  return files.filter(({ day, isPacked }) => isPacked && day >= first).map(({ name }) => name);
}
