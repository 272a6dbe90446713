/** Problems and lines for a person at a terminal. */
import { readFileSync } from 'node:fs';
import { type Problem, escapeUnprintable, formatProblem } from '../document/problem.ts';

/** Every problem on standard error, each with its source line where the file can still be read. */
export function reportProblems(problems: readonly Problem[]): void {
  for (const problem of problems) process.stderr.write(`${formatProblem(problem, sourceText(problem))}\n`);
  const count = problems.length === 1 ? '1 problem' : `${problems.length} problems`;
  process.stderr.write(`portcullis: ${count}\n`);
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
