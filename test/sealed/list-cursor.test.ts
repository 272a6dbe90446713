import { describe, expect, test } from 'vitest';
import { createListCursors } from '../../src/sealed/list-cursor.ts';
import { makeKey, ringOf } from '../support/keys.ts';

const [first, second] = await Promise.all([makeKey(), makeKey()]);

const list = ['tags', 'team/app', 'user:dana'];

describe('the cursor of a list', () => {
  const cursors = createListCursors(ringOf(first));
  const cursor = cursors.seal(list, 'secret/app');

  test('opens to the name that was sealed, here and on a replica, also after a new key began to sign', () => {
    expect(cursors.open(list, cursor)).toBe('secret/app');
    expect(createListCursors(ringOf(first)).open(list, cursor)).toBe('secret/app');
    expect(createListCursors(ringOf(second, first)).open(list, cursor)).toBe('secret/app');
    expect(createListCursors(ringOf(second)).open(list, cursor)).toBeUndefined();
  });

  test('is over after an hour, and opens at no other registry', () => {
    let now = 1_800_000_000_000;
    const timed = createListCursors(ringOf(first), () => now, 'http://registry:5000');
    const sealed = timed.seal(list, '/v2/team/app/tags/list?token=x');
    now += 3_600_000;
    expect(timed.open(list, sealed)).toBe('/v2/team/app/tags/list?token=x');
    expect(createListCursors(ringOf(first), () => now, 'http://other:5000').open(list, sealed)).toBeUndefined();
    now += 1000;
    expect(timed.open(list, sealed)).toBeUndefined();
  });

  test('tells nothing of the name: not its length, and not whether it is the same', () => {
    expect(cursor).toMatch(/^[A-Za-z0-9_-]+$/);
    expect(new Set(['a', 'secret/app', 'a'.repeat(255)].map((name) => cursors.seal(list, name).length)).size).toBe(1);
    expect(cursors.seal(list, 'secret/app')).not.toBe(cursor);
    expect(Buffer.from(cursor, 'base64url').toString('latin1')).not.toContain('secret');
  });

  test.each([
    ['of another repository', ['tags', 'team/mine', 'user:dana']],
    ['of repositories', ['catalog', '', 'user:dana']],
    ['of another reader', ['tags', 'team/app', 'user:rita']],
    ['whose words run on', ['tags', 'team/app","user:dana']],
  ])('does not open in a list %s', (_which, other) => {
    expect(cursors.open(other, cursor)).toBeUndefined();
  });

  const bytes = Buffer.from(cursor, 'base64url');
  const changed = Buffer.from(bytes);
  changed.writeUInt8(changed.readUInt8(40) ^ 1, 40);
  test.each([
    ['is empty', ''],
    ['is short', 'x'.repeat(8)],
    ['is cut', bytes.subarray(0, -1).toString('base64url')],
    ['was changed', changed.toString('base64url')],
    ['is something else', 'x'.repeat(cursor.length)],
  ])('does not open when it %s', (_what, text) => {
    expect(cursors.open(list, text)).toBeUndefined();
  });
});
