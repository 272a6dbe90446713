import { expect, test } from 'vitest';
import { isOfPassword, makeSessionId } from '../../src/token/session-id.ts';

test('a session name belongs to the password that opened it, and to no other', () => {
  const id = makeSessionId('$argon2id$one');
  expect(id).toMatch(/^[A-Za-z0-9_-]{33}$/);
  expect(isOfPassword(id, '$argon2id$one')).toBe(true);
  for (const other of ['$argon2id$two', '', undefined]) expect(isOfPassword(id, other)).toBe(false);
});

test('a session name that was changed, cut or made elsewhere belongs to nobody', () => {
  const id = makeSessionId('hash');
  for (const other of [id.slice(1), `${id}A`, '', 'x'.repeat(33), id.slice(0, 22)]) {
    expect(isOfPassword(other, 'hash')).toBe(false);
  }
});

test('two sessions of one password have different names', () => {
  expect(makeSessionId('hash')).not.toBe(makeSessionId('hash'));
});
