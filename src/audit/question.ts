/** Which records somebody asks for. */
import type { ReadRecord } from './read-line.ts';

type Field = 'account' | 'kind' | 'action' | 'decision' | 'reason';

/** What each field is to be, one of several words; a test where that does not do. */
export interface Question {
  readonly words: Readonly<Partial<Record<Field, readonly string[]>>>;
  readonly repository?: ((name: string) => boolean) | undefined;
  readonly address?: ((address: string) => boolean) | undefined;
}

/**
 * Whether the bytes of a line may hold what is asked for: most lines are not worth parsing. Only words that JSON writes as
 * they are can be looked for.
 */
export function mayMatch({ words }: Question): (line: Buffer) => boolean {
  const sought = Object.values(words)
    .filter((some) => some.every((word) => /^[A-Za-z0-9_.:@/-]+$/.test(word)))
    .map((some) => some.map((word) => Buffer.from(`"${word}"`)));
  return (line) => sought.every((some) => some.some((word) => line.includes(word)));
}

/** Whether a record is asked for. A line about the files themselves is not, nor one that only says what was about to be done. */
export function matches(question: Question, record: ReadRecord): boolean {
  return typeof record['decision'] === 'string' && record['event'] !== 'intent' && fits(question, record);
}

/** Whether a line of any kind says what is asked for. */
export function fits({ words, repository, address }: Question, record: ReadRecord): boolean {
  for (const [field, some] of Object.entries(words)) {
    const found = record[field];
    if (typeof found !== 'string' || !some.includes(found)) return false;
  }
  const [name, from] = [record['repository'], record['address']];
  if (repository !== undefined && !(typeof name === 'string' && repository(name))) return false;
  return address === undefined || (typeof from === 'string' && address(from));
}

/** Columns of a table, in their order. */
export const columns = [
  ...['time', 'instance', 'event', 'decision', 'reason', 'kind', 'account', 'method', 'action', 'repository'],
  ...['reference', 'digest', 'status', 'address', 'userAgent', 'rule', 'requestId', 'bytes', 'durationMs', 'detail'],
] as const;

/**
 * RFC 4180, without its line end. A text that a spreadsheet would take for a formula begins with an apostrophe: clients
 * choose some of them.
 */
export function csvLine(record: ReadRecord): string {
  return columns.map((column) => csvField(record[column])).join(',');
}

function csvField(value: unknown): string {
  if (value === undefined || value === null) return '';
  if (typeof value === 'number') return String(value);
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  const harmless = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(harmless) ? `"${harmless.replaceAll('"', '""')}"` : harmless;
}

/** One line for a person. */
export function sentenceOf(record: ReadRecord): string {
  const text = (field: string): string => (typeof record[field] === 'string' ? record[field] : '');
  const who = text('account') === '' ? text('kind') || '-' : `${text('kind') || 'user'}:${text('account')}`;
  const [reference, digest] = [text('reference'), text('digest')];
  const decider = text('reason') === 'gate_refused' ? text('gate') : text('rule');
  // A tag, a digest, or the step of an upload.
  const joined = reference.includes(' ') ? ` (${reference})` : `${reference.includes(':') ? '@' : ':'}${reference}`;
  const what = `${text('repository')}${reference === '' ? digest && `@${digest.slice(0, 19)}` : joined}`;
  const did = [text('action') || text('event'), what].filter((part) => part !== '').join(' ');
  const why = [text('reason'), decider].filter((part) => part !== '').join(': ');
  return [text('time').slice(0, 19), text('decision'), who, did, `(${why})`, text('address')].join('  ').trimEnd();
}
