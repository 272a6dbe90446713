/** The verbs and their help. A verb is loaded when it is called: loading them takes longer than most of them run. */
import { setFlagsFromString } from 'node:v8';
import { Command, CommanderError, Option } from 'commander';
import type { ConfigKey } from '../config/schema.ts';
import { version } from '../version.ts';
import { type ExitCode, exitCodes } from './report.ts';
import type { SchemaKind } from './json-schemas.ts';
import { type AddVerb, example } from './verb.ts';

/** In the order of the help. */
const verbs: Readonly<Record<string, (argv: readonly string[]) => AddVerb | Promise<AddVerb>>> = {
  serve: async (argv) => addServe(keysToTake(await import('../config/schema.ts'), argv)),
  try: () => addTry,
  check: async () => (await import('./check.ts')).addCheck,
  test: async () => (await import('./test.ts')).addTest,
  explain: async () => (await import('./explain.ts')).addExplain,
  'who-can': async () => (await import('./who-can.ts')).addWhoCan,
  access: async () => (await import('./access.ts')).addAccess,
  promote: async () => (await import('./promote.ts')).addPromote,
  diff: async () => (await import('./diff.ts')).addDiff,
  replay: async () => (await import('./replay.ts')).addReplay,
  freezes: async () => (await import('./freezes.ts')).addFreezes,
  user: async () => (await import('./user.ts')).addUser,
  robot: async () => (await import('./user.ts')).addRobot,
  token: async () => (await import('./token.ts')).addToken,
  init: () => addInit,
  schema: () => addSchema,
  import: async () => (await import('./import.ts')).addImport,
  session: async () => (await import('./session.ts')).addSession,
  limits: async () => (await import('./limits.ts')).addLimits,
  audit: async () => (await import('./audit.ts')).addAudit,
  key: async () => (await import('./key.ts')).addKey,
  login: async () => (await import('./login.ts')).addLogin,
  'login-test': async () => (await import('./login-test.ts')).addLoginTest,
  hash: () => addHash,
  doctor: async () => (await import('./doctor.ts')).addDoctor,
  healthcheck: () => addHealthcheck,
};

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

  const called = Object.entries(verbs).filter(([name]) => name === argv[2]);
  // Help and suggestions are about all of them.
  for (const [, load] of called.length > 0 ? called : Object.entries(verbs)) (await load(argv))(program, done);
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

/** What a command line may set: of maps the entries that it names, and once what all have, for the help. */
function keysToTake({ configKeys, anyName }: typeof import('../config/schema.ts'), argv: readonly string[]) {
  const named = argv.flatMap((argument) => /^--upstreams-([a-z0-9]+)-/.exec(argument)?.[1] ?? []);
  return configKeys([anyName, ...new Set(named)]).filter(({ key, secret }) => !secret || key === 'redis');
}

function addServe(keys: readonly ConfigKey[]): AddVerb {
  return (program, done) => {
    const serve = program
      .command('serve')
      .description('run the gateway; without a configuration file in try mode')
      .option('--config <file>', 'the configuration file (default: portcullis.yaml)')
      .addHelpText('after', example('portcullis serve --config /etc/portcullis/portcullis.yaml'));
    const flags = new Map<string, string>();
    for (const { key, description } of keys) {
      const flag = key.replaceAll('.', '-').replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
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
      done(await (await import('./serve.ts')).serve({ values, config }));
    });
  };
}

const addTry: AddVerb = (program, done) =>
  program
    .command('try')
    .description('show login, push, pull and a refusal with its reason, without any client')
    .option('--json', 'one JSON object instead of text')
    .addHelpText('after', example('portcullis try'))
    .action(async ({ json = false }: { json?: boolean }) => done(await (await import('./try.ts')).tryFlow({ json })));

const addInit: AddVerb = (program, done) =>
  program
    .command('init')
    .argument('[dir]', 'where to write; default: here')
    .description('write a commented portcullis.yaml, policies, a signing key and editor schemas; overwrites nothing')
    .addHelpText('after', example('portcullis init /etc/portcullis'))
    .action(async (directory = '.') => done((await import('./init-files.ts')).init(String(directory))));

const addSchema: AddVerb = (program, done) =>
  program
    .command('schema')
    .addArgument(program.createArgument('<kind>', 'the kind of file').choices(['policy', 'config', 'audit']))
    .description('print the JSON Schema (draft-07) of policy files, of the configuration or of audit lines')
    .addHelpText('after', example('portcullis schema policy > schema/policy.schema.json'))
    .action(async (kind: SchemaKind) => {
      process.stdout.write((await import('./json-schemas.ts')).schemaText(kind));
      done(exitCodes.ok);
    });

const addHash: AddVerb = (program, done) =>
  program
    .command('hash')
    .description('read a password and print its argon2id hash for a policy file')
    .option('--password-stdin', 'read the password from standard input')
    .addHelpText('after', example("printf %s 'correct horse' | portcullis hash --password-stdin"))
    .addOption(new Option('--self-test', 'for doctor').hideHelp())
    .action(async ({ passwordStdin = false, selfTest = false }: { passwordStdin?: boolean; selfTest?: boolean }) => {
      const { hash, hashSelfTest } = await import('./password.ts');
      done(await (selfTest ? hashSelfTest() : hash({ passwordStdin })));
    });

const addHealthcheck: AddVerb = (program, done) =>
  program
    .command('healthcheck')
    .description('exit 0 when the gateway of this configuration is alive')
    .addHelpText('after', example('portcullis healthcheck'))
    .action(async () => done(await (await import('./admin-client.ts')).healthcheck()));

/** Verbs that read no configuration, and `serve`, which says itself what the option means. */
const withoutConfiguration: ReadonlySet<string> = new Set(['serve', 'init', 'schema', 'diff', 'hash', 'login']);

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

/**
 * A reader that has seen enough is no fault: the verb goes on, its work is done and its exit code is the answer. Any other
 * failure is said once and the exit code is 1, since what was printed is not whole.
 */
function bearLostReaders(): void {
  let isTold = false;
  process.stderr.on('error', () => undefined);
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE' || isTold) return;
    isTold = true;
    process.stderr.write(`portcullis: standard output cannot be written: ${error.message}\n`);
    process.once('exit', () => void (process.exitCode = exitCodes.problems));
  });
}
