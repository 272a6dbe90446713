/** `portcullis import`: accounts and rules of other programs as policy files. */
import type { ExitCode } from './exit-codes.ts';
import { type Command, example } from './verb.ts';

export function addImport(program: Command, done: (code: ExitCode) => void): void {
  const verb = program
    .command('import')
    .description('print what another program knows as a policy file')
    .addHelpText('after', example('portcullis import htpasswd /etc/nginx/registry.htpasswd > policies/users.yaml'));
  verb
    .command('htpasswd')
    .argument('<file>', 'the htpasswd file; - for standard input')
    .description('take over users with bcrypt passwords; others are listed on standard error')
    .addHelpText('after', example('portcullis import htpasswd registry.htpasswd > policies/users.yaml'))
    .action(async (file: string) => done(await (await import('./import-file.ts')).importFile('htpasswd', file)));
  verb
    .command('docker_auth')
    .argument('<file>', 'the auth_config.yml; - for standard input')
    .description('take over the users and the access list; never gives more than the original')
    .addHelpText('after', example('portcullis import docker_auth auth_config.yml > policies/imported.yaml'))
    .action(async (file: string) => done(await (await import('./import-file.ts')).importFile('docker_auth', file)));
}
