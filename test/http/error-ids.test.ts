/** What an error says of the request that it answers: two ids, where clients look past them, and nothing that was sent. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { converse, headerOf } from '../hostile/support/client.ts';
import { eventually } from '../support/eventually.ts';
import { freePort } from '../support/free-port.mjs';
import { type StandIn, startStandIn } from '../support/stand-in.ts';
import { type Front, credentials, startFront } from './support/front.ts';

const id = '4bf92f3577b34da6a3ce929d0e0e4736';
const parent = '00f067aa0ba902b7';
const good = `00-${id}-${parent}-01`;

/** What a body that says an error is: the ids of its request at the top, where every client looks past them. */
interface Refusal {
  readonly requestId: string;
  readonly traceId: string;
  readonly errors?: readonly { readonly code: string; readonly message: string; readonly detail?: unknown }[];
}

describe('an error names its request and its trace', () => {
  let registry: StandIn;
  let front: Front;
  let apart: Front;
  const said = '{"errors":[{"code":"MANIFEST_UNKNOWN","message":"no such","detail":{"Tag":"v1"}}]}\n';
  beforeAll(async () => {
    registry = await startStandIn((request, response) => {
      const { url = '' } = request;
      if (url.includes('/worded/')) response.writeHead(404, { 'Content-Type': 'application/json' }).end(said);
      else if (url.includes('/broken/')) response.writeHead(500).end('<h1>Oops</h1>');
      else if (url.includes('/limited/')) response.writeHead(429).end();
      else response.writeHead(200, { 'Content-Type': 'application/json' }).end('{}');
    });
    const rules = `rules:
  - { name: devs, subjects: [authenticated], repositories: ['sandbox/**'], actions: [pull, push] }
limits: [{ name: few, subjects: ['user:tess'], count: pull, per: account, rate: 1/1h }]`;
    front = await startFront({ rules, upstream: registry.url });
    apart = await startFront({ rules, upstream: `http://127.0.0.1:${await freePort()}` });
  });
  afterAll(async () => {
    await front.close();
    await apart.close();
    await registry.close();
  });

  /** By bytes, since some of what is refused no client sends. */
  const send = async ({ url, records }: Front, lines: readonly string[], traceparent: string) => {
    const before = records.length;
    const head = [...lines, `traceparent: ${traceparent}`, 'Connection: close', '', ''];
    const [reply] = await converse(Number(new URL(url).port), head.join('\r\n'));
    await eventually('a record is written', () => records.length > before);
    return { reply, record: records[before], status: reply?.status, body: reply?.body.toString() ?? '' };
  };
  const basic = `Authorization: Basic ${credentials('dana')}`;
  const host = 'Host: registry.test';
  const manifest = (name: string): string => `GET /v2/${name}/manifests/v1 HTTP/1.1`;

  const refused: readonly (readonly [what: string, status: number, lines: readonly string[]])[] = [
    ['no login', 401, [manifest('sandbox/a'), host]],
    ['a wrong password', 401, [manifest('sandbox/a'), host, `Authorization: Basic ${credentials('dana', 'no')}`]],
    ['no right', 403, [manifest('release/a'), host, basic]],
    ['no route', 404, ['GET /v2/a/b/c HTTP/1.1', host, basic]],
    ['no name', 400, [manifest('sandbox/A'), host, basic]],
    ['no plain target', 400, ['GET /v2/a%2fb/tags/list HTTP/1.1', host, basic]],
    ['another method', 405, ['POST /v2/sandbox/a/manifests/v1 HTTP/1.1', host, basic]],
    ['an error that the registry has no words for', 500, [manifest('sandbox/broken'), host, basic]],
    ['nothing of ours', 404, ['GET /nowhere HTTP/1.1', host]],
    [
      'a token for the wrong password',
      401,
      ['GET /token HTTP/1.1', host, `Authorization: Basic ${credentials('dana', 'no')}`],
    ],
    ['a token for another service', 400, ['GET /token?service=other HTTP/1.1', host, basic]],
    ['a token by another method', 405, ['DELETE /token HTTP/1.1', host]],
    ['a token for nothing', 400, ['POST /token HTTP/1.1', host, 'Content-Length: 0']],
    ['no such operation', 404, ['GET /api/v1/nothing HTTP/1.1', host, basic]],
    ['an operation without a login', 401, ['GET /api/v1/sessions HTTP/1.1', host]],
    ['an operation by another method', 405, ['DELETE /api/v1/tags HTTP/1.1', host, basic]],
    ['what an operation cannot read', 400, ['GET /api/v1/tags?order=sideways HTTP/1.1', host, basic]],
    ['no Host', 400, ['GET /v2/ HTTP/1.1', 'X-Other: 1']],
    ['a Host that is none', 400, ['GET /v2/ HTTP/1.1', 'Host: a b']],
    ['a header twice', 400, ['GET /v2/ HTTP/1.1', host, host]],
    ['an expectation', 417, ['GET /v2/ HTTP/1.1', host, 'Expect: more']],
    ['CONNECT', 405, ['CONNECT other.test:443 HTTP/1.1', host]],
  ];
  test.each(refused)('for %s', async (_, status, lines) => {
    const { reply, record, body } = await send(front, lines, good);
    expect(reply?.status).toBe(status);
    const { requestId, traceId } = JSON.parse(body) as Refusal;
    expect({ requestId, traceId }).toEqual({ requestId: record?.requestId, traceId: id });
    expect(headerOf(reply, 'x-request-id')).toBe(requestId);
  });

  test('for bytes that nobody can read, whose trace nobody read either', async () => {
    const { record, status, body } = await send(front, ['GET /v2/ HTTP/1.1', host, 'no header'], good);
    expect(status).toBe(400);
    const { requestId, traceId } = JSON.parse(body) as Refusal;
    expect({ requestId, traceId }).toEqual({ requestId: record?.requestId, traceId: record?.traceId });
    expect(traceId).toBe(requestId.replaceAll('-', ''));
  });

  test('for a limit that is reached', async () => {
    const lines = [manifest('sandbox/few'), host, `Authorization: Basic ${credentials('tess')}`];
    await send(front, lines, good);
    const { status, body } = await send(front, lines, good);
    expect(status).toBe(429);
    expect(JSON.parse(body)).toMatchObject({ errors: [{ code: 'TOOMANYREQUESTS' }], traceId: id });
  });

  test('for a registry that cannot be reached', async () => {
    const { status, body, record } = await send(apart, [manifest('sandbox/a'), host, basic], good);
    expect(status).toBe(502);
    expect(JSON.parse(body)).toMatchObject({ requestId: record?.requestId, traceId: id });
  });

  test('on the admin listener as well', async () => {
    const reply = await fetch(`${front.adminUrl}/api/v1/sessions`, { headers: { traceparent: good } });
    const body = (await reply.json()) as Refusal;
    expect(reply.status).toBe(401);
    expect(body).toMatchObject({ requestId: reply.headers.get('x-request-id'), traceId: id });
  });

  test('and nothing stands in it that a client would print beside the message', async () => {
    const { body } = await send(front, [manifest('release/a'), host, basic], good);
    const { errors } = JSON.parse(body) as Refusal;
    expect(errors).toEqual([{ code: 'DENIED', message: expect.stringContaining('may not pull') as string }]);
    const { body: challenge } = await send(front, [manifest('sandbox/a'), host], good);
    const detail = [{ Type: 'repository', Class: '', Name: 'sandbox/a', Action: 'pull' }];
    expect((JSON.parse(challenge) as Refusal).errors?.[0]?.detail).toEqual(detail);
  });

  test('but for words of the registry, which pass as they are', async () => {
    const { body } = await send(front, [manifest('sandbox/worded'), host, basic], good);
    expect(body).toBe(said);
  });

  test('and a HEAD says the length that a GET would have', async () => {
    const target = '/v2/release/a/manifests/v1 HTTP/1.1';
    const get = await send(front, [`GET ${target}`, host, basic], good);
    const head = await send(front, [`HEAD ${target}`, host, basic], good);
    expect([head.body, head.status]).toEqual(['', 403]);
    expect(headerOf(head.reply, 'content-length')).toBe(String(get.body.length));
  });

  test.each([
    ['quotes', `00-${'"'.repeat(32)}-${parent}-01`],
    ['markup', `00-<script>alert(1)</script>000000-${parent}-01`],
    ['a member of its own', `00-${id}","traceId":"x-${parent}-01`],
    ['more behind it', `${good}","x":"y`],
    ['capitals', good.toUpperCase()],
    ['bytes of no character', `00-\u00ff\u00fe${id.slice(2)}-${parent}-01`],
  ])('and reflects nothing of a traceparent with %s', async (_, hostile) => {
    for (const lines of [
      [manifest('sandbox/a'), host],
      ['GET /token?service=x HTTP/1.1', host],
      ['GET /api/v1/x HTTP/1.1', host],
      ['GET /v2/ HTTP/1.1', 'Host: a b'],
    ]) {
      const { body } = await send(front, lines, hostile);
      const { requestId, traceId } = JSON.parse(body) as Refusal;
      expect(traceId).toBe(requestId.replaceAll('-', ''));
      expect(body).not.toMatch(/alert\(|"x"|4bf92f35/i);
    }
  });
});
