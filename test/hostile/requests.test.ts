import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Received, valueOf } from '../support/request-parser.ts';
import { type RawRegistry, startRawRegistry } from '../support/stand-in.ts';
import { converse, headerOf, openClient } from './support/client.ts';
import { type TestGateway, basic, startTestGateway } from '../support/gateway.ts';
import { fill, rawRequests, scopes } from './support/raw-requests.ts';

/** Of the client's headers only these may arrive, and these are what the gateway adds. */
const allowed = new Set([
  'accept',
  'content-type',
  'content-length',
  'transfer-encoding',
  'content-range',
  'range',
  'if-match',
  'if-none-match',
  'if-modified-since',
  'if-unmodified-since',
  'if-range',
  'user-agent',
  'traceparent',
  'docker-distribution-api-version',
  'host',
  'connection',
]);

let backend: RawRegistry;
let gateway: TestGateway;
let token: string;
let sentinels = 0;

beforeAll(async () => {
  backend = await startRawRegistry();
  gateway = await startTestGateway(backend.url);
  token = await gateway.token(...scopes);
});

afterAll(async () => {
  await gateway.close();
  await backend.close();
});

/** What arrived since `mark`, after a request that was sent later has arrived. */
async function arrivedSince(mark: number): Promise<readonly Received[]> {
  const path = `/v2/mine/app/manifests/sentinel-${++sentinels}`;
  const replies = await converse(gateway.port, fill(`GET ${path} HTTP/1.1\r\n{head}Connection: close\r\n\r\n`, token));
  expect(
    replies.map(({ status }) => status),
    'the next ordinary request is served',
  ).toEqual([200]);
  return backend
    .requests()
    .slice(mark)
    .filter(({ line }) => line !== `GET ${path} HTTP/1.1`);
}

describe('requests', () => {
  for (const { title, bytes, status, reaches, content, carries = {} } of rawRequests) {
    test(title, async () => {
      const mark = backend.requests().length;
      const expected = typeof status === 'number' ? [status] : status;
      const replies = await converse(gateway.port, fill(bytes, token), expected.length);
      const arrived = await arrivedSince(mark);
      expect(replies.filter((reply) => reply.status >= 200).map((reply) => reply.status)).toEqual(expected);
      expect(arrived.map(({ line }) => line)).toEqual(reaches);
      if (content !== undefined) expect(arrived.at(-1)?.body.toString('latin1')).toBe(content);
      for (const [name, value] of Object.entries(carries)) {
        expect(valueOf(arrived.at(-1)?.headers ?? [], name), name).toBe(value);
      }
    });
  }

  test('nothing that arrived carries a header which is not on the list', () => {
    const names = backend.requests().flatMap(({ headers }) => headers.map(([name]) => name.toLowerCase()));
    expect([...new Set(names)].filter((name) => !allowed.has(name))).toEqual([]);
  });

  test('nothing that arrived is framed in two ways, kept open by the client, or addressed to another host', () => {
    for (const { headers } of backend.requests()) {
      const names = headers.map(([name]) => name.toLowerCase());
      expect(new Set(names).size).toBe(names.length);
      expect(names.includes('content-length') && names.includes('transfer-encoding')).toBe(false);
      expect(valueOf(headers, 'host')).toBe(`127.0.0.1:${backend.port}`);
      expect(['close', 'keep-alive']).toContain(valueOf(headers, 'connection'));
    }
  });

  test('every upload that arrived is an octet stream', () => {
    const found = backend.requests().filter(({ line }) => /^P[A-Z]+ .*\/blobs\/uploads\//.test(line));
    expect(found.length).toBeGreaterThan(10);
    expect(new Set(found.map(({ headers }) => valueOf(headers, 'content-type')))).toEqual(
      new Set(['application/octet-stream']),
    );
  });

  test('the credentials of the caller arrive nowhere, in no header and no target', () => {
    const everything = JSON.stringify(backend.requests().map(({ line, headers }) => [line, headers]));
    expect(everything).not.toContain(token);
    expect(everything).not.toContain(basic);
    expect(everything).not.toContain('secret');
    expect(everything).not.toContain('hidden');
  });

  test('none of it was an error inside the gateway, and nothing is in flight', async () => {
    expect(gateway.errors).toEqual([]);
    expect(await gateway.inFlight()).toBe(0);
  });

  test('no log record holds a secret or a character that forges a line', () => {
    const everything = gateway.records.map((record) => JSON.stringify(record)).join('\n');
    expect(everything).not.toContain(token.split('.')[2]);
    expect(everything).not.toContain('correct horse');
  });
});

describe('Expect: 100-continue', () => {
  const head = (repository: string): string =>
    fill(
      `PATCH /v2/${repository}/blobs/uploads/1 HTTP/1.1\r\n{head}Expect: 100-continue\r\nContent-Length: 5\r\n\r\n`,
      token,
    );

  test('the client is told to go on only after the decision', async () => {
    const client = await openClient(gateway.port);
    client.send(head('mine/app'));
    await client.until(() => client.replies().length > 0, 'an interim reply');
    expect(client.replies().map(({ status }) => status)).toEqual([100]);
    client.send('layer');
    await client.until(() => client.replies()[1]?.complete === true, 'a reply');
    expect(client.replies()[1]?.status).toBe(200);
    expect(backend.requests().at(-1)?.body.toString()).toBe('layer');
    client.abort();
  });

  test.each([
    ['PUT', '/v2/mine/app/manifests/v1', 1],
    // Nothing of its body is wanted.
    ['POST', '/v2/mine/app/blobs/uploads/', 0],
  ])('a %s of %s is told so %i times', async (method, path, times) => {
    const client = await openClient(gateway.port);
    const lines = 'Expect: 100-continue\r\nContent-Length: 2\r\n';
    client.send(fill(`${method} ${path} HTTP/1.1\r\n{head}${lines}\r\n{}`, token));
    await client.until(() => client.replies().some(({ status, complete }) => status >= 200 && complete), 'a reply');
    expect(client.replies().map(({ status }) => status)).toEqual([...Array<number>(times).fill(100), 200]);
    client.abort();
  });

  test('a refused client is never told to go on, and gets its answer at once', async () => {
    const client = await openClient(gateway.port);
    client.send(head('secret/app'));
    await client.until(() => client.replies()[0]?.complete === true, 'a reply');
    expect(client.replies().map(({ status }) => status)).toEqual([403]);
    expect(headerOf(client.replies()[0], 'connection')).toBe('close');
    client.abort();
  });
});
