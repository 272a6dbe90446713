/** `audit.required`: nothing is changed, and nobody logged in, before a line on the disk says that it is about to be. */
import { mkdir, readFile, readdir, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { csrfToken } from '../../src/http/web/csrf.ts';
import { makeTempDir, removeTempDir } from '../support/temp-dir.ts';
import { Visitor, fieldOf } from '../support/visitor.ts';
import { type Front, credentials, passwordOf, service, startFront } from './support/front.ts';

const digest = `sha256:${'0123456789abcdef'.repeat(4)}`;
const upload = '6a2c4e6f-0f0e-4a44-b0a3-3f2d4c5b6a79';
const authorization = `Basic ${credentials('dana')}`;
const form = { 'content-type': 'application/x-www-form-urlencoded' };
const rules = `
rules:
  - { name: all, subjects: [authenticated], repositories: ['**'], actions: [pull, push, delete, promote, inspect, administer, catalog] }
`;

let root: string;
let audit: string;
let front: Front;
let visitor: Visitor;
/** Not logged in. */
let stranger: Visitor;
let loginCsrf: string;
let refreshToken: string;

beforeAll(async () => {
  root = await makeTempDir('audit-required');
  audit = join(root, 'audit');
  await mkdir(audit);
  const env = { PORTCULLIS_AUDIT_DIRECTORY: audit, PORTCULLIS_AUDIT_REQUIRED: 'true' };
  front = await startFront({ rules, env, repositories: ['sandbox/a'] });
  visitor = new Visitor(front.url);
  await visitor.logIn('dana', passwordOf('dana'));
  stranger = new Visitor(front.url);
  loginCsrf = fieldOf((await stranger.get('/ui/login')).body, 'csrf');
  const reply = await fetch(`${front.url}/token?service=${service}&offline_token=true`, { headers: { authorization } });
  ({ refresh_token: refreshToken } = (await reply.json()) as { readonly refresh_token: string });
});
afterAll(async () => {
  await front.close();
  await removeTempDir(root);
});

interface Sent {
  readonly method: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** Of the admin listener. */
  readonly isAdmin?: boolean;
}

async function send({ method, path, headers = { authorization }, body, isAdmin = false }: Sent): Promise<Response> {
  const url = `${isAdmin ? front.adminUrl : front.url}${path}`;
  const reply = await fetch(url, { method, headers, redirect: 'manual', ...(body === undefined ? {} : { body }) });
  await reply.arrayBuffer();
  return reply;
}

async function intents(): Promise<readonly Readonly<Record<string, unknown>>[]> {
  const names = (await readdir(audit)).filter((name) => name.endsWith('.jsonl'));
  const texts = await Promise.all(names.map((name) => readFile(join(audit, name), 'utf8')));
  return texts
    .flatMap((text) => text.split('\n').filter((line) => line.includes('"event":"intent"')))
    .map((line) => JSON.parse(line) as Readonly<Record<string, unknown>>);
}

const page = (path: string, fields: Readonly<Record<string, string>>, who = visitor): Sent => ({
  ...{ method: 'POST', path },
  headers: { ...form, 'sec-fetch-site': 'same-origin', cookie: who.cookie },
  body: new URLSearchParams({
    csrf: csrfToken(who.cookies.get('__Host-portcullis') ?? '', path),
    ...fields,
  }).toString(),
});

const posted = (path: string, fields: Readonly<Record<string, string>>): Sent => ({
  ...{ method: 'POST', path },
  headers: form,
  body: new URLSearchParams(fields).toString(),
});

/** How each of them is asked, and what its intent names. */
const changes: Readonly<Record<string, () => readonly [Sent, object]>> = {
  'an upload that begins': () => [
    { method: 'POST', path: '/v2/sandbox/a/blobs/uploads/' },
    { action: 'push', repository: 'sandbox/a', account: 'dana' },
  ],
  'a piece of one': () => [
    { method: 'PATCH', path: `/v2/sandbox/a/blobs/uploads/${upload}`, body: 'x' },
    { action: 'push', repository: 'sandbox/a' },
  ],
  'the end of one': () => [
    { method: 'PUT', path: `/v2/sandbox/a/blobs/uploads/${upload}?digest=${digest}` },
    { action: 'push', digest },
  ],
  'one that is given up': () => [{ method: 'DELETE', path: `/v2/sandbox/a/blobs/uploads/${upload}` }, {}],
  'a manifest': () => [
    {
      ...{ method: 'PUT', path: '/v2/sandbox/a/manifests/1.0', body: '{}' },
      headers: { authorization, 'content-type': 'application/vnd.oci.image.manifest.v1+json' },
    },
    { action: 'push', reference: '1.0' },
  ],
  'a tag that goes': () => [{ method: 'DELETE', path: '/v2/sandbox/a/manifests/1.0' }, { action: 'delete' }],
  'a blob that goes': () => [{ method: 'DELETE', path: `/v2/sandbox/a/blobs/${digest}` }, { action: 'delete' }],
  'a login': () => [
    { method: 'GET', path: `/token?service=${service}` },
    { account: 'dana', route: 'token' },
  ],
  'a session beside a scope': () => [
    { method: 'GET', path: `/token?offline_token=true&scope=repository:sandbox/a:pull` },
    { account: 'dana', method: 'password' },
  ],
  'a session by a form': () => [
    posted('/token', {
      ...{ grant_type: 'password', username: 'dana', password: passwordOf('dana') },
      ...{ access_type: 'offline', service, scope: 'repository:sandbox/a:pull' },
    }),
    { account: 'dana' },
  ],
  'a token that is revoked': () => [posted('/token/revoke', { token: refreshToken }), { detail: 'revocation' }],
  'a promotion': () => [
    {
      ...{ method: 'POST', path: '/api/v1/promotions', headers: { authorization, 'content-type': 'application/json' } },
      body: JSON.stringify({ source: 'sandbox/a:1.0', target: 'release/a:1.0' }),
    },
    { repository: 'release/a', reference: '1.0', detail: 'POST /api/v1/promotions' },
  ],
  'a login at the page': () => {
    const fields = { account: 'dana', password: passwordOf('dana'), csrf: loginCsrf };
    return [page('/ui/login', fields, stranger), { route: 'ui', account: 'dana' }];
  },
  'a deletion at the page': () => [
    page('/ui/delete', { repository: 'sandbox/a', tag: '1.0', confirm: '1.0', digest }),
    { repository: 'sandbox/a', reference: '1.0', detail: 'POST /ui/delete' },
  ],
  'an access token at the page': () => [page('/ui/me/tokens', { name: 'x' }), { detail: 'POST /ui/me/tokens' }],
  'a terminal that is let in': () => [
    page('/ui/device/answer', { code: 'BCDFGHJK', answer: 'allow' }),
    { detail: 'POST /ui/device/answer' },
  ],
  'a reload at the page': () => [page('/ui/policy/reload', {}), { detail: 'POST /ui/policy/reload' }],
  'a logout': () => [page('/ui/logout', {}), { detail: 'POST /ui/logout', account: 'dana' }],
};

describe('with a directory that takes lines', () => {
  test.each(Object.keys(changes).filter((name) => name !== 'a logout'))('there is an intent of %s', async (name) => {
    await visitor.get('/ui/logout');
    const before = (await intents()).length;
    const [sent, named] = changes[name]?.() ?? [];
    if (sent === undefined) throw new Error('unreachable');
    expect((await send(sent)).status).not.toBe(503);
    expect((await intents()).slice(before)).toMatchObject([
      {
        event: 'intent',
        reason: 'intended',
        decision: 'allow',
        requestId: expect.stringMatching(/^[0-9a-f-]{36}$/) as string,
        traceId: expect.stringMatching(/^[0-9a-f]{32}$/) as string,
        httpMethod: sent.method,
        ...named,
      },
    ]);
  });

  test('there is none of what is only read, of what nobody may, and of tokens for a pull', async () => {
    const before = (await intents()).length;
    const reads: readonly Sent[] = [
      { method: 'GET', path: '/v2/sandbox/a/manifests/1.0' },
      { method: 'GET', path: `/v2/sandbox/a/blobs/uploads/${upload}` },
      { method: 'GET', path: '/token?scope=repository:sandbox/a:pull' },
      { method: 'PUT', path: '/v2/sandbox/a/manifests/1.0', headers: {} },
      { method: 'GET', path: '/api/v1/me' },
      { method: 'DELETE', path: '/api/v1/sessions?account=dana', headers: {} },
      posted('/token/revoke', { token: 'nonsense' }),
      { ...page('/ui/logout', { csrf: 'forged' }) },
    ];
    for (const each of reads) await send(each);
    expect((await intents()).slice(before)).toEqual([]);
  });
});

describe('with a directory that is away', () => {
  beforeEach(() => rename(audit, `${audit}-away`));
  afterEach(() => rename(`${audit}-away`, audit));

  test.each(Object.keys(changes))('%s is 503, and the registry hears nothing of it', async (name) => {
    const before = front.forwarded.length;
    const [sent] = changes[name]?.() ?? [];
    if (sent === undefined) throw new Error('unreachable');
    const reply = await send(sent);
    expect([reply.status, reply.headers.get('retry-after')]).toEqual([503, '3']);
    expect(front.forwarded.slice(before)).toEqual([]);
    expect(front.records.at(-1)).toMatchObject({ decision: 'error', reason: 'audit_unavailable', status: 503 });
  });

  test('so is every operation of the API that changes something, on both listeners, and what reads is not', async () => {
    const token = await readFile(join(front.stateDir, 'admin-token'), 'utf8');
    const tess = `Basic ${credentials('tess')}`;
    let count = 0;
    for (const isAdmin of [false, true]) {
      const headers = isAdmin ? { authorization: `Bearer ${token.trim()}` } : { authorization: tess };
      const url = `${isAdmin ? front.adminUrl : front.url}/api/v1/openapi.json`;
      const { paths } = (await (await fetch(url, { headers })).json()) as { paths: Record<string, object> };
      for (const [path, methods] of Object.entries(paths))
        for (const name of Object.keys(methods)) {
          const method = name.toUpperCase();
          // The one reads its body first; the other reads what is away.
          if (path.endsWith('/promotions') || path.endsWith('/audit')) continue;
          const json = { ...headers, 'content-type': 'application/json' };
          const target = path.replace('{id}', 'abc');
          const { status } = await send({
            method,
            path: target,
            isAdmin,
            ...(method === 'POST' ? { headers: json, body: '{}' } : { headers }),
          });
          if (method === 'GET') expect(status, path).not.toBe(503);
          // What only a person in the browser may do is refused before.
          else if (!isAdmin && status === 403) continue;
          else expect([method, path, status]).toEqual([method, path, 503]);
          if (method !== 'GET') count++;
        }
    }
    expect(count).toBeGreaterThan(6);
  });

  test('a session that could not be written down is not there afterwards', async () => {
    const tess = { authorization: `Basic ${credentials('tess')}` };
    const sessions = async (): Promise<unknown> =>
      (await fetch(`${front.url}/api/v1/sessions?account=tess`, { headers: tess })).json();
    const before = await sessions();
    expect(before).toMatchObject({ sessions: expect.any(Array) as unknown });
    const login = { method: 'GET', path: `/token?service=${service}&offline_token=true`, headers: tess };
    expect((await send(login)).status).toBe(503);
    expect(await sessions()).toEqual(before);
  });
});
