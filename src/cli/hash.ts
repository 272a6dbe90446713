/** `portcullis hash`: a password hash for a policy file. */
import { hashPassword } from '../identity/password.ts';
import { type ExitCode, exitCodes } from './exit-codes.ts';
import { readPassword } from './read-password.ts';
import { complain } from './report.ts';

/** Prints the hash alone on its line; 2 for a password that cannot be read or used. */
export async function hash({ passwordStdin }: { readonly passwordStdin: boolean }): Promise<ExitCode> {
  const password = await readPassword({ passwordStdin });
  if (typeof password !== 'string') return complain(password.problem, exitCodes.usage);
  process.stdout.write(`${await hashPassword(password)}\n`);
  return exitCodes.ok;
}
