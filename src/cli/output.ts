/** Standard output whose reader may leave (`… | head -1`) or whose disk may be full. */
import { exitCodes } from './exit-codes.ts';

/**
 * A reader that has seen enough is no fault: the verb goes on, its work is done and its exit code is the answer. Any other
 * failure is said once and the exit code is 1, since what was printed is not whole.
 */
export function bearLostReaders(): void {
  let isTold = false;
  process.stderr.on('error', () => undefined);
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE' || isTold) return;
    isTold = true;
    process.stderr.write(`portcullis: standard output cannot be written: ${error.message}\n`);
    process.once('exit', () => void (process.exitCode = exitCodes.problems));
  });
}
