/** `portcullis import`: accounts and rules of other programs as policy files. */
import type { ExitCode } from './report.ts';
import { type Command, commaList, example } from './verb.ts';

/** `import htpasswd|docker_auth FILE`: the policy goes to standard output, what was left out to standard error. */
export function addImport(program: Command, done: (code: ExitCode) => void): void {
  const verb = program
    .command('import')
    .description('print what another program knows as a policy file')
    .addHelpText('after', example('portcullis import htpasswd /etc/nginx/registry.htpasswd > policies/users.yaml'));
  verb
    .command('htpasswd')
    .argument('<file>', 'the htpasswd file; - for standard input')
    .description(
      'take over users with bcrypt or plain passwords, which are hashed; others are listed on standard error',
    )
    .option('--groups <names>', 'groups of everybody taken over, as developers,testers', commaList)
    .addHelpText(
      'after',
      example('portcullis import htpasswd registry.htpasswd --groups developers > policies/users.yaml'),
    )
    .action(async (file: string, { groups }: { readonly groups?: readonly string[] }) =>
      done(await (await import('./import-file.ts')).importFile('htpasswd', file, groups)),
    );
  verb
    .command('docker_auth')
    .argument('<file>', 'the auth_config.yml; - for standard input')
    .description('take over the users and the access list; never gives more than the original')
    .addHelpText('after', example('portcullis import docker_auth auth_config.yml > policies/imported.yaml'))
    .action(async (file: string) => done(await (await import('./import-file.ts')).importFile('docker_auth', file)));
}
