/** Where a chain stands that an earlier process wrote: the end of its newest file, read and checked. */
import { type Tip, beginning, hashOf, headOf } from '../../audit/chain.ts';
import { isEvent } from '../../audit/read-line.ts';
import { type AuditFile, type AuditLine, linesOf, listAuditFiles } from '../files/audit-files.ts';

export interface Resumed {
  readonly tip: Tip;
  /** The newest file, where it can be written on; undefined for none. */
  readonly file: AuditFile | undefined;
  /** It does not end with a line end. */
  readonly isTorn: boolean;
  /** What the next line is to say of the end that was found, as fields; undefined after a sound one. */
  readonly remark: Readonly<Record<string, unknown>> | undefined;
}

const nothing: Resumed = { tip: beginning, file: undefined, isTorn: false, remark: undefined };

/** Lines of its end that are checked against each other. */
const maxChecked = 2000;

/** Rejects when the directory or the file cannot be read. */
export async function resumeChain(directory: string, instance: string): Promise<Resumed> {
  const newest = (await listAuditFiles(directory)).filter((file) => file.instance === instance).at(-1);
  if (newest === undefined) return nothing;
  const lines = await lastLines(newest);
  const [last, ...before] = lines;
  const file = newest.isPacked ? undefined : newest;
  if (last === undefined) return { ...(await previous(directory, newest)), file };
  if (!last.isWhole) {
    // A whole line whose end is missing is none that could be told from half of one.
    const whole = before[0] === undefined ? beginning : tipOf(before[0]);
    const hash = hashOf(last.bytes);
    const remark = { reason: 'torn_line', torn: last.bytes.length, after: whole?.hash ?? '' };
    return { tip: { seq: (whole?.seq ?? 0) + 1, hash }, file, isTorn: true, remark };
  }
  const tip = tipOf(last) ?? { seq: 0, hash: hashOf(last.bytes) };
  if (!areChained(lines)) return { tip, file, isTorn: false, remark: { reason: 'chain_broken' } };
  const isClosed = isEvent(last.bytes, 'checkpoint');
  return { tip, file, isTorn: false, remark: isClosed ? undefined : { reason: 'not_closed' } };
}

/** An empty file, as a full disk leaves it: the one before says where the chain stands. */
async function previous(directory: string, empty: AuditFile): Promise<Resumed> {
  const earlier = (await listAuditFiles(directory)).filter(
    ({ instance, day }) => instance === empty.instance && day < empty.day,
  );
  for (const file of earlier.reverse()) {
    const [last] = await lastLines(file);
    if (last !== undefined) return { ...nothing, tip: tipOf(last) ?? { seq: 0, hash: hashOf(last.bytes) } };
  }
  return nothing;
}

/** Newest first. */
async function lastLines(file: AuditFile): Promise<readonly AuditLine[]> {
  const lines: AuditLine[] = [];
  for await (const batch of linesOf(file, 'newest')) {
    lines.push(...batch);
    if (lines.length >= maxChecked) break;
  }
  return lines.slice(0, maxChecked);
}

function tipOf({ bytes }: AuditLine): Tip | undefined {
  const head = headOf(bytes);
  return head === undefined ? undefined : { seq: head.seq, hash: hashOf(bytes) };
}

/** Newest first. */
function areChained(lines: readonly AuditLine[]): boolean {
  return lines.every(({ bytes }, index) => {
    const before = lines[index + 1];
    const head = headOf(bytes);
    return head !== undefined && (before === undefined || head.prev === hashOf(before.bytes));
  });
}
