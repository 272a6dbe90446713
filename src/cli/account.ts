/** `groups` and `remove`, the verbs that people and robots have in common. */
import type { ExitCode } from './exit-codes.ts';
import { addPoliciesOption } from './policy-paths.ts';
import { type Command, commaList, example } from './verb.ts';

interface Options {
  readonly policies?: readonly string[];
  readonly everywhere?: boolean;
  readonly dropTests?: boolean;
}

/** Below `user` or `robot`. */
export function addAccountVerbs(parent: Command, kind: 'user' | 'robot', done: (code: ExitCode) => void): void {
  const name = kind === 'user' ? 'dana' : 'builder';
  addPoliciesOption(parent.command('remove'))
    .argument('<name>', 'the account name')
    .description(`take a ${kind} out of the policy files`)
    .option('--everywhere', 'also out of the rules, limits and tests that name it; what is about nobody else goes')
    .addHelpText('after', example(`portcullis ${kind} remove ${name} --everywhere`))
    .action(async (account: string, { policies = [], everywhere = false }: Options) => {
      const wanted = { kind, name: account, everywhere };
      done(await (await import('./account-changes.ts')).removeAccount(policies, wanted));
    });
  const groups = parent
    .command('groups')
    .description(`put a ${kind} into groups, or take it out of some`)
    .addHelpText('after', example(`portcullis ${kind} groups add ${name} testers`));
  addPoliciesOption(groups.command('add'))
    .argument('<name>', 'the account name')
    .argument('<group...>', 'groups, as testers,developers or one by one')
    .description(`put a ${kind} into groups`)
    .addHelpText('after', example(`portcullis ${kind} groups add ${name} testers`))
    .action(async (account: string, names: readonly string[], { policies = [] }: Options) => {
      const wanted = { kind, name: account, groups: commaList(names.join(',')) };
      done(await (await import('./account-changes.ts')).joinGroups(policies, wanted));
    });
  addPoliciesOption(groups.command('remove'))
    .argument('<name>', 'the account name')
    .argument('<group...>', 'groups, as testers,developers or one by one')
    .description(`take a ${kind} out of groups`)
    .option('--drop-tests', 'also take out what tests expect only because of these groups')
    .addHelpText('after', example(`portcullis ${kind} groups remove ${name} testers`))
    .action(async (account: string, names: readonly string[], { policies = [], dropTests = false }: Options) => {
      const wanted = { kind, name: account, groups: commaList(names.join(',')), dropTests };
      done(await (await import('./account-changes.ts')).leaveGroups(policies, wanted));
    });
}
