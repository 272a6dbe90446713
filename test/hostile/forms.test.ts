import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Backend, startBackend } from './support/backend.ts';
import { type RawClient, openClient } from './support/client.ts';
import { type TestGateway, startTestGateway } from './support/gateway.ts';

let backend: Backend;
let gateway: TestGateway;

beforeAll(async () => {
  backend = await startBackend();
  gateway = await startTestGateway(backend.url);
});

afterAll(async () => {
  await gateway.close();
  await backend.close();
});

const head = 'POST /token HTTP/1.1\r\nHost: r\r\nContent-Type: application/x-www-form-urlencoded\r\n';

test.concurrent.each([
  ['with a length', `${head}Content-Length: 99\r\n\r\ngrant_type=`],
  ['in chunks', `${head}Transfer-Encoding: chunked\r\n\r\n5\r\ngrant\r\n`],
  ['after 100-continue', `${head}Content-Length: 99\r\nExpect: 100-continue\r\n\r\n`],
])('a token request %s whose form never comes does not hold its connection for ever', async (_how, bytes) => {
  const client: RawClient = await openClient(gateway.port);
  client.send(bytes);
  await new Promise((resolve) => client.socket.once('close', resolve));
  expect(client.replies().every(({ status }) => status === 100)).toBe(true);
});
