/** `portcullis audit`: what gateways wrote down, verified and asked. */
import type { QueryOptions } from './audit-query.ts';
import type { ExitCode } from './report.ts';
import { type Command, example } from './verb.ts';

/** `audit verify|query`: work on files, not on a gateway. */
export function addAudit(program: Command, done: (code: ExitCode) => void): void {
  const audit = program
    .command('audit')
    .description('files of what was decided: verify that nobody changed them, and ask them')
    .addHelpText('after', example('portcullis audit verify', 'portcullis audit query --since 24h --decision deny'));
  audit
    .command('verify')
    .argument('[dir]', 'the audit directory; default: the configured one')
    .description('exit 1 at the first line that was changed, taken out or put in; says what it cannot see')
    .option('--jwks <file>', 'public keys of the signatures, as /.well-known/jwks.json of a gateway gives them')
    .option('--since <when>', 'leave out files of days that ended before: 7d, or 2026-11-26T00:00:00Z')
    .option('--json', 'one JSON object instead of text')
    .addHelpText('after', example('portcullis audit verify /var/log/portcullis --jwks keys.jwks'))
    .action(async (directory: string | undefined, options: { jwks?: string; since?: string; json?: boolean }) =>
      done(await (await import('./audit-verify.ts')).verifyAudit(directory, options)),
    );
  audit
    .command('query')
    .argument('[dir]', 'the audit directory; default: the configured one')
    .description('records of audit files, the newest first')
    .option('--since <when>', 'not before: 24h, 7d, or 2026-11-26T00:00:00Z')
    .option('--account <name>', 'of this account')
    .option('--kind <kind>', 'user, robot, workload or anonymous')
    .option('--repository <pattern>', 'of these repositories, as in policies: release/**')
    .option('--action <action>', 'pull, push (create and overwrite), delete, promote …')
    .option('--decision <decision>', 'allow, deny or error')
    .option('--reason <reason>', 'with this reason, such as no_rule')
    .option('--address <cidr>', 'from this address or network')
    .option('--unfinished', 'instead: what was about to be done (audit.required), without a record of what came of it')
    .option('--json', 'the lines as they stand in the files')
    .option('--csv', 'comma-separated values (RFC 4180)')
    .addHelpText('after', example('portcullis audit query --since 24h --repository "release/**" --action push'))
    .action(async (directory: string | undefined, options: QueryOptions) =>
      done(await (await import('./audit-query.ts')).queryAudit(directory, options)),
    );
}
