/** `portcullis session`: who is logged in, and ending it. */
import type { SessionView } from '../operations/answers.ts';
import { askAdmin } from './admin-client.ts';
import { type ExitCode, complain, exitCodes, formatTable, printJson } from './report.ts';
import { type Command, example } from './verb.ts';

/** `session list|revoke`: 1 when no gateway answers on the admin listener. */
export function addSession(program: Command, done: (code: ExitCode) => void): void {
  const session = program
    .command('session')
    .description('list and end logins and access tokens of people, through the admin listener')
    .addHelpText('after', example('portcullis session list dana'));
  session
    .command('list')
    .argument('[account]', 'only the sessions of this account')
    .description('live sessions, most recently used first')
    .option('--json', 'one JSON object instead of text')
    .addHelpText('after', example('portcullis session list dana'))
    .action(async (account: string | undefined, { json = false }: { json?: boolean }) =>
      done(await list(account, json)),
    );
  session
    .command('revoke')
    .argument('[id]', 'the session, as `session list` shows it')
    .option('--account <name>', 'end every session of this account')
    .option('--json', 'one JSON object instead of text')
    .description('end sessions: refresh and access tokens stop working within seconds on every replica')
    .addHelpText('after', example('portcullis session revoke --account dana'))
    .action(async (id: string | undefined, { account, json = false }: { account?: string; json?: boolean }) =>
      done(await revoke(id, account, json)),
    );
}

function list(account: string | undefined, json: boolean): Promise<ExitCode> {
  const query = account === undefined ? '' : `?account=${encodeURIComponent(account)}`;
  return askAdmin('GET', `/sessions${query}`, (body) => {
    if (json) return printJson(body);
    const { sessions } = body as { readonly sessions: readonly SessionView[] };
    const rows = sessions.map(
      ({ id, account: name, kind, label = '', created, lastUsed, address = '', userAgent = '' }) => [
        id,
        name,
        kind,
        label,
        created.slice(0, 16),
        lastUsed.slice(0, 16),
        address,
        userAgent,
      ],
    );
    process.stdout.write(
      formatTable(['session', 'account', 'kind', 'label', 'created', 'last used', 'address', 'client'], rows),
    );
  });
}

async function revoke(id: string | undefined, account: string | undefined, json: boolean): Promise<ExitCode> {
  if ((id === undefined) === (account === undefined)) {
    return complain('name one session, or --account NAME for all of an account', exitCodes.usage);
  }
  const path =
    id === undefined ? `/sessions?account=${encodeURIComponent(account ?? '')}` : `/sessions/${encodeURIComponent(id)}`;
  return askAdmin('DELETE', path, (body) => {
    if (json) return printJson(body);
    const { ended } = body as { readonly ended: readonly SessionView[] };
    process.stdout.write(ended.length === 1 ? '1 session ended\n' : `${ended.length} sessions ended\n`);
  });
}
