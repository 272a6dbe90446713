/** `portcullis audit query`: streams files from their end; one block of each file of a day is in memory. */
import { wordsOf } from '../adapters/failure.ts';
import { type Reading, listAuditFiles } from '../adapters/files/audit-files.ts';
import { linesAsked } from '../adapters/audit/trail.ts';
import { unfinishedIn } from '../adapters/audit/unfinished.ts';
import { parseSince } from '../time.ts';
import { type Asked, questionOf, sinceProblem } from '../audit/asked.ts';
import { type Question, columns, csvLine, sentenceOf } from '../audit/question.ts';
import type { ReadRecord } from '../audit/read-line.ts';
import { escapeUnprintable } from '../document/problem.ts';
import { auditDirectory } from './audit-place.ts';
import { type ExitCode, complain, exitCodes } from './report.ts';
import { usageProblem } from './verb.ts';

export interface QueryOptions extends Asked {
  readonly since?: string;
  readonly unfinished?: boolean;
  readonly json?: boolean;
  readonly csv?: boolean;
}

/** 0 also when nothing is found; 1 when a file cannot be read to its end, which hides none of the others. */
export async function queryAudit(argument: string | undefined, options: QueryOptions): Promise<ExitCode> {
  if (options.json === true && options.csv === true) return usageProblem('--json and --csv exclude each other');
  const question = questionOf(options);
  if ('problem' in question) return usageProblem(`--${question.name}: ${question.problem}`);
  const since = options.since === undefined ? undefined : parseSince(options.since, Date.now());
  if (options.since !== undefined && since === undefined) return usageProblem(`--since: ${sinceProblem}`);
  const directory = auditDirectory(argument);
  if (typeof directory !== 'string') return directory;
  try {
    if ((await listAuditFiles(directory)).length === 0)
      return complain(`${directory} holds no audit files, such as 2026-11-26.gateway.jsonl`);
    const print = printer();
    if (options.csv === true) await print(`${columns.join(',')}\r\n`);
    let code: ExitCode = exitCodes.ok;
    const onUnreadable = (why: unknown): void => void (code = complain(wordsOf(why)));
    const place = { directory, since, onUnreadable };
    if (options.unfinished === true) await answerUnfinished(place, question, lineFor(options), print);
    else await answer(place, question, lineFor(options), print);
    return code;
  } catch (error) {
    return complain(wordsOf(error));
  }
}

type Line = (record: ReadRecord, bytes: Buffer) => string;

function lineFor({ json = false, csv = false }: QueryOptions): Line {
  if (json) return (_record, bytes) => `${escapeUnprintable(bytes.toString('utf8'))}\n`;
  if (csv) return (record) => `${escapeUnprintable(csvLine(record))}\r\n`;
  return (record) => `${escapeUnprintable(sentenceOf(record))}\n`;
}

interface Place extends Pick<Reading, 'since' | 'onUnreadable'> {
  readonly directory: string;
}

async function answer({ directory, ...reading }: Place, question: Question, line: Line, print: Print): Promise<void> {
  for await (const lines of linesAsked(directory, question, reading)) {
    let found = '';
    for (const {
      line: { bytes },
      record,
    } of lines)
      if (record !== undefined) found += line(record, bytes);
    if (!(await print(found))) return;
  }
}

/** What it was, and why nothing more is known. */
async function answerUnfinished(
  { directory, ...reading }: Place,
  question: Question,
  line: Line,
  print: Print,
): Promise<void> {
  const { newest, older } = await unfinishedIn(directory, question, reading);
  for (const { intent, bytes, hasEnded } of newest) {
    const reason = hasEnded ? 'no outcome: its process ended' : 'no outcome so far';
    const { detail = 'login' } = intent;
    if (!(await print(line({ ...intent, event: detail, decision: 'unknown', reason }, bytes)))) return;
  }
  if (older > 0) complain(`${older} older ones are not shown: ask for some of them, such as --account`);
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
