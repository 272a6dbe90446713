/** Which audit directory a verb is about. */
import { statSync } from 'node:fs';
import { resolve } from 'node:path';
import { hasCode } from '../adapters/failure.ts';
import { quote } from '../document/problem.ts';
import { readConfiguration } from './configuration.ts';
import { type ExitCode, reportBroken } from './report.ts';
import { usageProblem } from './verb.ts';

/** The argument, or what the configuration names; else the exit code, with the problem said. */
export function auditDirectory(argument: string | undefined): string | ExitCode {
  if (argument !== undefined) return isDirectory(argument) ? resolve(argument) : nowhere(argument);
  const configuration = readConfiguration();
  if (!configuration.ok) return reportBroken(configuration.problems);
  const { directory } = configuration.config.audit;
  if (directory === undefined) return usageProblem('the configuration names no audit.directory: say which directory');
  return isDirectory(directory) ? directory : nowhere(directory);
}

function isDirectory(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch (error) {
    if (hasCode(error, 'ENOENT') || hasCode(error, 'ENOTDIR')) return false;
    throw error;
  }
}

function nowhere(path: string): ExitCode {
  return usageProblem(`${quote(path)} is no directory: say the one that the gateway's audit.directory names`);
}
