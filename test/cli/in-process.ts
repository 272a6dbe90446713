/** The command line called in the process of the test: all of a run but the start of a program, which takes longer than most verbs. */
import { Readable, Writable } from 'node:stream';
import { runCommandLine } from '../../src/cli/program.ts';
import type { RunOptions, RunResult } from '../support/programs.ts';

let isRunning = false;

/**
 * As `run` of the built program: the same bare environment, working directory, standard input and output, all given back
 * afterwards. One at a time, since a process has one of each; a throw of the command line fails the test.
 */
export async function callProgram(
  args: readonly string[],
  { cwd = '.', env = {}, input = '', isTerminal }: Omit<RunOptions, 'timeoutMs'> & { readonly isTerminal?: true },
): Promise<RunResult> {
  if (isRunning) throw new Error('a command line is running in this process already');
  isRunning = true;
  const { stdout, stderr } = { stdout: new Collected(), stderr: new Collected() };
  const restore = [
    replace('stdin', Object.assign(Readable.from([Buffer.from(input)]), { isTTY: isTerminal })),
    replace('stdout', stdout),
    replace('stderr', stderr),
    replace('env', { PATH: process.env['PATH'], LANG: 'C.UTF-8', ...env }),
  ];
  const before = { cwd: process.cwd(), exitCode: process.exitCode };
  process.chdir(cwd);
  try {
    const code = await runCommandLine(['node', 'portcullis', ...args]);
    return { code, stdout: stdout.text(), stderr: stderr.text() };
  } finally {
    process.chdir(before.cwd);
    process.exitCode = before.exitCode;
    for (const each of restore) each();
    isRunning = false;
  }
}

/** A stream that is no terminal. */
class Collected extends Writable {
  readonly #chunks: Buffer[] = [];

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.#chunks.push(chunk);
    done();
  }

  text(): string {
    return Buffer.concat(this.#chunks).toString();
  }
}

/** Gives what sets the property of the process back as it was. */
function replace(name: 'stdin' | 'stdout' | 'stderr' | 'env', value: object): () => void {
  const before = Object.getOwnPropertyDescriptor(process, name);
  if (before === undefined) throw new Error(`process.${name} cannot be replaced`);
  Object.defineProperty(process, name, { value, configurable: true, enumerable: true, writable: true });
  return () => void Object.defineProperty(process, name, before);
}
