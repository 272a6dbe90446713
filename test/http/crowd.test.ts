import { type Socket, connect } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Front, startFront } from './support/front.ts';

const crowd = 300;
const rules = "rules: [{ name: open, subjects: [everyone], repositories: ['open/**'], actions: [pull] }]\n";
let front: Front;
beforeAll(async () => void (front = await startFront({ rules })));
afterAll(() => front.close());

/** A connection that the gateway has accepted and answered on. */
function open(): Promise<Socket> {
  const { hostname, port } = new URL(front.url);
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), hostname, () => socket.write(get('/v2/')));
    socket.once('data', () => resolve(socket));
    socket.once('error', reject);
  });
}

const get = (target: string): string => `GET ${target} HTTP/1.1\r\nHost: registry.test\r\n\r\n`;

test('whoever asks for an image just behind a crowd of token requests does not wait for all of them', async () => {
  const sockets = await Promise.all(Array.from({ length: crowd + 1 }, open));
  const others = sockets.slice(0, crowd);
  const answered = sockets.map((socket) => new Promise((resolve) => socket.once('data', resolve)));
  const begun = front.records.length;
  // Answered without any waiting for something else: what is refused first was begun first.
  for (const socket of others) socket.write(get('/token'));
  // The last in the order of arrival, by its connection and by its bytes.
  sockets.at(-1)?.write(get('/v2/open/app/manifests/v1'));
  await Promise.all(answered);
  for (const socket of sockets) socket.destroy();

  const events = front.records.slice(begun).map(({ event }) => event);
  expect(events).toHaveLength(crowd + 1);
  expect(events.indexOf('access')).toBeGreaterThanOrEqual(0);
  expect(events.indexOf('access')).toBeLessThan(crowd / 2);
});
