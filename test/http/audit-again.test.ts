/** What a record says so that it can be judged again: by another policy, on another day. */
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { AuditRecord } from '../../src/ports.ts';
import { routeNameOf } from '../../src/distribution/route-name.ts';
import { parseRoute } from '../../src/distribution/route.ts';
import { eventually } from '../support/eventually.ts';
import { quickHash } from '../support/policies.ts';
import { type Front, credentials, startFront } from './support/front.ts';

const digest = `sha256:${'0123456789abcdef'.repeat(4)}`;
const id = '6a2c4e6f-0f0e-4a44-b0a3-3f2d4c5b6a79';
const rules = `
rules:
  - { name: share, subjects: ['group:devs'], repositories: ['sandbox/**'], actions: [pull, push, delete, catalog] }
  - { name: fixed, effect: deny, subjects: [everyone], repositories: ['sandbox/**'], tags: ['v*'], actions: [overwrite] }
`;

let front: Front;
beforeAll(async () => {
  front = await startFront({ rules, repositories: ['sandbox/a'] });
});
afterAll(() => front.close());

async function recordOf(
  request: string,
  headers: Readonly<Record<string, string>> = {},
  body?: string,
): Promise<AuditRecord> {
  const before = front.records.length;
  const [method = '', target = ''] = request.split(' ');
  const authorization = `Basic ${credentials('dana')}`;
  await fetch(`${front.url}${target}`, { method, headers: { authorization, ...headers }, ...(body && { body }) });
  await eventually('a record is written', () => front.records.length > before);
  const record = front.records[before];
  if (record === undefined) throw new Error('there is no record');
  return record;
}

const requests = [
  ['GET /v2/', 'ping'],
  ['GET /v2/_catalog', 'catalog'],
  ['GET /v2/sandbox/a/tags/list', 'tags'],
  [`GET /v2/sandbox/a/referrers/${digest}`, 'referrers'],
  ['GET /v2/sandbox/a/manifests/1.0', 'manifest'],
  ['HEAD /v2/sandbox/a/manifests/1.0', 'manifest'],
  ['PUT /v2/sandbox/a/manifests/1.0', 'manifest'],
  ['DELETE /v2/sandbox/a/manifests/1.0', 'manifest'],
  [`GET /v2/sandbox/a/blobs/${digest}`, 'blob'],
  [`DELETE /v2/sandbox/a/blobs/${digest.replace(':', '%3A')}`, 'blob'],
  ['POST /v2/sandbox/a/blobs/uploads/', 'upload'],
  ['POST /v2/sandbox/a/blobs/uploads', 'upload'],
  [`PATCH /v2/sandbox/a/blobs/uploads/${id}`, 'upload'],
  [`PUT /v2/sandbox/a/blobs/uploads/${id}?digest=${digest}`, 'upload'],
  ['GET /v2/a/tags/list/manifests/x', 'manifest'],
] as const;

describe('the route is said', () => {
  test.each(requests)('of %s: %s, as the parser sees it', (request, name) => {
    const [method = '', target = ''] = request.split(' ');
    const parsed = parseRoute(method, target);
    expect('route' in parsed && parsed.route.kind.split('-')[0]).toBe(name);
    expect(routeNameOf(target)).toBe(name);
  });

  test.each([...requests.slice(0, 7), ['GET /token', 'token'], ['GET /api/v1/me', 'api'], ['GET /ui/', 'ui']] as const)(
    'in the record of %s: %s, with its method',
    async (request, route) => {
      expect(await recordOf(request)).toMatchObject({ route, httpMethod: request.split(' ')[0] });
    },
  );

  test('of a method that an endpoint does not take, too', async () => {
    expect(await recordOf('DELETE /token')).toMatchObject({
      reason: 'method_not_allowed',
      route: 'token',
      status: 405,
    });
  });

  test.each([
    ['CONNECT', 'CONNECT sandbox:443 HTTP/1.1\r\nHost: a\r\n\r\n', 'connect_refused'],
    ['a bad Host', 'GET /v2/ HTTP/1.1\r\nHost: a b\r\n\r\n', 'host_invalid'],
    ['no Host', 'GET /v2/ HTTP/1.1\r\n\r\n', 'host_missing'],
    ['what cannot be read', 'HELLO\r\n\r\n', 'request_unreadable'],
  ])('not where no route saw it, and it is recorded all the same: %s', async (_, bytes, reason) => {
    const before = front.records.length;
    const socket = connect(Number(new URL(front.url).port), '127.0.0.1', () => socket.write(bytes)).resume();
    socket.on('error', () => {});
    await eventually('a record is written', () => front.records.length > before);
    expect(front.records[before]).toMatchObject({ event: 'access', decision: 'deny', reason });
    expect(front.records[before]?.policy).toMatch(/^[0-9a-f]{12}$/);
    expect(front.records[before]?.traceId).toMatch(/^[0-9a-f]{32}$/);
  });
});

