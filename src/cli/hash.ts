/** `portcullis hash`: a password hash for a policy file. */
import { hashPassword } from '../identity/password.ts';
import { type ExitCode, exitCodes } from './exit-codes.ts';
import { readPassword } from './read-password.ts';

export async function hash({ passwordStdin }: { readonly passwordStdin: boolean }): Promise<ExitCode> {
  const password = await readPassword({ passwordStdin });
  if (typeof password !== 'string') {
    process.stderr.write(`portcullis: ${password.problem}\n`);
    return exitCodes.usage;
  }
  process.stdout.write(`${await hashPassword(password)}\n`);
  return exitCodes.ok;
}
