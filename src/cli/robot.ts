/** `portcullis robot …`: machines in policy files; their secrets are made and revoked with `token`. */
import { addAccountVerbs } from './account.ts';
import type { ExitCode } from './exit-codes.ts';
import { type Command, example } from './verb.ts';

/** `robot groups|remove`. */
export function addRobot(program: Command, done: (code: ExitCode) => void): void {
  const robot = program
    .command('robot')
    .description('change the groups of robots and remove them; `token create` makes one')
    .addHelpText('after', example('portcullis robot groups add builder build-servers'));
  addAccountVerbs(robot, 'robot', done);
}
