/** The verbs, their options and their help. Each verb is loaded when it is called, so that `--help` is quick. */
import { setFlagsFromString } from 'node:v8';
import { Command, CommanderError, Option } from 'commander';
import { configKeys } from '../config/schema.ts';
import { addAccess } from './access.ts';
import { addCheck } from './check.ts';
import { addDiff } from './diff.ts';
import { type ExitCode, exitCodes } from './exit-codes.ts';
import { addExplain } from './explain.ts';
import { addImport } from './import.ts';
import { addInit } from './init.ts';
import { addKey } from './key.ts';
import { addLimits } from './limits.ts';
import { bearLostReaders } from './output.ts';
import { addRobot } from './robot.ts';
import { addSchema } from './schema.ts';
import { addSession } from './session.ts';
import { addTest } from './test.ts';
import { addToken } from './token.ts';
import { addUser } from './user.ts';
import { version } from '../version.ts';
import { addWhoCan } from './who-can.ts';

/** Runs one command line and returns its exit code; prints usage errors itself. */
export async function runCommandLine(argv: readonly string[]): Promise<ExitCode> {
  if (!argv.includes('serve') && !argv.includes('try')) optimizeLate();
  bearLostReaders();
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
  addAccess(program, done);
  addDiff(program, done);
  addUser(program, done);
  addRobot(program, done);
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

  for (const verb of verbsOf(program)) {
    if (!withoutConfiguration.has(verb.name()) && verb.parent?.name() !== 'import') addConfigOption(verb);
  }
  program.hook('preAction', (_, verb) => {
    const { config } = verb.opts<{ config?: string }>();
    if (config !== undefined) process.env['PORTCULLIS_CONFIG'] = config;
  });
  try {
    await program.parseAsync(withoutHelpOfNothing(program, argv));
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    return error.exitCode === 0 ? exitCodes.ok : exitCodes.usage;
  }
  return code;
}

/**
 * In what ends within a second, optimizing costs more than it saves: a third of the processor time of `check`. Ten times V8's
 * own patience, so a command that runs on is still optimized. From V8 12 on (Node 22) there is no such flag, and it would say so aloud.
 */
function optimizeLate(): void {
  if (Number.parseInt(process.versions.v8, 10) < 12) setFlagsFromString('--interrupt-budget=1400000');
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

/** Verbs that read no configuration, and `serve`, which says itself what the option means. */
const withoutConfiguration: ReadonlySet<string> = new Set(['serve', 'init', 'schema', 'diff', 'hash']);

/** What can be called: commands without any below them. */
function verbsOf(command: Command): readonly Command[] {
  return command.commands.length === 0 ? [command] : command.commands.flatMap(verbsOf);
}

function addConfigOption(verb: Command): void {
  verb.option('--config <file>', 'the configuration file (default: PORTCULLIS_CONFIG or portcullis.yaml)');
}

const asksForHelp: ReadonlySet<string> = new Set(['help', '--help', '-h']);

/** Without `--help` when it is asked of a verb that does not exist: that is a mistake to be told, not a page to be read. */
function withoutHelpOfNothing(program: Command, argv: readonly string[]): string[] {
  let command = program;
  for (const word of argv.slice(2).filter((argument) => !argument.startsWith('-'))) {
    if (command.commands.length === 0) break;
    const found = command.commands.find((each) => each.name() === word);
    if (found === undefined && word !== 'help') return argv.filter((each) => !asksForHelp.has(each));
    command = found ?? command;
  }
  return [...argv];
}

function example(line: string): string {
  return `\nExample:\n  ${line}\n`;
}
