/** W3C Trace Context: which ids are taken, what goes on to the registry, and where they are said. */
import type { IncomingHttpHeaders } from 'node:http';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { traceOf } from '../../src/http/front/trace.ts';
import { eventually } from '../support/eventually.ts';
import { type StandIn, startStandIn } from '../support/stand-in.ts';
import { type Front, credentials, startFront } from './support/front.ts';

const requestId = '6a2c4e6f-0f0e-4a44-b0a3-3f2d4c5b6a79';
const own = '6a2c4e6f0f0e4a44b0a33f2d4c5b6a79';
const id = '4bf92f3577b34da6a3ce929d0e0e4736';
const parent = '00f067aa0ba902b7';
const good = `00-${id}-${parent}-01`;

describe('a trace is', () => {
  test.each([
    ['as version 00 writes it', good],
    ['not sampled', `00-${id}-${parent}-00`],
    ['with flags that have no meaning yet', `00-${id}-${parent}-fe`],
    ['of a later version', `cc-${id}-${parent}-01`],
    ['of a later version that says more', `cc-${id}-${parent}-01-what-the-future-will-be-like`],
  ])('gone on with where it is %s', (_, text) => {
    expect(traceOf(text, requestId, () => false)).toEqual({ id, parent: `00-${id}-b0a33f2d4c5b6a79-00` });
  });

  test.each([
    ['none', undefined],
    ['empty', ''],
    ['of version ff', `ff-${id}-${parent}-01`],
    ['longer than version 00 is', `${good}-more`],
    ['longer by one character', `${good}0`],
    ['of a later version and goes on without a dash', `cc-${id}-${parent}-01.more`],
    ['sent twice, as Node joins it', `${good}, ${good}`],
    ['sent twice, as a list', [good, good]],
    ['too short', good.slice(0, -1)],
    ['of zeros', `00-${'0'.repeat(32)}-${parent}-01`],
    ['of a parent of zeros', `00-${id}-${'0'.repeat(16)}-01`],
    ['in capitals', good.toUpperCase()],
    ['one capital', `00-${id.replace('b', 'B')}-${parent}-01`],
    ['not hexadecimal', `00-${id.replace('b', 'g')}-${parent}-01`],
    ['of a version that is no number', `0x-${id}-${parent}-01`],
    ['of flags that are no number', `00-${id}-${parent}-0x`],
    ['underscored', good.replaceAll('-', '_')],
    ['behind a blank', ` ${good}`],
    ['before a line end', `${good}\n`],
    ['with a line end in place of its end', `${good.slice(0, -1)}\n`],
    ['in other digits', `00-${'４'.repeat(32)}-${parent}-01`],
    ['very long', good.repeat(10_000)],
    ['very long, of a later version', `cc${good.slice(2)}${'0'.repeat(100_000)}`],
  ])('begun here where what came is %s', (_, text) => {
    expect(traceOf(text, requestId, () => true)).toEqual({ id: own, parent: `00-${own}-b0a33f2d4c5b6a79-00` });
  });

  test('to be kept only where a proxy says so', () => {
    expect(traceOf(good, requestId, () => true).parent).toMatch(/-01$/);
    expect(traceOf(`00-${id}-${parent}-ff`, requestId, () => true).parent).toMatch(/-01$/);
    expect(traceOf(good, requestId, () => false).parent).toMatch(/-00$/);
    expect(traceOf(`00-${id}-${parent}-fe`, requestId, () => true).parent).toMatch(/-00$/);
  });
});

describe('through the gateway', () => {
  const seen: IncomingHttpHeaders[] = [];
  let registry: StandIn;
  let front: Front;
  const fronts: Front[] = [];
  const start = async (env: Readonly<Record<string, string>>, upstream: string): Promise<Front> => {
    const rules = "rules: [{ name: devs, subjects: ['group:devs'], repositories: ['sandbox/**'], actions: [pull] }]";
    const started = await startFront({ rules, upstream, env });
    fronts.push(started);
    return started;
  };
  beforeAll(async () => {
    registry = await startStandIn((request, response) => {
      if (request.url?.startsWith('/v2/sandbox/') === true) seen.push(request.headers);
      response.writeHead(200, { 'Content-Type': 'application/octet-stream' }).end('content');
    });
    front = await start({}, registry.url);
  });
  afterAll(async () => {
    for (const each of fronts) await each.close();
    await registry.close();
  });

  const ask = async ({ url, records }: Front, traceparent?: string, path = '/v2/sandbox/a/tags/list') => {
    const before = records.length;
    const headers = { authorization: `Basic ${credentials('dana')}`, ...(traceparent && { traceparent }) };
    const reply = await fetch(`${url}${path}`, { headers });
    const body = await reply.text();
    await eventually('a record is written', () => records.length > before);
    return { record: records[before], body, status: reply.status };
  };

  test('a trace is gone on with: in the record, and at the registry with this request as parent', async () => {
    const { record } = await ask(front, good);
    expect(record?.traceId).toBe(id);
    const spanId = record?.requestId?.replaceAll('-', '').slice(16);
    expect(seen.at(-1)?.['traceparent']).toBe(`00-${id}-${spanId}-00`);
  });

  test('one is begun where none came, named after the request', async () => {
    const { record } = await ask(front);
    expect(record?.traceId).toBe(record?.requestId?.replaceAll('-', ''));
    expect(seen.at(-1)?.['traceparent']).toMatch(new RegExp(`^00-${record?.traceId}-[0-9a-f]{16}-00$`));
  });

  test('what cannot be read never reaches the registry', async () => {
    await ask(front, `${good}, ${good}`);
    expect(seen.at(-1)?.['traceparent']).not.toContain(id);
    expect(seen.at(-1)?.['tracestate']).toBeUndefined();
  });

  test('a proxy is believed that it is to be kept', async () => {
    const behind = await start({ PORTCULLIS_TRUSTED_PROXIES: '127.0.0.0/8' }, registry.url);
    await ask(behind, good);
    expect(seen.at(-1)?.['traceparent']).toMatch(/-01$/);
  });

  test('refusals, tokens and what no route saw have theirs as well', async () => {
    for (const path of ['/v2/secret/a/tags/list', '/token', '/nowhere', '/v2/Bad%2f/x', '/api/v1/nothing'])
      expect((await ask(front, good, path)).record?.traceId, path).toBe(id);
  });

  test('an error page names request and trace', async () => {
    const { record, body, status } = await ask(front, good, '/ui/nothing//here');
    expect(status).toBe(404);
    expect(body).toContain(record?.requestId);
    expect(body).toContain(id);
  });
});
