/** `portcullis limits`: who is near or over a limit of the running gateway, and whom failed logins hold back. */
import { describeRate, describeWait, parseRate } from '../policy/rate.ts';
import type { LimitList } from '../http/admin-limits.ts';
import { callAdmin } from './admin-client.ts';
import { readConfiguration } from './configuration.ts';
import { type ExitCode, exitCodes } from './exit-codes.ts';
import { printJson, reportProblems } from './report.ts';
import { formatTable } from './table.ts';
import { type Command, example } from './verb.ts';

export function addLimits(program: Command, done: (code: ExitCode) => void): void {
  program
    .command('limits')
    .description('list who is near or over a limit, and whom failed logins hold back, through the admin listener')
    .option('--json', 'one JSON object instead of text')
    .addHelpText('after', example('portcullis limits'))
    .action(async ({ json = false }: { json?: boolean }) => done(await list(json)));
}

async function list(json: boolean): Promise<ExitCode> {
  const configuration = readConfiguration({ values: {} });
  if (!configuration.ok) {
    reportProblems(configuration.problems);
    return exitCodes.configuration;
  }
  const reply = await callAdmin(configuration.config, 'GET', '/limits');
  if (!reply.ok) {
    process.stderr.write(`portcullis: ${reply.message}\n`);
    return exitCodes.problems;
  }
  const listed = reply.body as LimitList;
  if (json) printJson(listed);
  else process.stdout.write(toText(listed));
  return exitCodes.ok;
}

function toText({ limits, logins }: LimitList): string {
  const near =
    limits.length === 0
      ? 'nobody is near a limit\n'
      : formatTable(
          ['limit', 'whose', 'left', 'of', 'next in'],
          limits.map(({ limit, mode, source, remaining, burst, rate, waitSeconds }) => [
            mode === 'shadow' ? `${limit} (shadow)` : limit,
            source,
            String(remaining),
            `${burst} (${inWords(rate)})`,
            waitSeconds === 0 ? 'now' : describeWait(waitSeconds),
          ]),
        );
  const held =
    logins.length === 0
      ? 'no login is held back\n'
      : formatTable(
          ['failed logins of', 'from', 'failures', 'next in'],
          logins.map(({ account = 'anybody', address = 'anywhere', failures, waitSeconds }) => [
            account,
            address,
            String(failures),
            waitSeconds === 0 ? 'now' : describeWait(waitSeconds),
          ]),
        );
  return `${near}\n${held}`;
}

function inWords(text: string): string {
  const rate = parseRate(text);
  return 'problem' in rate ? text : describeRate(rate);
}
