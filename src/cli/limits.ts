/** `portcullis limits`: who is near a limit, and whom failed logins hold back. */
import type { Command } from 'commander';
import { quote } from '../document/problem.ts';
import type { LimitList } from '../operations/answers.ts';
import { describeWait } from '../policy/rate.ts';
import { askAdmin } from './admin-client.ts';
import { type ExitCode, formatTable, printJson } from './report.ts';
import { example } from './verb.ts';

/** Rows of a table shown to a person; the rest are counted. */
const shownRows = 50;

/** `limits`: 1 when no gateway answers on the admin listener. */
export function addLimits(program: Command, done: (code: ExitCode) => void): void {
  program
    .command('limits')
    .description('who is near or over a limit, and whom failed logins hold back, through the admin listener')
    .option('--json', 'one JSON object instead of text')
    .addHelpText('after', example('portcullis limits'))
    .action(async ({ json = false }: { json?: boolean }) =>
      done(await askAdmin('GET', '/limits', (body) => show(body, json))),
    );
}

function show(body: unknown, json: boolean): void {
  if (json) printJson(body);
  else process.stdout.write(toText(body as LimitList));
}

function toText({ limits, logins }: LimitList): string {
  const budgets = limits.map(({ name, mode, per, source, rate, burst, remaining, waitSeconds }) => [
    mode === 'shadow' ? `${name} (shadow)` : name,
    `${per === 'repository' ? 'repository ' : ''}${source}`,
    rate,
    `${remaining} of ${burst}`,
    waitSeconds === 0 ? 'now' : `in ${describeWait(waitSeconds)}`,
  ]);
  const failed = logins.map(({ account, network, failures, lastFailure, waitSeconds }) => [
    account === undefined ? 'anybody' : quote(account),
    network ?? 'anywhere',
    String(failures),
    lastFailure.slice(0, 16),
    waitSeconds === 0 ? 'now' : `in ${describeWait(waitSeconds)}`,
  ]);
  return [
    limits.length === 0
      ? 'nobody is near a limit\n'
      : shortTable(['limit', 'who', 'rate', 'left', 'next one free'], budgets),
    logins.length === 0
      ? 'nobody is held back by failed logins\n'
      : shortTable(['account', 'from', 'failed logins', 'last one', 'next attempt'], failed),
  ].join(limits.length + logins.length === 0 ? '' : '\n');
}

function shortTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const more = rows.length - shownRows;
  return formatTable(head, rows.slice(0, shownRows)) + (more > 0 ? `and ${more} more (--json lists all)\n` : '');
}
