/** What was about to be done, and nobody knows whether it was. */
import { expect, test } from 'vitest';
import { OpenIntents } from '../../src/audit/unfinished.ts';

function unfinished(...lines: readonly (object | string)[]): readonly string[] {
  const found: string[] = [];
  const intents = new OpenIntents(({ intent, hasEnded }) =>
    found.push(`${String(intent['requestId'])}${hasEnded ? ' ended' : ''}`),
  );
  for (const line of lines) intents.give(Buffer.from(typeof line === 'string' ? line : JSON.stringify(line)));
  const count = intents.count;
  intents.end();
  expect([count, intents.count]).toEqual([found.length, found.length]);
  return found;
}

const intent = (requestId: string) => ({ time: '', event: 'intent', requestId });
const outcome = (requestId: string, more: object = {}) => ({
  time: '',
  event: 'access',
  ...more,
  requestId,
  status: 201,
});

test.each([
  ['none that has its outcome', [intent('a'), outcome('b'), intent('c'), outcome('c'), outcome('a')], []],
  ['one without, and not its neighbours', [intent('a'), intent('b'), outcome('a')], ['b']],
  ['one whose outcome stands before it', [outcome('a'), intent('a')], ['a']],
  ['all that a process left that ended', [intent('a'), { event: 'chain_restart' }, intent('b')], ['a ended', 'b']],
  [
    'one whose name stands in the claims of another',
    [intent('a'), outcome('b', { claims: { requestId: 'a' } })],
    ['a'],
  ],
  ['one with an outcome that has such a claim', [intent('a'), outcome('a', { claims: { requestId: 'b' } })], []],
  [
    'one that a client wrote into a name of its own',
    [intent('a'), outcome('b', { userAgent: '"requestId":"a"' })],
    ['a'],
  ],
  [
    'nothing of what only looks like one',
    [outcome('b', { claims: { event: 'intent' } }), '{"event":"intent"', 'x'],
    [],
  ],
])('there is %s', (_title, lines, expected) => {
  expect(unfinished(...lines)).toEqual(expected);
});

test('of very many the oldest is not waited for any longer', () => {
  const lines = Array.from({ length: 10_050 }, (_, n) => intent(String(n)));
  const found = unfinished(...lines, outcome('10049'));
  expect([found.length, found[0], found.at(-1)]).toEqual([10_049, '0', '10048']);
});
