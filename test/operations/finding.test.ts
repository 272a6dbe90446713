/** Pages of a list of names. */
import { expect, test } from 'vitest';
import { pageOf } from '../../src/operations/finding.ts';

const names = Array.from({ length: 120 }, (_, number) => `n${String(number).padStart(3, '0')}`);
const without = (gone: string): readonly string[] => names.filter((name) => name !== gone);

test('fifty at a time, each behind the last name of the one before, and none behind the last', () => {
  const first = pageOf(names, undefined, 'name');
  const second = pageOf(names, first.next, 'name');
  const third = pageOf(names, second.next, 'name');
  expect([...first.page, ...second.page, ...third.page]).toEqual(names);
  expect(third.next).toBeUndefined();
});

test('in a list by name the next page is the next one when the last name was deleted meanwhile', () => {
  expect(pageOf(without('n049'), 'n049', 'name').page[0]).toBe('n050');
  expect(pageOf(without('n119'), 'n119', 'name')).toEqual({ page: [], next: undefined });
  expect(pageOf(without('n049'), 'n049', 'newest').page[0]).toBe('n000');
});
