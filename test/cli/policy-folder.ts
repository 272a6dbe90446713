import { mkdir, readFile, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach } from 'vitest';
import type { Policy } from '../../src/policy/model.ts';
import { parsePolicy } from '../../src/policy/files/parse.ts';
import { type RunResult, run } from '../support/programs.ts';
import { makeTempDir, removeTempDir } from '../support/temp-dir.ts';
import { callProgram } from './in-process.ts';

/** The built program. */
export const program = fileURLToPath(new URL('../../dist/cli.js', import.meta.url));

/** A folder of its own for each test, with `policies/` in it, and the command line as a person runs it there. */
export interface PolicyFolder {
  /** A path in the folder of the test that is running. */
  readonly at: (...path: readonly string[]) => string;
  /** In the process of the test. */
  readonly portcullis: (args: readonly string[], input?: string) => Promise<RunResult>;
  /** The same as the built program. */
  readonly built: (args: readonly string[], input?: string) => Promise<RunResult>;
  readonly textOf: (name: string) => Promise<string>;
  readonly write: (name: string, text: string) => Promise<void>;
  /** What all files of `policies/` say. Throws when they are no policy. */
  readonly policy: () => Promise<Policy>;
}

/** For the tests of the suite that calls it; `files` are made before each, by name. */
export function usePolicyFolder(files: Readonly<Record<string, string>>): PolicyFolder {
  let directory = '';
  beforeEach(async () => {
    directory = await makeTempDir('policies');
    await mkdir(join(directory, 'policies'));
    for (const [name, text] of Object.entries(files)) await folder.write(name, text);
  });
  afterEach(() => removeTempDir(directory));

  const folder: PolicyFolder = {
    at: (...path) => join(directory, ...path),
    portcullis: (args, input = '') => callProgram(args, { cwd: directory, input, env: { HOME: directory } }),
    built: (args, input = '') =>
      run(process.execPath, [program, ...args], { cwd: directory, input, env: { HOME: directory } }),
    textOf: (name) => readFile(join(directory, 'policies', name), 'utf8'),
    write: (name, text) => writeFile(join(directory, 'policies', name), text),
    async policy() {
      const names = (await readdir(join(directory, 'policies'))).filter((name) => name.endsWith('.yaml'));
      const texts = await Promise.all(names.map(async (file) => ({ file, text: await folder.textOf(file) })));
      const reading = parsePolicy(texts);
      if (!reading.ok) throw new Error(JSON.stringify(reading.problems));
      return reading.policy;
    },
  };
  return folder;
}
