import type { Socket } from 'node:net';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Backend } from '../../src/http/backend/backend.ts';
import { backendAt } from '../support/backend.ts';
import { type RawRegistry, startRawRegistry } from '../support/stand-in.ts';

const large = `{"repositories":["${'a'.repeat(2_000_000 - 21)}"]}`;

/** What a registry may say to the questions that the gateway asks for itself: all of it is an answer, none of it an end. */
const replies: readonly (readonly [title: string, bytes: string, then: 'end' | 'reset' | 'silence'])[] = [
  ['nothing', '', 'end'],
  ['a reset', '', 'reset'],
  ['silence', '', 'silence'],
  ['another protocol', 'SSH-2.0-OpenSSH_9.9\r\n', 'silence'],
  ['control characters', 'HTTP/1.1 200 OK\r\nX: a\x01b\r\n\r\n', 'silence'],
  ['the status 099', 'HTTP/1.1 099 X\r\nContent-Length: 0\r\n\r\n', 'silence'],
  ['the status 199 for ever', 'HTTP/1.1 199 X\r\n\r\n', 'silence'],
  ['a switch of protocols', 'HTTP/1.1 101 X\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\nhello', 'silence'],
  ['two lengths', 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}}', 'silence'],
  ['100 KB of header', `HTTP/1.1 200 OK\r\n${`X: ${'a'.repeat(994)}\r\n`.repeat(100)}\r\n`, 'silence'],
  ['half an answer', 'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{', 'end'],
  ['half an answer and a reset', 'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{', 'reset'],
  ['half an answer and silence', 'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{', 'silence'],
  ['chunks that never end', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n', 'end'],
  ['two megabytes', `HTTP/1.1 200 OK\r\nContent-Length: 2000000\r\n\r\n${large}`, 'silence'],
  ['no JSON', 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n{', 'silence'],
  ['nesting without end', `HTTP/1.1 200 OK\r\nContent-Length: 500000\r\n\r\n${'['.repeat(500_000)}`, 'silence'],
  ['other JSON', 'HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n{"repositories":[1]}', 'silence'],
  ['a redirect', 'HTTP/1.1 307 X\r\nLocation: http://evil.test/v2/\r\nContent-Length: 0\r\n\r\n', 'silence'],
  [
    'a challenge',
    'HTTP/1.1 401 X\r\nWWW-Authenticate: Bearer realm="http://evil.test"\r\nContent-Length: 0\r\n\r\n',
    'end',
  ],
];

let registry: RawRegistry;
let answer: (socket: Socket) => void = () => {};
let backend: Backend;

beforeAll(async () => {
  registry = await startRawRegistry({ answersQuestions: false });
  registry.answer({ onHead: (_request, socket) => answer(socket) });
});
afterAll(() => registry.close());
beforeEach(() => (backend = backendAt(registry.url, { askMs: 300 })));

const nothingOpen = (): Promise<void> =>
  registry.until(() => registry.openSockets() === 0, 'no connection to the registry was left');

/** A client that was closed leaves no connection, whatever happened on it. */
afterEach(async () => {
  backend.close();
  await nothingOpen();
});

describe('the questions of the gateway', () => {
  for (const [title, bytes, then] of replies) {
    test(`${title} is no page of names and no health`, async () => {
      answer = (socket) => {
        if (bytes !== '') socket.write(Buffer.from(bytes, 'latin1'));
        if (then === 'end') socket.end();
        else if (then === 'reset') socket.resetAndDestroy();
      };
      expect((await backend.ask.repositories(10)).ok).toBe(false);
      const isAnswer = bytes.startsWith('HTTP/1.1 200 OK') && !/a\x01b|Content-Length: 3/.test(bytes);
      if (!isAnswer) expect((await backend.ping()).ok).toBe(false);
    });
  }

  const tagsReply = (names: readonly string[]): string => {
    const body = JSON.stringify({ name: 'a', tags: names });
    return `HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
  };

  test('tags that come all at once and in no order are put in order, and begin after the last one', async () => {
    answer = (socket) => void socket.end(tagsReply(['zz', 'B', 'a', '_x', 'v10', 'v2']));
    const whole = { ok: true, names: ['B', '_x', 'a', 'v10', 'v2', 'zz'], next: undefined };
    expect(await backend.ask.tags('a', 2)).toEqual(whole);
    expect(await backend.ask.tags('a', 2, { after: 'ab' })).toEqual({ ...whole, names: ['v10', 'v2', 'zz'] });
  });

  test('ninety thousand tags are read, and six megabytes of them are not', async () => {
    const names = (count: number): string[] => Array.from({ length: count }, (_, index) => String(index).padStart(40));
    // Nothing here is to run out of time on a busy machine.
    backend = backendAt(registry.url, { askMs: 15_000 });
    answer = (socket) => void socket.end(tagsReply(names(90_000)));
    expect(await backend.ask.tags('a', 1000)).toMatchObject({ ok: true, next: undefined });
    answer = (socket) => void socket.end(tagsReply(names(150_000)));
    expect(await backend.ask.tags('a', 1000)).toMatchObject({ ok: false });
  });

  test('a question that was given up does not keep its connection', async () => {
    answer = () => {};
    expect(await backend.ask.repositories(10)).toEqual({ ok: false, reason: 'timeout' });
    await nothingOpen();
  });

  test('an answer is read again after garbage', async () => {
    answer = (socket) => void socket.end('garbage');
    expect((await backend.ping()).ok).toBe(false);
    answer = (socket) => void socket.end('HTTP/1.1 200 OK\r\nContent-Length: 22\r\n\r\n{"repositories":["a"]}');
    expect(await backend.ask.repositories(10)).toEqual({ ok: true, names: ['a'], next: undefined });
  });
});
