/** Which audit directory a verb is about. */
import { resolve } from 'node:path';
import { readConfiguration } from './configuration.ts';
import { type ExitCode, reportBroken } from './report.ts';
import { usageProblem } from './verb.ts';

/** The argument, or what the configuration names; else the exit code, with the problem said. */
export function auditDirectory(argument: string | undefined): string | ExitCode {
  if (argument !== undefined) return resolve(argument);
  const configuration = readConfiguration();
  if (!configuration.ok) return reportBroken(configuration.problems);
  const { directory } = configuration.config.audit;
  return directory ?? usageProblem('the configuration names no audit.directory: say which directory');
}
