/** Passwords come from a terminal or standard input, never from an argument: those show in process lists. */
import { createInterface } from 'node:readline/promises';
import { Writable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { maxPasswordLength } from '../distribution/credentials.ts';
import { looksCarried } from '../identity/carried-secret.ts';
import { hashPassword, tryHashes } from '../identity/password.ts';
import { type ExitCode, complain, exitCodes } from './report.ts';

type Given = string | { readonly problem: string };

/** From standard input to its end, or asked twice without echo. */
export async function readPassword({ passwordStdin }: { readonly passwordStdin: boolean }): Promise<Given> {
  return passwordStdin ? readAll() : promptTwice();
}

/** One that exists already, of a person or a robot: from standard input to its end, or asked once without echo. */
export async function readCredential({ passwordStdin }: { readonly passwordStdin: boolean }): Promise<Given> {
  if (!passwordStdin && process.stdin.isTTY !== true) return { problem: noTerminal };
  const given = passwordStdin ? await readLine() : await ask('Password: ');
  return given === '' ? { problem: 'the password is empty' } : given;
}

const noTerminal = 'there is no terminal to ask at; use --password-stdin';

async function readAll(): Promise<Given> {
  const given = await readLine();
  return typeof given === 'string' ? checked(given) : given;
}

async function readLine(): Promise<Given> {
  const bytes = await buffer(process.stdin);
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes).replace(/\r?\n$/, '');
  } catch {
    return { problem: 'the password is not UTF-8 text, as logins send it' };
  }
}

async function promptTwice(): Promise<Given> {
  if (process.stdin.isTTY !== true) return { problem: noTerminal };
  const first = await ask('Password: ');
  if (typeof first !== 'string') return first;
  const second = await ask('Again:    ');
  if (typeof second !== 'string') return second;
  return first === second ? checked(first) : { problem: 'the two passwords differ' };
}

function checked(password: string): Given {
  if (password === '') return { problem: 'the password is empty' };
  if (looksCarried(password))
    return { problem: 'a password that begins with pct_ is taken for a secret and could never log in; choose another' };
  if (Buffer.byteLength(password) > maxPasswordLength)
    return { problem: `the password is longer than ${maxPasswordLength} bytes` };
  return password;
}

/** Nothing typed is echoed. Ctrl-C and Ctrl-D, which reach no signal handler here, are no password. */
async function ask(prompt: string): Promise<Given> {
  process.stderr.write(prompt);
  const silent = new Writable({ write: (_chunk, _encoding, done) => done() });
  const reader = createInterface({ input: process.stdin, output: silent, terminal: true });
  const left = new Promise<undefined>((resolve) => reader.once('close', () => resolve(undefined)));
  try {
    const typed = await Promise.race([reader.question('').catch(() => undefined), left]);
    return typed ?? { problem: 'no password was given' };
  } finally {
    reader.close();
    process.stderr.write('\n');
  }
}

/** What `doctor` asks of another process: the libraries have compiled parts. */
export async function hashSelfTest(): Promise<ExitCode> {
  process.stdout.write(`${JSON.stringify(await tryHashes())}\n`);
  return exitCodes.ok;
}

/** Prints the hash alone on its line; 2 for a password that cannot be read or used. */
export async function hash({ passwordStdin }: { readonly passwordStdin: boolean }): Promise<ExitCode> {
  const password = await readPassword({ passwordStdin });
  if (typeof password !== 'string') return complain(password.problem, exitCodes.usage);
  process.stdout.write(`${await hashPassword(password)}\n`);
  return exitCodes.ok;
}
