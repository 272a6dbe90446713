/**
 * The size of what grows with patience: how many cases a property tries, how many guesses an attack makes. A file that asks
 * is run by `npm test` at its small size and by `npm run test:full` at its full one (test/selection.mjs).
 */
export const isFull = process.env['PORTCULLIS_TEST_SIZE'] === 'full';

/** The full number in a full run; otherwise the small one, a fifth of it unless said. */
export function sized(full: number, small = Math.ceil(full / 5)): number {
  return isFull ? full : small;
}
