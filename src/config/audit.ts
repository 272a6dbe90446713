/** `audit`: where what was decided is written down beside standard output. */
import { z } from 'zod';
import { day, duration, optional, orText, path } from './fields.ts';

export const auditSchema = z.strictObject({
  directory: optional(
    path,
    'Directory of audit files, one a day (UTC) and gateway; made at the start, not its parents. Default: none.',
  ),
  keep: optional(
    duration(day, 3_650 * day),
    'How long files are kept after their day; then they are deleted. Default: 90d.',
  ),
  chain: optional(
    orText(z.boolean()),
    'Each line names the hash of the one before, and each minute is signed: audit verify finds what was changed. Default: true.',
  ),
  required: optional(
    orText(z.boolean()),
    'Writes and logins that cannot be written down are 503; reads go on. Default: false.',
  ),
  stdout: optional(orText(z.boolean()), 'Write the records to standard output as well. Default: true.'),
});

export type AuditSettings = z.output<typeof auditSchema>;

/** What is wrong about them together: the key, and in words; undefined for nothing. */
export function auditProblem({
  directory,
  keep,
  chain,
  required,
  stdout,
}: AuditSettings): readonly [string, string] | undefined {
  if (directory !== undefined) return undefined;
  if (stdout === false)
    return ['audit.stdout', 'audit.stdout is off without audit.directory: nothing would be written down'];
  if (required === true)
    return ['audit.required', 'audit.required is on without audit.directory: there is nothing to require'];
  if (keep === undefined && chain === undefined) return undefined;
  return [
    keep === undefined ? 'audit.chain' : 'audit.keep',
    'audit is set without audit.directory, so no file is written',
  ];
}

/** With their defaults. */
export function auditTerms(settings: AuditSettings = {}) {
  const { directory, keep = 90 * day, chain = true, required = false, stdout = true } = settings;
  return {
    /** Undefined: no files are written. */
    directory,
    keepMs: 1_000 * keep,
    isChained: chain,
    isRequired: required,
    /** Records go to standard output as well. */
    hasStdout: stdout,
  };
}
