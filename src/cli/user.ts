/** `portcullis user …`: people in policy files. */
import { addAccountVerbs } from './account.ts';
import type { ExitCode } from './exit-codes.ts';
import { addPoliciesOption } from './policy-paths.ts';
import { type Command, commaList, example } from './verb.ts';

interface WriteOptions {
  readonly policies?: readonly string[];
  readonly groups?: string;
  readonly passwordStdin?: boolean;
}

/** `user add|list|passwd|disable|enable|groups|remove`. */
export function addUser(program: Command, done: (code: ExitCode) => void): void {
  const user = program
    .command('user')
    .description('add people to the policy files, change and remove them; comments and order stay')
    .addHelpText('after', example('portcullis user add dana --groups developers'));
  addPoliciesOption(user.command('add'))
    .argument('<name>', 'the account name')
    .description('add a user; asks for the password')
    .option('--groups <a,b>', 'groups the user belongs to')
    .option('--password-stdin', 'read the password from standard input')
    .addHelpText(
      'after',
      example("printf %s 'correct horse' | portcullis user add dana --groups developers --password-stdin"),
    )
    .action(async (name: string, { policies = [], groups = '', passwordStdin = false }: WriteOptions) => {
      const change = { name, groups: commaList(groups), passwordStdin };
      done(await (await import('./user-changes.ts')).addToPolicies(policies, change));
    });
  addAccountVerbs(user, 'user', done);
  addPoliciesOption(user.command('passwd'))
    .argument('<name>', 'the account name')
    .description('give a user a new password')
    .option('--password-stdin', 'read the password from standard input')
    .addHelpText('after', example('portcullis user passwd dana'))
    .action(async (name: string, { policies = [], passwordStdin = false }: WriteOptions) =>
      done(await (await import('./user-changes.ts')).changePassword(policies, { name, passwordStdin })),
    );
  addPoliciesOption(user.command('disable'))
    .argument('<name>', 'the account name')
    .description('refuse every login and every live token of a user')
    .addHelpText('after', example('portcullis user disable dana'))
    .action(async (name: string, { policies = [] }: WriteOptions) =>
      done(await (await import('./user-changes.ts')).setDisabled(policies, { name, disabled: true })),
    );
  addPoliciesOption(user.command('enable'))
    .argument('<name>', 'the account name')
    .description('let a disabled user in again')
    .addHelpText('after', example('portcullis user enable dana'))
    .action(async (name: string, { policies = [] }: WriteOptions) =>
      done(await (await import('./user-changes.ts')).setDisabled(policies, { name, disabled: false })),
    );
  addPoliciesOption(user.command('list'))
    .description('list the users of the policy files')
    .option('--json', 'one JSON object instead of text')
    .addHelpText('after', example('portcullis user list --json'))
    .action(async ({ policies = [], json = false }: { policies?: readonly string[]; json?: boolean }) =>
      done(await (await import('./user-changes.ts')).listUsers(policies, { json })),
    );
}
