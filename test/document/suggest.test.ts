import { expect, test } from 'vitest';
import { didYouMean, nearest } from '../../src/document/suggest.ts';

const actions = ['pull', 'push', 'create', 'overwrite', 'delete', 'catalog'];

test.each([
  ['psuh', 'push', 'two letters are swapped'],
  ['pul', 'pull', 'a letter is missing'],
  ['deletee', 'delete', 'a letter is too many'],
  ['PUSH', 'push', 'only the case differs'],
  ['overwirte', 'overwrite', 'a long word is misspelled'],
])('%s is taken for %s when %s', (word, expected) => {
  expect(nearest(word, actions)).toBe(expected);
});

test.each([
  ['banana', 'it is far from everything'],
  ['', 'it is empty'],
  ['x', 'it shares no letter with a candidate'],
  ['p'.repeat(10_000), 'it is longer than any name'],
])('%.12s is taken for nothing because %s', (word) => {
  expect(nearest(word, actions)).toBeUndefined();
});

test('of two equally near words the alphabetically first is suggested, whichever is listed first', () => {
  expect(nearest('bat', ['cat', 'bar'])).toBe('bar');
  expect(nearest('bat', ['bar', 'cat'])).toBe('bar');
});

test('the hint is a half-sentence, or nothing', () => {
  expect(didYouMean('psuh', actions)).toBe(' — did you mean "push"?');
  expect(didYouMean('banana', actions)).toBe('');
});

test('an endless supply of candidates is cut short', () => {
  function* endless(): Generator<string> {
    for (let count = 0; ; count += 1) yield `candidate-${count}`;
  }
  expect(nearest('nothing-near-this', endless())).toBeUndefined();
});
