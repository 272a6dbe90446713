/** `portcullis audit query`: streams files from their end; one block of each file of a day is in memory. */
import { wordsOf } from '../adapters/failure.ts';
import { type AuditLine, auditLines, listAuditFiles, timeIn } from '../adapters/files/audit-files.ts';
import { type Question, type ReadRecord, columns, csvLine, matches, mayMatch, sentenceOf } from '../audit/question.ts';
import { parseNetwork } from '../config/values.ts';
import { escapeUnprintable } from '../document/problem.ts';
import { inNetworks } from '../policy/conditions.ts';
import { matchesRepository, parseRepositoryPattern } from '../policy/pattern.ts';
import { auditDirectory, parseSince, sinceProblem } from './audit-place.ts';
import { type ExitCode, complain, exitCodes } from './report.ts';
import { usageProblem } from './verb.ts';

export interface QueryOptions {
  readonly since?: string;
  readonly account?: string;
  readonly kind?: string;
  readonly repository?: string;
  readonly action?: string;
  readonly decision?: string;
  readonly reason?: string;
  readonly address?: string;
  readonly json?: boolean;
  readonly csv?: boolean;
}

const choices = {
  kind: ['user', 'robot', 'workload', 'anonymous'],
  decision: ['allow', 'deny', 'error'],
} as const;

/** 0 also when nothing is found; 1 when a file cannot be read to its end. */
export async function queryAudit(argument: string | undefined, options: QueryOptions): Promise<ExitCode> {
  const question = questionOf(options);
  if ('problem' in question) return usageProblem(question.problem);
  const since = options.since === undefined ? undefined : parseSince(options.since, Date.now());
  if (options.since !== undefined && since === undefined) return usageProblem(sinceProblem);
  const directory = auditDirectory(argument);
  if (typeof directory !== 'string') return directory;
  try {
    if ((await listAuditFiles(directory)).length === 0)
      return complain(`${directory} holds no audit files, such as 2026-11-26.gateway.jsonl`);
    const print = printer();
    if (options.csv === true) await print(`${columns.join(',')}\r\n`);
    await answer({ directory, since }, question, lineFor(options), print);
    return exitCodes.ok;
  } catch (error) {
    return complain(wordsOf(error));
  }
}

type Line = (record: ReadRecord, bytes: Buffer) => string;

function lineFor({ json = false, csv = false }: QueryOptions): Line {
  if (json) return (_record, bytes) => `${escapeUnprintable(bytes.toString('utf8'))}\n`;
  if (csv) return (record) => `${escapeUnprintable(csvLine(record)).replaceAll('\n', ' ')}\r\n`;
  return (record) => `${escapeUnprintable(sentenceOf(record))}\n`;
}

function questionOf(options: QueryOptions): Question | { readonly problem: string } {
  const { account, kind, repository, action, decision, reason, address, json, csv } = options;
  if (json === true && csv === true) return { problem: '--json and --csv exclude each other' };
  for (const [name, value] of Object.entries({ kind, decision })) {
    const known: readonly string[] = choices[name as keyof typeof choices];
    if (value !== undefined && !known.includes(value)) return { problem: `--${name}: one of ${known.join(', ')}` };
  }
  const pattern = repository === undefined ? undefined : parseRepositoryPattern(repository);
  if (pattern !== undefined && 'problem' in pattern) return { problem: `--repository: ${pattern.problem}` };
  const network = address === undefined ? undefined : parseNetwork(address);
  if (network !== undefined && !network.ok) return { problem: `--address: ${network.message}` };
  const networks = network?.ok === true ? [network.value] : undefined;
  const asked = { account, kind, action, decision, reason };
  return {
    equal: Object.fromEntries(Object.entries(asked).filter(([, value]) => value !== undefined)),
    repository: pattern && ((name) => matchesRepository(pattern, name, undefined)),
    address: networks && ((from) => inNetworks(networks, from)),
  };
}

/** Lines of a moment may stand behind each other the wrong way round; beyond this all are older. */
const disorderMs = 600_000;

async function answer(
  { directory, since }: { readonly directory: string; readonly since: number | undefined },
  question: Question,
  line: Line,
  print: Print,
): Promise<void> {
  const isWorthParsing = mayMatch(question);
  const from = since === undefined ? '' : new Date(since).toISOString();
  const end = since === undefined ? '' : new Date(since - disorderMs).toISOString();
  for await (const lines of auditLines(directory, { order: 'newest', since })) {
    let found = '';
    for (const { bytes } of lines) {
      const record = isWorthParsing(bytes) && (timeIn(bytes) ?? '~') >= from ? recordIn(bytes) : undefined;
      if (record !== undefined && matches(question, record)) found += line(record, bytes);
    }
    if (!(await print(found)) || isBefore(lines, end)) return;
  }
}

function isBefore(lines: readonly AuditLine[], end: string): boolean {
  return (timeIn(lines.at(-1)?.bytes) ?? '~') < end;
}

function recordIn(bytes: Buffer): ReadRecord | undefined {
  try {
    const value: unknown = JSON.parse(bytes.toString('utf8'));
    return typeof value === 'object' && value !== null ? (value as ReadRecord) : undefined;
  } catch {
    return undefined;
  }
}

/** At the pace of the reader; false when it has gone. */
type Print = (text: string) => Promise<boolean>;

function printer(): Print {
  const { stdout } = process;
  let isGone = false;
  stdout.on('error', () => (isGone = true));
  return async (text) => {
    if (isGone || text === '' || stdout.write(text)) return !isGone;
    // A reader that goes away ends the wait with an error, or with the end of the stream.
    const ends = ['drain', 'error', 'close'] as const;
    await new Promise<void>((resolve) => {
      const done = (): void => {
        for (const each of ends) stdout.off(each, done);
        resolve();
      };
      for (const each of ends) stdout.on(each, done);
    });
    return !isGone && stdout.writable;
  };
}
