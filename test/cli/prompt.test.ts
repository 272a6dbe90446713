/** A password that is asked for at a terminal, and not typed. */
import { expect, test } from 'vitest';
import { callProgram } from './in-process.ts';

test.each([
  ['Ctrl-C', '\u0003'],
  ['Ctrl-D', '\u0004'],
  ['the end of the terminal', ''],
])('%s is no password, and no crash', async (_, input) => {
  const { code, stdout, stderr } = await callProgram(['hash'], { input, isTerminal: true });
  expect([code, stdout, stderr]).toEqual([2, '', 'Password: \nportcullis: no password was given\n']);
});
