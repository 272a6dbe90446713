/** The work of `portcullis init`. What is there already stays, down to the byte. */
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { generateKey } from '../adapters/files/key-ring.ts';
import { configTemplate } from '../config/template.ts';
import { type ExitCode, complain, exitCodes } from './report.ts';
import { schemaText } from './json-schemas.ts';
import { packageRoot } from '../version.ts';

/** The example policy that comes with the program. */
const shippedPolicies = fileURLToPath(new URL('policies/', packageRoot));
const modeline = '# yaml-language-server: $schema=../schema/policy.schema.json\n';

/** What was done with one path, for the report. */
interface Step {
  readonly path: string;
  readonly done: 'written' | 'kept';
  readonly note: string;
}

/** Prints what was written and what was kept; 1 for a directory that cannot be written. */
export function init(target: string): ExitCode {
  const directory = resolve(target);
  try {
    mkdirSync(directory, { recursive: true });
    const steps = [
      writeNew(join(directory, 'portcullis.yaml'), configTemplate(), 'the configuration; every setting is explained'),
      ...writePolicies(join(directory, 'policies')),
      ...writeKey(join(directory, 'keys')),
      ...writeSchemas(join(directory, 'schema')),
    ];
    process.stdout.write(report(directory, steps));
    return exitCodes.ok;
  } catch (error) {
    // A directory that cannot be written is not a bug of ours.
    if (!(error instanceof Error && 'code' in error)) throw error;
    return complain(error.message);
  }
}

function writeNew(path: string, text: string, note: string): Step {
  try {
    writeFileSync(path, text, { flag: 'wx' });
    return { path, done: 'written', note };
  } catch (error) {
    if (!isCode(error, 'EEXIST')) throw error;
    return { path, done: 'kept', note: 'is there already' };
  }
}

/** All or none: the example's rules added to a policy that is in use would change who may do what. */
function writePolicies(directory: string): readonly Step[] {
  const note = 'has policy files already';
  if (namesIn(directory).some((name) => /\.ya?ml$/.test(name))) return [{ path: directory, done: 'kept', note }];
  mkdirSync(directory, { recursive: true });
  return namesIn(shippedPolicies)
    .filter((name) => /\.ya?ml$/.test(name))
    .map((name) => {
      const text = readFileSync(join(shippedPolicies, name), 'utf8');
      const withModeline = text.startsWith(modeline) ? text : modeline + text;
      return writeNew(join(directory, name), withModeline, 'example policies, with the tests that guard them');
    });
}

function writeKey(directory: string): readonly Step[] {
  if (namesIn(directory).length > 0) return [{ path: directory, done: 'kept', note: 'is not empty' }];
  const key = generateKey(directory, Date.now());
  // A signing key in a repository lets every reader make tokens.
  writeFileSync(join(directory, '.gitignore'), '*\n', { flag: 'wx' });
  return [{ path: key, done: 'written', note: 'signs the tokens (ES256); keep it secret' }];
}

function writeSchemas(directory: string): readonly Step[] {
  mkdirSync(directory, { recursive: true });
  return (['policy', 'config'] as const).map((kind) =>
    writeNew(join(directory, `${kind}.schema.json`), schemaText(kind), 'for editors: completion, checks, explanations'),
  );
}

function namesIn(directory: string): readonly string[] {
  try {
    return readdirSync(directory).sort();
  } catch (error) {
    if (isCode(error, 'ENOENT')) return [];
    throw error;
  }
}

function isCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}

function report(directory: string, steps: readonly Step[]): string {
  const here = relative(process.cwd(), directory);
  const paths = steps.map(({ path }) => relative(process.cwd(), path));
  const width = Math.max(...paths.map((path) => path.length));
  const lines = steps.map(
    ({ done, note }, index) => `  ${done.padEnd(7)}  ${(paths[index] ?? '').padEnd(width)}  ${note}`,
  );
  const next = [
    ...(here === '' ? [] : [`cd ${here}`]),
    '# set publicUrl and upstream in portcullis.yaml, then',
    'portcullis check',
    'portcullis user add YOUR-NAME --groups admins',
    'portcullis serve',
  ];
  return [...lines, '', 'Next:', ...next.map((line) => `  ${line}`), ''].join('\n');
}
