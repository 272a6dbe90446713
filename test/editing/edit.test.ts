import { expect, test } from 'vitest';
import { hasSection, makeEdit } from '../../src/editing/edit.ts';

test('a file has a section only where the key is at the top', () => {
  expect(hasSection('users: {}\n', 'users')).toBe(true);
  expect(hasSection('groups: { users: {} }\n', 'users')).toBe(false);
  expect(hasSection('# users:\n', 'users')).toBe(false);
  expect(hasSection('users: [\n', 'users')).toBe(false);
});

test('an edit that would mean anything else than was wanted is refused', () => {
  const insert = (text: string) => () => [{ offset: 0, length: 0, text }];
  const wanted = { b: 2, a: 1 };
  expect(makeEdit('a: 1\n', insert('b: 2\n'), (before) => before)).toMatchObject({ ok: false });
  expect(makeEdit('a: 1\n', insert('a: 2\n'), () => wanted)).toMatchObject({ ok: false });
  expect(makeEdit('a: 1\n', insert('b: 2\n'), () => wanted)).toEqual({ ok: true, text: 'b: 2\na: 1\n' });
});
