/**
 * What `npm test` and `npm run test:full` hold, by name and content alone: a file `x.full.test.ts` takes minutes or drives
 * daemons and clients, so only the full run has it; a file that imports `support/size.ts` has a size for each run, so both
 * have it; all others are in `npm test`.
 */
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** @typedef {'quick' | 'full' | 'all'} Selection */

const root = fileURLToPath(new URL('..', import.meta.url));
const ofTests = /\.test\.ts$/;
const onlyFull = /\.full\.test\.ts$/;

/**
 * The files of a selection, from the root of the project, in order.
 * @param {Selection} selection
 * @returns {readonly string[]}
 */
export function testFiles(selection) {
  const files = readdirSync(join(root, 'test'), { recursive: true, encoding: 'utf8' })
    .map((name) => join('test', name))
    .filter((name) => ofTests.test(name))
    .sort();
  if (selection === 'all') return files;
  if (selection === 'quick') return files.filter((name) => !onlyFull.test(name));
  return files.filter((name) => onlyFull.test(name) || hasSizes(name));
}

/** @param {string} name */
function hasSizes(name) {
  return /from '[./]+\/support\/size\.ts'/.test(readFileSync(join(root, name), 'utf8'));
}
