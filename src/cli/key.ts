/** `portcullis key`: signing keys, with an overlap in which no replica refuses what another one signed. */
import { rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { type KeyFile, generateKey, publishMs, readKeyFiles } from '../adapters/files/key-ring.ts';
import { readConfiguration } from './configuration.ts';
import { type ExitCode, exitCodes, formatTable, printJson, reportBroken, reportProblems } from './report.ts';
import { type Command, example } from './verb.ts';

/** Seconds by which a token outlives its `exp` at most: the leeway for clocks, doubled. */
const skewSeconds = 120;

/** `key rotate|list`: works on the directory, not on a gateway; gateways follow it. */
export function addKey(program: Command, done: (code: ExitCode) => void): void {
  const key = program
    .command('key')
    .description('signing keys of access tokens')
    .addHelpText('after', example('portcullis key rotate'));
  key
    .command('rotate')
    .description('make a new key; it signs after half a minute, old keys go when their last token has expired')
    .option('--keys <dir>', 'the key directory; default: the configured one')
    .addHelpText('after', example('portcullis key rotate --keys ./keys'))
    .action(({ keys }: { keys?: string }) => done(withDirectory(keys, rotate)));
  key
    .command('list')
    .description('keys whose tokens are accepted')
    .option('--keys <dir>', 'the key directory; default: the configured one')
    .option('--json', 'one JSON object instead of text')
    .addHelpText('after', example('portcullis key list --json'))
    .action(({ keys, json = false }: { keys?: string; json?: boolean }) =>
      done(withDirectory(keys, (place) => list(place, json))),
    );
}

interface Place {
  readonly directory: string;
  readonly accessTtlSeconds: number;
}

/** Longest lifetime that a configuration can give access tokens; assumed where none is read. */
const longestTtlSeconds = 86_400;

function withDirectory(flag: string | undefined, run: (place: Place) => ExitCode): ExitCode {
  const configuration = readConfiguration();
  if (flag !== undefined) {
    const accessTtlSeconds = configuration.ok ? configuration.config.tokens.accessTtlSeconds : longestTtlSeconds;
    return run({ directory: resolve(flag), accessTtlSeconds });
  }
  if (!configuration.ok) return reportBroken(configuration.problems);
  const { tokens, stateDir } = configuration.config;
  return run({ directory: tokens.keys ?? join(stateDir, 'keys'), accessTtlSeconds: tokens.accessTtlSeconds });
}

function rotate({ directory, accessTtlSeconds }: Place): ExitCode {
  const now = Date.now();
  const made = generateKey(directory, now);
  const reading = readKeyFiles(directory, false);
  if (!reading.ok) {
    reportProblems(reading.problems);
    return exitCodes.problems;
  }
  const since = new Date(now + publishMs).toISOString();
  process.stdout.write(`new key ${made}\nit signs from ${since} on; replicas read it within seconds\n`);
  const keepMs = publishMs + (accessTtlSeconds + skewSeconds) * 1000;
  for (const { path } of retired(reading.files, now, keepMs)) {
    rmSync(path);
    process.stdout.write(`removed ${path}: its last token has expired\n`);
  }
  return exitCodes.ok;
}

/** Keys that a newer one replaced so long ago that none of their tokens can be alive. Only files this program made. */
function retired(files: readonly KeyFile[], now: number, keepMs: number): readonly KeyFile[] {
  return files.filter(
    ({ made }, index) =>
      made !== undefined &&
      files.slice(index + 1).some((newer) => newer.made !== undefined && newer.made + keepMs <= now),
  );
}

function list({ directory }: Place, json: boolean): ExitCode {
  const reading = readKeyFiles(directory, false);
  if (!reading.ok) {
    reportProblems(reading.problems);
    return exitCodes.problems;
  }
  const now = Date.now();
  const published = reading.files.filter(({ made }) => (made ?? 0) + publishMs <= now);
  const signing = published.at(-1) ?? reading.files[0];
  const views = reading.files.map((file) => ({
    kid: file.key.kid,
    algorithm: file.key.algorithm,
    file: file.path,
    made: file.made === undefined ? undefined : new Date(file.made).toISOString(),
    signing: file === signing,
  }));
  if (json) printJson({ keys: views });
  else {
    const rows = views.map((view) => [view.kid, view.algorithm, view.signing ? 'signs' : 'accepted', view.file]);
    process.stdout.write(formatTable(['kid', 'algorithm', 'state', 'file'], rows));
  }
  return exitCodes.ok;
}
