import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Frames } from '../../src/adapters/ldap/frames.ts';

/** A part with its head; lengths in the long form where `isLong`. */
function part(tag: number, content: Buffer, isLong = false): Buffer {
  const { length } = content;
  if (length < 0x80 && !isLong) return Buffer.concat([Buffer.from([tag, length]), content]);
  const head = Buffer.alloc(6);
  head[0] = tag;
  head[1] = 0x84;
  head.writeUInt32BE(length, 2);
  return Buffer.concat([head, content]);
}

const message = (text: string, isLong = false): Buffer => part(0x30, part(4, Buffer.from(text), isLong), isLong);

describe('messages out of a stream', () => {
  test('are the same however it is cut', () => {
    const texts = fc.array(fc.tuple(fc.string({ maxLength: 300 }), fc.boolean()), { maxLength: 8 });
    fc.assert(
      fc.property(texts, fc.array(fc.nat(2000), { maxLength: 12 }), (given, cuts) => {
        const whole = given.map(([text, isLong]) => message(text, isLong));
        const stream = Buffer.concat(whole);
        const frames = new Frames();
        const found: Buffer[] = [];
        const edges = [...new Set([0, ...cuts.filter((at) => at < stream.length), stream.length])].sort(
          (a, b) => a - b,
        );
        edges.slice(1).forEach((end, at) => found.push(...(frames.push(stream.subarray(edges[at], end)) ?? [])));
        expect(found.map(String)).toEqual(whole.map(String));
        expect(frames.isEmpty).toBe(true);
      }),
    );
  });

  test('one that is not whole waits, and is known to wait', () => {
    const frames = new Frames();
    const bytes = message('abc');
    expect(frames.push(bytes.subarray(0, 3))).toEqual([]);
    expect(frames.isEmpty).toBe(false);
    expect(frames.push(bytes.subarray(3))).toHaveLength(1);
  });

  test.each([
    ['text', Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n')],
    ['a length without end', Buffer.from([0x30, 0x80, 0, 0])],
    ['a length of five bytes', Buffer.from([0x30, 0x85, 0, 0, 0, 0, 1, 0])],
    ['two gigabytes', Buffer.from([0x30, 0x84, 0x80, 0, 0, 0, 1])],
    ['two megabytes', Buffer.from([0x30, 0x84, 0, 0x20, 0, 0, 1])],
    ['a part longer than what it is in', part(0x30, Buffer.from([0x64, 0x20, 4, 1, 97]))],
    ['a part that ends beyond', part(0x30, Buffer.from([0x64, 4, 4, 9, 97, 97]))],
    ['a part without a length', part(0x30, Buffer.from([4]))],
    [
      'parts in parts without end',
      Array.from({ length: 40 }).reduce<Buffer>((inner) => part(0x30, inner), Buffer.alloc(0)),
    ],
  ])('%s is none', (_, bytes) => {
    expect(new Frames().push(bytes)).toBeUndefined();
  });
});
