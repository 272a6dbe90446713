/** `portcullis user …` and `portcullis robot …`: people and machines in policy files. */
import type { ExitCode } from './report.ts';
import { type Command, type PolicyOptions, commaList, example, policiesOption } from './verb.ts';

interface Options extends PolicyOptions {
  readonly groups?: readonly string[];
  readonly passwordStdin?: boolean;
  readonly everywhere?: boolean;
  readonly dropTests?: boolean;
}

type Done = (code: ExitCode) => void;

/** `user add|list|passwd|disable|enable|groups|remove`. */
export function addUser(program: Command, done: Done): void {
  const user = program
    .command('user')
    .description('add people to the policy files, change and remove them; comments and order stay')
    .addHelpText('after', example('portcullis user add dana --groups developers'));
  addVerb(user, 'add')
    .description('add a user; asks for the password')
    .option('--groups <a,b>', 'groups the user belongs to', commaList)
    .option('--password-stdin', 'read the password from standard input')
    .addHelpText(
      'after',
      example("printf %s 'correct horse' | portcullis user add dana --groups developers --password-stdin"),
    )
    .action(async (name: string, { policies = [], groups = [], passwordStdin = false }: Options) =>
      done(await (await import('./user-changes.ts')).addToPolicies(policies, { name, groups, passwordStdin })),
    );
  addCommonVerbs(user, 'user', done);
  addVerb(user, 'passwd')
    .description('give a user a new password')
    .option('--password-stdin', 'read the password from standard input')
    .addHelpText('after', example('portcullis user passwd dana'))
    .action(async (name: string, { policies = [], passwordStdin = false }: Options) =>
      done(await (await import('./user-changes.ts')).changePassword(policies, { name, passwordStdin })),
    );
  for (const [verb, does] of [
    ['disable', 'refuse every login and every live token of a user'],
    ['enable', 'let a disabled user in again'],
  ] as const) {
    addVerb(user, verb)
      .description(does)
      .addHelpText('after', example(`portcullis user ${verb} dana`))
      .action(async (name: string, { policies = [] }: Options) => {
        const wanted = { name, disabled: verb === 'disable' };
        done(await (await import('./user-changes.ts')).setDisabled(policies, wanted));
      });
  }
  user
    .command('list')
    .addOption(policiesOption)
    .description('list the users of the policy files')
    .option('--json', 'one JSON object instead of text')
    .addHelpText('after', example('portcullis user list --json'))
    .action(async ({ policies = [], json = false }: Options) =>
      done(await (await import('./user-changes.ts')).listUsers(policies, { json })),
    );
}

/** `robot groups|remove`; their secrets are made and revoked with `token`. */
export function addRobot(program: Command, done: Done): void {
  const robot = program
    .command('robot')
    .description('change the groups of robots and remove them; `token create` makes one')
    .addHelpText('after', example('portcullis robot groups add nightly build-servers'));
  addCommonVerbs(robot, 'robot', done);
}

/** `groups` and `remove`, the verbs that people and robots have in common. */
function addCommonVerbs(parent: Command, kind: 'user' | 'robot', done: Done): void {
  const someone = kind === 'user' ? 'dana' : 'nightly';
  addVerb(parent, 'remove')
    .description(`take a ${kind} out of the policy files`)
    .option('--everywhere', 'also out of the rules, limits and tests that name it; what is about nobody else goes')
    .addHelpText('after', example(`portcullis ${kind} remove ${someone} --everywhere`))
    .action(async (name: string, { policies = [], everywhere = false }: Options) =>
      done(await (await import('./account-changes.ts')).removeAccount(policies, { kind, name, everywhere })),
    );
  const groups = parent
    .command('groups')
    .description(`put a ${kind} into groups, or take it out of some`)
    .addHelpText('after', example(`portcullis ${kind} groups add ${someone} testers`));
  const several = 'groups, as testers,developers or one by one';
  addVerb(groups, 'add')
    .argument('<group...>', several)
    .description(`put a ${kind} into groups`)
    .addHelpText('after', example(`portcullis ${kind} groups add ${someone} testers`))
    .action(async (name: string, names: readonly string[], { policies = [] }: Options) => {
      const wanted = { kind, name, groups: commaList(names.join(',')) };
      done(await (await import('./account-changes.ts')).joinGroups(policies, wanted));
    });
  addVerb(groups, 'remove')
    .argument('<group...>', several)
    .description(`take a ${kind} out of groups`)
    .option('--drop-tests', 'also take out what tests expect only because of these groups')
    .addHelpText('after', example(`portcullis ${kind} groups remove ${someone} testers`))
    .action(async (name: string, names: readonly string[], { policies = [], dropTests = false }: Options) => {
      const wanted = { kind, name, groups: commaList(names.join(',')), dropTests };
      done(await (await import('./account-changes.ts')).leaveGroups(policies, wanted));
    });
}

function addVerb(parent: Command, verb: string): Command {
  return parent.command(verb).addOption(policiesOption).argument('<name>', 'the account name');
}
