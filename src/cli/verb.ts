/** What the files of verbs share to describe themselves on the command line. */
import type { Command } from 'commander';
import { type ExitCode, exitCodes } from './exit-codes.ts';

export type { Command } from 'commander';

/** Adds one verb to the program; `done` takes the exit code once it has run. */
export type AddVerb = (program: Command, done: (code: ExitCode) => void) => void;

/** The closing lines of a verb's help. */
export function example(...lines: readonly string[]): string {
  return `\nExample:\n${lines.map((line) => `  ${line}`).join('\n')}\n`;
}

/** For an option that may be given more than once. */
export function collect(value: string, before: readonly string[] = []): readonly string[] {
  return [...before, value];
}

/** The parts of `a,b`, without blanks around them, empty parts and repetitions. */
export function commaList(text: string): readonly string[] {
  return [...new Set(text.split(',').map((part) => part.trim()))].filter((part) => part !== '');
}

/** Says what is wrong with the command line. */
export function usageProblem(message: string): ExitCode {
  process.stderr.write(`portcullis: ${message}\n(see --help)\n`);
  return exitCodes.usage;
}
