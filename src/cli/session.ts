/** `portcullis session`: who is logged in, and ending it. */
import type { Command } from 'commander';
import type { SessionView } from '../http/admin/admin-types.ts';
import { callAdmin } from './admin-client.ts';
import { readConfiguration } from './configuration.ts';
import { type ExitCode, exitCodes } from './exit-codes.ts';
import { printJson, reportProblems } from './report.ts';
import { formatTable } from './table.ts';

/** `session list|revoke`: 1 when no gateway answers on the admin listener. */
export function addSession(program: Command, done: (code: ExitCode) => void): void {
  const session = program
    .command('session')
    .description('list and end logins, through the admin listener')
    .addHelpText('after', '\nExample:\n  portcullis session list dana\n');
  session
    .command('list')
    .argument('[account]', 'only the sessions of this account')
    .description('live sessions, most recently used first')
    .option('--json', 'one JSON object instead of text')
    .addHelpText('after', '\nExample:\n  portcullis session list dana\n')
    .action(async (account: string | undefined, { json = false }: { json?: boolean }) =>
      done(await list(account, json)),
    );
  session
    .command('revoke')
    .argument('[id]', 'the session, as `session list` shows it')
    .option('--account <name>', 'end every session of this account')
    .option('--json', 'one JSON object instead of text')
    .description('end sessions: refresh and access tokens stop working within seconds on every replica')
    .addHelpText('after', '\nExample:\n  portcullis session revoke --account dana\n')
    .action(async (id: string | undefined, { account, json = false }: { account?: string; json?: boolean }) =>
      done(await revoke(id, account, json)),
    );
}

async function list(account: string | undefined, json: boolean): Promise<ExitCode> {
  return ask(
    'GET',
    account === undefined ? '/sessions' : `/sessions?account=${encodeURIComponent(account)}`,
    (body) => {
      if (json) return printJson(body);
      const { sessions } = body as { readonly sessions: readonly SessionView[] };
      const rows = sessions.map(({ id, account: name, created, lastUsed, address = '', userAgent = '' }) => [
        id,
        name,
        created.slice(0, 16),
        lastUsed.slice(0, 16),
        address,
        userAgent,
      ]);
      process.stdout.write(formatTable(['session', 'account', 'created', 'last used', 'address', 'client'], rows));
    },
  );
}

async function revoke(id: string | undefined, account: string | undefined, json: boolean): Promise<ExitCode> {
  if ((id === undefined) === (account === undefined)) {
    process.stderr.write('portcullis: name one session, or --account NAME for all of an account\n');
    return exitCodes.usage;
  }
  const path =
    id === undefined ? `/sessions?account=${encodeURIComponent(account ?? '')}` : `/sessions/${encodeURIComponent(id)}`;
  return ask('DELETE', path, (body) => {
    if (json) return printJson(body);
    const { ended } = body as { readonly ended: readonly SessionView[] };
    process.stdout.write(ended.length === 1 ? '1 session ended\n' : `${ended.length} sessions ended\n`);
  });
}

async function ask(method: 'GET' | 'DELETE', path: string, print: (body: unknown) => void): Promise<ExitCode> {
  const configuration = readConfiguration({ values: {} });
  if (!configuration.ok) {
    reportProblems(configuration.problems);
    return exitCodes.configuration;
  }
  const reply = await callAdmin(configuration.config, method, path);
  if (!reply.ok) {
    process.stderr.write(`portcullis: ${reply.message}\n`);
    return exitCodes.problems;
  }
  print(reply.body);
  return exitCodes.ok;
}
