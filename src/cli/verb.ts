/** What the files of verbs share to describe themselves on the command line. */
import { type Command, Option } from 'commander';
import { type ExitCode, complain, exitCodes } from './report.ts';

export type { Command } from 'commander';

/** Adds one verb to the program; `done` takes the exit code once it has run. */
export type AddVerb = (program: Command, done: (code: ExitCode) => void) => void;

/** The closing lines of a verb's help. */
export function example(...lines: readonly string[]): string {
  return `\nExample:\n${lines.map((line) => `  ${line}`).join('\n')}\n`;
}

/** What verbs about policies have in common. */
export interface PolicyOptions {
  readonly policies?: readonly string[];
  readonly json?: boolean;
}

/** `--policies PATH`, which may be given more than once. */
export const policiesOption = new Option(
  '--policies <path>',
  'policy file or directory; repeatable (default: the configured ones)',
).argParser((path: string, before: readonly string[] = []) => [...before, path]);

/** The parts of `a,b`, without blanks around them, empty parts and repetitions. */
export function commaList(text: string): readonly string[] {
  return [...new Set(text.split(',').map((part) => part.trim()))].filter((part) => part !== '');
}

/** Says what is wrong with the command line. */
export function usageProblem(message: string): ExitCode {
  return complain(`${message}\n(see --help)`, exitCodes.usage);
}
