/** Problems, lines and tables for a person at a terminal, and the codes with which verbs end. */
import { readFileSync } from 'node:fs';
import { styleText } from 'node:util';
import { type Problem, escapeLines, escapeUnprintable, formatProblem } from '../document/problem.ts';
import type { Source } from '../policy/model.ts';

/** Contract section 8. EX_CONFIG lets a supervisor tell a bad configuration from a crash. */
export const exitCodes = { ok: 0, problems: 1, usage: 2, configuration: 78 } as const;
export type ExitCode = number;

/** On standard error; what a terminal would obey is escaped, since words may come from files and servers. Gives `code` back. */
export function complain(message: string, code: ExitCode = exitCodes.problems): ExitCode {
  process.stderr.write(`portcullis: ${escapeLines(message)}\n`);
  return code;
}

/** Reports what is wrong with policies or configuration, on standard output as JSON where that was asked for. */
export function reportBroken(problems: readonly Problem[], json = false): ExitCode {
  if (json) printJson({ ok: false, problems });
  else reportProblems(problems);
  return exitCodes.configuration;
}

/** Every problem on standard error, each with its source line where the file can still be read. */
export function reportProblems(problems: readonly Problem[]): void {
  for (const problem of problems) process.stderr.write(`${formatProblem(problem, sourceText(problem))}\n`);
  const count = problems.length === 1 ? '1 problem' : `${problems.length} problems`;
  complain(count);
}

function sourceText({ file, line }: Problem): string | undefined {
  if (line === 0) return undefined;
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}

/** Colours are for terminals, and for those who did not set NO_COLOR (no-color.org). */
export function useColour(stream: NodeJS.WriteStream): boolean {
  return stream.isTTY === true && (process.env['NO_COLOR'] ?? '') === '';
}

/** What JSON leaves as it is and a terminal would obey is escaped: values may come from clients. */
export function printJson(value: unknown): void {
  process.stdout.write(`${escapeUnprintable(JSON.stringify(value))}\n`);
}

/** Where something stands, as JSON says it; nulls for nothing. */
export function placeInJson(found: { readonly source: Source } | undefined) {
  return { file: found?.source.file ?? null, line: found?.source.line ?? null };
}

/** Colours for a person at a terminal; plain text where `useColour` says no. */
export function paletteFor(stream: NodeJS.WriteStream) {
  const paint = (format: Parameters<typeof styleText>[0]) => (text: string) =>
    useColour(stream) ? styleText(format, text) : text;
  return { good: paint('green'), bad: paint('red'), strong: paint('bold'), faint: paint('dim') };
}

/**
 * Columns for a terminal; text from outside is made harmless, since a user agent may carry escape sequences. Cells are
 * cut to `longest` characters; a table with places is not cut, since a place without its line number is no place.
 */
export function formatTable(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  { longest = 60 }: { readonly longest?: number } = {},
): string {
  const lines = [head, ...rows].map((row) => row.map((cell) => harmless(cell, longest)));
  const widths = head.map((_, column) => Math.max(...lines.map((row) => (row[column] ?? '').length)));
  return lines
    .map(
      (row) =>
        `${row
          .map((cell, column) => cell.padEnd(widths[column] ?? 0))
          .join('  ')
          .trimEnd()}\n`,
    )
    .join('');
}

function harmless(text: string, longest: number): string {
  const shown = text.length > longest ? `${text.slice(0, longest - 1)}…` : text;
  return shown.replace(/[\u0000-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069]/g, '?');
}
