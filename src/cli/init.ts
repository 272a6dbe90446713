/** `portcullis init`: everything a deployment is configured by, to be edited. */
import type { ExitCode } from './exit-codes.ts';
import { type Command, example } from './verb.ts';

/** `init [DIR]`. */
export function addInit(program: Command, done: (code: ExitCode) => void): void {
  program
    .command('init')
    .argument('[dir]', 'where to write; default: here')
    .description('write a commented portcullis.yaml, policies, a signing key and editor schemas; overwrites nothing')
    .addHelpText('after', example('portcullis init /etc/portcullis'))
    .action(async (directory = '.') => done((await import('./init-files.ts')).init(String(directory))));
}