describe('the policy is said', () => {
  const revision = (): string => front.gateway.policy().revision.slice(0, 12);

  test('by its revision, and by another one after an edit', async () => {
    expect((await recordOf('GET /v2/sandbox/a/tags/list')).policy).toBe(revision());
    expect((await recordOf('GET /v2/other/a/tags/list')).policy).toBe(revision());
    expect((await recordOf('GET /token')).policy).toBe(revision());
    const before = revision();
    await front.setPolicy(`${rules}# another\n`);
    expect(front.records.at(-1)).toMatchObject({ event: 'policy', policy: revision() });
    expect(revision()).not.toBe(before);
    expect((await recordOf('GET /v2/sandbox/a/tags/list')).policy).toBe(revision());
  });

  test('as cut, where a refused edit has taken accounts from it', async () => {
    await front.setPolicy(`${rules}users: { leaver: { password: '${await quickHash('of leaver')}' } }\n`);
    const inForce = revision();
    await front.setPolicy(`${rules}robots: { none: { groups: [nowhere] } }\n`);
    expect(front.records.at(-1)).toMatchObject({ reason: 'reload_refused' });
    expect((await recordOf('GET /v2/sandbox/a/tags/list')).policy).toBe(`${inForce}-cut`);
    await front.setPolicy(rules);
  });
});

describe('what was written is said', () => {
  test('as a new tag, an existing one or the same again, where a rule makes that matter', async () => {
    const manifest = { 'Content-Type': 'application/vnd.oci.image.manifest.v1+json' };
    const record = await recordOf('PUT /v2/sandbox/a/manifests/v1', manifest, '{}');
    expect(record).toMatchObject({ action: expect.stringMatching(/^(push|overwrite)$/) as unknown });
    expect((await recordOf('PUT /v2/sandbox/a/manifests/free', manifest, '{}')).writes).toBeUndefined();
  });

  test('with the tags of a push by digest', async () => {
    const record = await recordOf(`PUT /v2/sandbox/a/manifests/${digest}?tag=one&tag=two`, {}, '{}');
    expect(record.tags).toEqual(['one', 'two']);
  });

  test('with the repository that a mount is from', async () => {
    const mount = `POST /v2/sandbox/a/blobs/uploads/?mount=${digest}&from=sandbox/b`;
    expect(await recordOf(mount)).toMatchObject({ action: 'push', repository: 'sandbox/a', from: 'sandbox/b' });
  });
});

describe('a token', () => {
  test('is recorded with what was asked for, where it was given less', async () => {
    const record = await recordOf('GET /token?scope=repository:sandbox/a:pull,push&scope=repository:other/a:pull');
    expect(record).toMatchObject({
      scope: 'repository:sandbox/a:pull,push repository:other/a:',
      asked: 'repository:sandbox/a:pull,push repository:other/a:pull',
    });
    expect((await recordOf('GET /token?scope=repository:sandbox/a:pull')).asked).toBeUndefined();
  });

  test('and what it is used for are of one session', async () => {
    const before = front.records.length;
    const reply = await fetch(`${front.url}/token?scope=repository:sandbox/a:pull&offline_token=true`, {
      headers: { authorization: `Basic ${credentials('dana')}` },
    });
    const { token } = (await reply.json()) as { readonly token: string };
    const session = front.records[before]?.session;
    expect(session).toMatch(/^[\w-]+$/);
    const used = await recordOf('GET /v2/sandbox/a/tags/list', { authorization: `Bearer ${token}` });
    expect(used).toMatchObject({ method: 'access-token', session });
  });
});
