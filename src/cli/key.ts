/** `portcullis key`: signing keys, with an overlap in which no replica refuses what another one signed. */
import { rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import {
  type KeyFile,
  adoptKey,
  generateKey,
  publishMs,
  readKeyFiles,
  readKeyFilesThere,
} from '../adapters/files/key-ring.ts';
import type { Problem } from '../document/problem.ts';
import { readConfiguration } from './configuration.ts';
import { type ExitCode, complain, exitCodes, formatTable, printJson, reportBroken, reportProblems } from './report.ts';
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
    .command('next')
    .description('make and publish a key that signs nothing yet: the next rotate makes it sign')
    .option('--keys <dir>', 'the key directory; default: the configured one')
    .addHelpText(
      'after',
      example('portcullis key next') +
        '\nFor registries that read our keys at their start (enforce: token): key next, give them the new\n/.well-known/jwks.json, restart them, then key rotate.\n',
    )
    .action(({ keys }: { keys?: string }) => done(withDirectory(keys, publishNext)));
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

/** What cannot be read is mended first: nobody else could use a key that is made beside it. */
function rotate({ directory, accessTtlSeconds }: Place): ExitCode {
  const now = Date.now();
  const before = readKeyFilesThere(directory);
  if (!before.ok) return broken(before.problems);
  const next = before.files.find(({ isNext }) => isNext);
  const made = next === undefined ? generateKey(directory, now) : adoptKey(directory, next, now);
  const reading = readKeyFiles(directory, false);
  if (!reading.ok) return broken(reading.problems);
  const since = new Date(now + publishMs).toISOString();
  const which = next === undefined ? 'new key' : 'the next key is now';
  process.stdout.write(`${which} ${made}\nit signs from ${since} on; replicas read it within seconds\n`);
  const keepMs = publishMs + (accessTtlSeconds + skewSeconds) * 1000;
  for (const { path } of retired(reading.files, now, keepMs)) {
    rmSync(path);
    process.stdout.write(`removed ${path}: its last token has expired\n`);
  }
  return exitCodes.ok;
}

function broken(problems: readonly Problem[]): ExitCode {
  reportProblems(problems);
  return exitCodes.problems;
}

/** One at a time: a second would wait for nothing; and behind one that signs, without which no gateway starts. */
function publishNext({ directory }: Place): ExitCode {
  const before = readKeyFiles(directory, false);
  if (!before.ok) return broken(before.problems);
  const known = before.files.find(({ isNext }) => isNext);
  if (known !== undefined) return complain(`${known.path} waits already; portcullis key rotate makes it sign`);
  const made = generateKey(directory, Date.now(), true);
  process.stdout.write(
    `next key ${made}\nit is published within seconds and signs nothing; give the registry the new keys, restart it, then: portcullis key rotate\n`,
  );
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
  if (!reading.ok) return broken(reading.problems);
  const now = Date.now();
  const able = reading.files.filter(({ isNext }) => !isNext);
  const signing = able.filter(({ made }) => (made ?? 0) + publishMs <= now).at(-1) ?? able[0];
  const views = reading.files.map((file) => ({
    kid: file.key.kid,
    algorithm: file.key.algorithm,
    file: file.path,
    made: file.made === undefined ? undefined : new Date(file.made).toISOString(),
    signing: file === signing,
    next: file.isNext,
  }));
  if (json) printJson({ keys: views });
  else {
    const rows = views.map((view) => [
      view.kid,
      view.algorithm,
      view.signing ? 'signs' : view.next ? 'next' : 'accepted',
      view.file,
    ]);
    process.stdout.write(formatTable(['kid', 'algorithm', 'state', 'file'], rows));
  }
  return exitCodes.ok;
}
