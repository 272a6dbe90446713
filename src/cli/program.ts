/** The verbs, their options and their help. Each verb is loaded when it is called, so that `--help` is quick. */
import { Command, CommanderError, Option } from 'commander';
import { configKeys } from '../config/schema.ts';
import { addCheck } from './check.ts';
import { addDiff } from './diff.ts';
import { type ExitCode, exitCodes } from './exit-codes.ts';
import { addExplain } from './explain.ts';
import { addImport } from './import.ts';
import { addInit } from './init.ts';
import { addKey } from './key.ts';
import { addLimits } from './limits.ts';
import { addSchema } from './schema.ts';
import { addSession } from './session.ts';
import { addTest } from './test.ts';
import { addToken } from './token.ts';
import { addUser } from './user.ts';
import { version } from '../version.ts';
import { addWhoCan } from './who-can.ts';

/** Runs one command line and returns its exit code; prints usage errors itself. */
export async function runCommandLine(argv: readonly string[]): Promise<ExitCode> {
  let code: ExitCode = exitCodes.ok;
  const done = (result: ExitCode): void => void (code = result);
  const program = new Command('portcullis')
    .description('The front door of an unsecured container registry: login, tokens, policies, limits.')
    .version(version)
    .addHelpText('after', example('portcullis try'))
    .showSuggestionAfterError()
    .showHelpAfterError('(see --help)')
    .exitOverride();

  addServe(program, done);
  program
    .command('try')
    .description('show login, push, pull and a refusal with its reason, without any client')
    .option('--json', 'one JSON object instead of text')
    .addHelpText('after', example('portcullis try'))
    .action(async ({ json = false }: { json?: boolean }) => done(await (await import('./try.ts')).tryFlow({ json })));
  addCheck(program, done);
  addTest(program, done);
  addExplain(program, done);
  addWhoCan(program, done);
  addDiff(program, done);
  addUser(program, done);
  addToken(program, done);
  addInit(program, done);
  addSchema(program, done);
  addImport(program, done);
  addSession(program, done);
  addLimits(program, done);
  addKey(program, done);
  program
    .command('hash')
    .description('read a password and print its argon2id hash for a policy file')
    .option('--password-stdin', 'read the password from standard input')
    .addHelpText('after', example("printf %s 'correct horse' | portcullis hash --password-stdin"))
    .action(async ({ passwordStdin = false }: { passwordStdin?: boolean }) =>
      done(await (await import('./hash.ts')).hash({ passwordStdin })),
    );
  program
    .command('healthcheck')
    .description('exit 0 when the gateway of this configuration is alive')
    .addHelpText('after', example('portcullis healthcheck'))
    .action(async () => done(await (await import('./healthcheck.ts')).healthcheck()));

  try {
    await program.parseAsync([...argv]);
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    return error.exitCode === 0 ? exitCodes.ok : exitCodes.usage;
  }
  return code;
}

function addServe(program: Command, done: (code: ExitCode) => void): void {
  const serve = program
    .command('serve')
    .description('run the gateway; without a configuration file in try mode')
    .option('--config <file>', 'the configuration file (default: portcullis.yaml)')
    .addHelpText('after', example('portcullis serve --config /etc/portcullis/portcullis.yaml'));
  const flags = new Map<string, string>();
  for (const { key, description } of configKeys()) {
    const flag = key.replace('.', '-').replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
    const option = new Option(`--${flag} <value>`, description);
    flags.set(option.attributeName(), key);
    serve.addOption(option);
  }
  serve.action(async (options: Readonly<Record<string, string>>) => {
    const values: Record<string, string> = {};
    for (const [attribute, value] of Object.entries(options)) {
      const key = flags.get(attribute);
      if (key !== undefined) values[key] = value;
    }
    const { config } = options;
    done(await (await import('./serve.ts')).serve({ values, ...(config === undefined ? {} : { config }) }));
  });
}

function example(line: string): string {
  return `\nExample:\n  ${line}\n`;
}
