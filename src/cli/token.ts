/** `portcullis token …`: the secrets of robots in policy files. */
import { secretActions } from '../policy/model.ts';
import type { ExitCode } from './report.ts';
import type { WantedToken } from './token-changes.ts';
import { type Command, type PolicyOptions, commaList, example, policiesOption, usageProblem } from './verb.ts';

const aboutSecrets =
  '\nThe secret never reaches further than the rules let the robot; --repositories and --actions narrow that.\n' +
  'A further secret takes over the limits of the one there is, unless others are given or --unlimited.\n' +
  'A robot has at most two live secrets: the one in use, and the next one while it is being rolled out.\n' +
  '\nExit status: 0 made, 1 refused, 2 not understood, 78 the policy is broken.\n';

/** `token create|list|revoke`. */
export function addToken(program: Command, done: (code: ExitCode) => void): void {
  const token = program
    .command('token')
    .description('secrets for machines: make, list and take back; comments and order of the policy files stay')
    .addHelpText('after', example('portcullis token create nightly --groups build-servers --expires 90d'));
  token
    .command('create')
    .addOption(policiesOption)
    .argument('<name>', 'the robot; it is declared when it does not exist')
    .description('make a secret for a robot and print it once, alone on its line')
    .option('--groups <a,b>', 'groups of a robot that does not exist yet', commaList)
    .option('--repositories <patterns>', 'only in these repositories, as in "integration/**,tools/*"', commaList)
    .option('--actions <a,b>', `only these: ${secretActions.join(', ')}`, commaList)
    .option('--unlimited', 'take no limits over from the secret that the robot has')
    .option('--expires <when>', 'a date, a time or a duration: 2027-01-01, 2027-01-01T08:00:00Z, 90d (default: never)')
    .addHelpText(
      'after',
      example(
        'portcullis token create nightly --groups build-servers --repositories "integration/**" --expires 90d',
        'portcullis token create deployer --actions pull --expires 2027-01-01 > deployer.secret',
      ) + aboutSecrets,
    )
    .action(async (name: string, { policies = [], ...wanted }: PolicyOptions & Omit<WantedToken, 'name'>) =>
      done(await (await import('./token-changes.ts')).createToken(policies, { ...wanted, name })),
    );
  token
    .command('revoke')
    .addOption(policiesOption)
    .argument('<name>', 'the robot')
    .argument('[id]', 'the secret, as `token list` shows it')
    .option('--all', 'every secret of the robot')
    .description('take secrets of a robot back: they and the access tokens made with them stop working within seconds')
    .addHelpText('after', example('portcullis token revoke nightly k3v9x2ma', 'portcullis token revoke nightly --all'))
    .action(
      async (
        name: string,
        id: string | undefined,
        { policies = [], all = false }: PolicyOptions & { all?: boolean },
      ) => {
        if ((id === undefined) !== all) {
          done(usageProblem('name one secret by its id, or --all for every secret of the robot'));
          return;
        }
        done(await (await import('./token-changes.ts')).revokeTokens(policies, { name, id }));
      },
    );
  token
    .command('list')
    .addOption(policiesOption)
    .argument('[name]', 'only the secrets of this robot')
    .description('list the secrets of robots, with their last use when the gateway of this configuration answers')
    .option('--json', 'one JSON object instead of text')
    .addHelpText('after', example('portcullis token list', 'portcullis token list nightly --json'))
    .action(async (name: string | undefined, { policies = [], json = false }: PolicyOptions) =>
      done(await (await import('./token-changes.ts')).listTokens(policies, { name, json })),
    );
}
