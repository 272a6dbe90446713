/** Which audit directory a verb is about, and from when on. */
import { resolve } from 'node:path';
import { parseDuration } from '../config/values.ts';
import type { EpochMs } from '../time.ts';
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

/** `24h` ago, or an instant of RFC 3339; undefined for anything else. */
export function parseSince(text: string, now: EpochMs): EpochMs | undefined {
  const ago = parseDuration(text, { minSeconds: 0, maxSeconds: 400_000_000 });
  if (ago.ok) return now - ago.value * 1000;
  if (!/^\d{4}-\d\d-\d\d(?:T\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?(?:Z|[+-]\d\d:\d\d))?$/.test(text)) return undefined;
  const instant = Date.parse(text);
  return Number.isNaN(instant) ? undefined : instant;
}

export const sinceProblem =
  '--since: write how long ago, such as 24h or 7d, or an instant such as 2026-11-26T12:00:00Z';
