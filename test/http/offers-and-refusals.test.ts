/** What Node's parser decides before any route: offers to change protocols, and requests that are none. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { AuditRecord } from '../../src/ports.ts';
import { type RawClient, converse, openClient } from '../hostile/support/client.ts';
import { eventually } from '../support/eventually.ts';
import { type Front, credentials, startFront } from './support/front.ts';

let front: Front;
let port: number;
const gates: Promise<void>[] = [];
beforeAll(async () => {
  front = await startFront({
    rules: "rules: [{ name: share, subjects: ['group:devs'], repositories: ['a/**'], actions: [pull, push] }]",
    env: { PORTCULLIS_TRUSTED_PROXIES: '127.0.0.1/32' },
    hold: async (line) => void (line.includes('slow') && (await gates.shift())),
  });
  port = Number(new URL(front.url).port);
});
afterAll(() => front.close());

const clients: RawClient[] = [];
afterEach(() => {
  for (const client of clients.splice(0)) client.abort();
});
async function connect(): Promise<RawClient> {
  const client = await openClient(port);
  clients.push(client);
  return client;
}

const head = (line: string, ...headers: readonly string[]): string =>
  [`${line} HTTP/1.1`, 'Host: registry.test', `Authorization: Basic ${credentials('dana')}`, ...headers, '', ''].join(
    '\r\n',
  );
const h2c = ['Connection: Upgrade, HTTP2-Settings', 'Upgrade: h2c', 'HTTP2-Settings: AAEAAEAA'];
const webSocket = ['Connection: keep-alive, upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Key: x'];
const get = 'GET /v2/a/b/manifests/one';

describe('an offer to change protocols is ignored', () => {
  test.each([h2c, webSocket, ['Upgrade: h2c'], ['UPGRADE: TLS/1.2', 'connection:upgrade']])(
    '%s: the request is served, and so are those behind it',
    async (...offer) => {
      const mark = front.forwarded.length;
      const bytes = head(get, ...offer) + head('GET /v2/a/b/manifests/two', ...offer) + head(get);
      const replies = await converse(port, bytes, 3);
      expect(replies.map(({ status }) => status)).toEqual([200, 200, 200]);
      expect(front.forwarded.slice(mark)).toEqual([get, 'GET /v2/a/b/manifests/two', get]);
    },
  );

  const form = 'grant_type=password&service=registry.test&username=dana&password=wrong';
  test.each([
    ['of a length', [`Content-Length: ${form.length}`], form],
    ['in chunks', ['Transfer-Encoding: chunked'], `${form.length.toString(16)}\r\n${form}\r\n0\r\n\r\n`],
  ])('a body %s is read as the body it is', async (_what, framing, body) => {
    const type = 'Content-Type: application/x-www-form-urlencoded';
    const replies = await converse(port, head('POST /token', type, ...framing, ...h2c) + body + head(get), 2);
    expect(replies.map(({ status }) => status)).toEqual([401, 200]);
    expect(replies[0]?.body.toString()).toContain('invalid_grant');
  });

  test('a body that looks like a request and comes in a segment of its own is none', async () => {
    const mark = front.forwarded.length;
    const inner = head('GET /v2/a/b/manifests/smuggled');
    const client = await connect();
    client.send(head(get, ...h2c) + head('PATCH /v2/a/b/blobs/uploads/1', `Content-Length: ${inner.length}`));
    await client.until(() => client.replies()[0]?.complete === true, 'the first answer');
    client.send(inner);
    await client.until(() => client.replies()[1]?.complete === true, 'the second answer');
    client.send(head(get));
    await client.until(() => client.replies()[2]?.complete === true, 'the third answer');
    expect(front.forwarded.slice(mark)).toEqual([get, 'PATCH /v2/a/b/blobs/uploads/1', get]);
  });

  test('100-continue is asked for as without it', async () => {
    const client = await connect();
    client.send(head('PATCH /v2/a/b/blobs/uploads/1', 'Expect: 100-continue', 'Content-Length: 2', ...h2c));
    await client.until(() => client.replies().length > 0, 'leave to go on');
    expect(client.replies()[0]?.status).toBe(100);
    client.send('ab');
    await client.until(() => client.replies()[1]?.complete === true, 'the answer');
    expect(client.replies()[1]?.status).toBe(201);
  });

  test('one that comes before the last answer waits for it', async () => {
    let open = (): void => {};
    gates.push(new Promise((resolve) => (open = resolve)));
    const mark = front.forwarded.length;
    const client = await connect();
    client.send(head('GET /v2/a/b/manifests/slow'));
    await eventually('it is asked for', () => front.forwarded.length > mark);
    client.send(head('GET /v2/a/b/manifests/two', ...h2c));
    open();
    await client.until(() => client.replies()[1]?.complete === true, 'both answers');
    expect(front.forwarded.slice(mark)).toEqual(['GET /v2/a/b/manifests/slow', 'GET /v2/a/b/manifests/two']);
  });

  test('a connection that offers it with every request lasts', async () => {
    const client = await connect();
    for (let count = 1; count <= 30; count++) {
      client.send(head(get, ...h2c));
      await client.until(() => client.replies().filter(({ complete }) => complete).length === count, 'an answer');
    }
    expect(client.replies().every(({ status }) => status === 200)).toBe(true);
    expect(front.logged).toEqual([]);
  });
});

describe('what no route sees is refused and written down, with where it came from', () => {
  const forwarded = 'X-Forwarded-For: 192.0.2.7';
  const cases: readonly (readonly [what: string, bytes: string, status: number, record: Partial<AuditRecord>])[] = [
    ['garbage', 'garbage\r\n\r\n', 400, { reason: 'request_unreadable', address: '127.0.0.1' }],
    ['TLS where there is none', '\x16\x03\x01\x02\x00', 400, { reason: 'request_unreadable', address: '127.0.0.1' }],
    ['HTTP/2 at once', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 400, { reason: 'request_unreadable' }],
    ['CONNECT', head('CONNECT r:5000', forwarded), 405, { reason: 'connect_refused', address: '192.0.2.7' }],
    ['too long a head', head(get, `X: ${'x'.repeat(70_000)}`), 431, { reason: 'headers_too_large' }],
    ['a second Host', head(get, 'Host: b', forwarded), 400, { reason: 'header_repeated', address: '192.0.2.7' }],
    ['no Host', `${get} HTTP/1.1\r\n\r\n`, 400, { reason: 'host_missing', address: '127.0.0.1' }],
    ['an empty Host', `${get} HTTP/1.1\r\nHost:\r\n\r\n`, 400, { reason: 'host_invalid' }],
    ['a Host with a user', `GET /token HTTP/1.1\r\nHost: a@b\r\n\r\n`, 400, { reason: 'host_invalid' }],
    ['a Host with a path', `GET /nowhere HTTP/1.1\r\nHost: a/b?\r\n\r\n`, 400, { reason: 'host_invalid' }],
  ];
  test.each(cases)('%s', async (_what, bytes, status, record) => {
    const mark = front.records.length;
    const replies = await converse(port, bytes, 1);
    expect(replies.map((reply) => reply.status)).toEqual([status]);
    expect(replies[0]?.body.toString()).toContain('"errors"');
    await eventually('a record is written', () => front.records.length > mark);
    expect(front.records.slice(mark)).toEqual([
      expect.objectContaining({ event: 'access', decision: 'deny', status, requestId: expect.any(String), ...record }),
    ]);
  });

  test('a connection that only ends is no refusal', async () => {
    const mark = front.records.length;
    (await connect()).abort();
    await converse(port, head(get), 1);
    await eventually('a record is written', () => front.records.length > mark);
    expect(front.records.slice(mark)).toEqual([expect.objectContaining({ decision: 'allow' })]);
  });
});

test('an X-Forwarded-For of a trusted proxy that cannot be read is told once', async () => {
  await converse(port, head(get, 'X-Forwarded-For: 192.0.2.9:4711'), 1);
  expect(front.records.at(-1)).toMatchObject({ address: '192.0.2.9' });
  expect(front.logged).toEqual([]);
  for (let count = 0; count < 2; count++) await converse(port, head(get, 'X-Forwarded-For: unknown'), 1);
  expect(front.logged).toEqual([expect.stringMatching(/X-Forwarded-For.*"unknown"/)]);
});
