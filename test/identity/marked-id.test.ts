import { expect, test } from 'vitest';
import { isMarkedWith, makeMarkedId } from '../../src/identity/marked-id.ts';

test('a session name belongs to the password that opened it, and to no other', () => {
  const id = makeMarkedId('$argon2id$one');
  expect(id).toMatch(/^[A-Za-z0-9_-]{33}$/);
  expect(isMarkedWith('$argon2id$one', id)).toBe(true);
  for (const other of ['$argon2id$two', '', undefined]) expect(isMarkedWith(other, id)).toBe(false);
});

test('a session name that was changed, cut or made elsewhere belongs to nobody', () => {
  const id = makeMarkedId('hash');
  for (const other of [id.slice(1), `${id}A`, '', 'x'.repeat(33), id.slice(0, 22)]) {
    expect(isMarkedWith('hash', other)).toBe(false);
  }
});

test('two sessions of one password have different names', () => {
  expect(makeMarkedId('hash')).not.toBe(makeMarkedId('hash'));
});
