/** A registry that asks for a login, behind a backend that has one: what goes there, and what of it comes to clients. */
import { createHash, randomBytes } from 'node:crypto';
import { request as httpRequest } from 'node:http';
import { Readable } from 'node:stream';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { createLoginServers } from '../../src/adapters/registry/login-servers.ts';
import { parseRoute } from '../../src/distribution/route.ts';
import { type Backend, type BackendOptions } from '../../src/http/backend/backend.ts';
import type { Forwarding } from '../../src/http/backend/forwarding.ts';
import { beginExchange } from '../../src/http/front/exchange.ts';
import { createRegistryLogin } from '../../src/registry-login/registry-login.ts';
import { backendAt } from '../support/backend.ts';
import { eventually } from '../support/eventually.ts';
import {
  type LoginStand,
  type Says,
  account,
  basicOf,
  password,
  startAsked,
  startLoginStand,
} from '../support/login-stand.ts';
import { type StandIn, startStandIn } from '../support/stand-in.ts';

let stand: LoginStand;
let backend: Backend;
let front: StandIn;
let ends: Forwarding[];
/** What the registry answers to who is let in. */
let inside: Says;
beforeAll(async () => void (stand = await startLoginStand()));
afterAll(() => stand.close());
beforeEach(() => {
  stand.reset();
  ends = [];
  inside = () => ({ status: 200, body: '{}' });
  const guard = stand.registry.says;
  stand.registry.says = async (seen) => {
    const said = await guard(seen);
    return said?.status === 200 ? inside(seen) : said;
  };
});
afterEach(async () => {
  await front.close();
  expect(backend.activeTransfers()).toBe(0);
  backend.close();
});

interface Place {
  readonly secret?: string | undefined;
  readonly tokenMs?: number;
  readonly options?: Partial<BackendOptions>;
}

/** A client's way to the backend, without anything that judges. `secret`: undefined for no credentials. */
async function open({ secret, tokenMs = 5000, options = {} }: Place = { secret: password }): Promise<void> {
  const credentials =
    secret === undefined
      ? undefined
      : {
          get: () =>
            Promise.resolve({ ok: true as const, login: { kind: 'password' as const, account, password: secret } }),
          forget: () => {},
        };
  const login = createRegistryLogin({
    origin: new URL(stand.registry.url),
    tokenHosts: [stand.tokens.host],
    credentials,
    servers: createLoginServers(stand.trust, tokenMs),
    onFailure: () => {},
  });
  backend = backendAt(stand.registry.url, { login, secureContext: stand.trust, ...options });
  front = await startStandIn((incoming, response) => {
    const begun = { publicUrl: 'http://registry.test', trustedProxies: [], now: Date.now(), expectsContinue: false };
    const exchange = beginExchange(incoming, response, begun);
    const parsed = parseRoute(exchange.method, exchange.target);
    if (!('route' in parsed)) throw new Error(exchange.target);
    const { route } = parsed;
    const settled = backend.open({ exchange, route, sealUpload: ({ target }) => target, sealPage: (target) => target });
    void settled.then((forwarding) => ends.push(forwarding));
  });
}

interface Got {
  readonly status: number;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly body: string;
}

function send(method: string, target: string, body?: Buffer | Readable): Promise<Got> {
  return new Promise((resolve, reject) => {
    const headers = { authorization: 'Bearer of-the-client' };
    const outgoing = httpRequest(front.url + target, { method, headers, agent: false }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () =>
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          body: Buffer.concat(chunks).toString(),
        }),
      );
      response.on('error', reject);
    });
    outgoing.on('error', (error) => reject(error));
    if (body instanceof Readable) body.pipe(outgoing);
    else outgoing.end(body);
  });
}

const digest = `sha256:${'a'.repeat(64)}`;
const manifest = '/v2/team/app/manifests/v1';
const scopesAsked = (): readonly string[] =>
  stand.tokens.seen.map(({ target }) => new URLSearchParams(target.split('?')[1]).getAll('scope').join(' '));

/** From now on every token of before is refused. */
function forgetTokens(): void {
  const { says } = stand.registry;
  const gone = new Set(stand.registry.seen.map(({ authorization }) => authorization));
  const challenge = {
    'www-authenticate': `Bearer realm="${stand.tokens.url}/token",service="registry.test",error="invalid_token"`,
  };
  stand.registry.says = (seen) =>
    gone.has(seen.authorization)
      ? { status: 401, headers: challenge, body: '{"errors":[{"code":"UNAUTHORIZED"}]}' }
      : says(seen);
}

describe('everything that goes to the registry goes with a token for exactly that', () => {
  const requests: readonly (readonly [string, string, string])[] = [
    ['GET', manifest, 'repository:team/app:pull'],
    ['HEAD', `/v2/team/app/blobs/${digest}`, 'repository:team/app:pull'],
    ['GET', '/v2/team/app/tags/list', 'repository:team/app:pull'],
    ['PUT', manifest, 'repository:team/app:pull,push'],
    ['POST', '/v2/team/app/blobs/uploads/', 'repository:team/app:pull,push'],
    [
      'POST',
      `/v2/team/app/blobs/uploads/?mount=${digest}&from=team/base`,
      'repository:team/app:pull,push repository:team/base:pull',
    ],
    ['PATCH', '/v2/team/app/blobs/uploads/1', 'repository:team/app:pull,push'],
    ['DELETE', manifest, 'repository:team/app:delete'],
  ];
  test.each(requests)('for a client: %s %s', async (method, target, scope) => {
    await open();
    const place = target.includes('/uploads/') ? { location: '/v2/team/app/blobs/uploads/1' } : {};
    inside = () => ({ status: 200, headers: { 'docker-content-digest': digest, ...place } });
    const { status } = await send(method, target, ['PUT', 'PATCH'].includes(method) ? Buffer.from('{}') : undefined);
    expect(status).toBe(200);
    expect(scopesAsked()).toEqual([scope]);
    expect(stand.registry.seen.map(({ method, authorization }) => [method, authorization])).toEqual([
      ['GET', undefined],
      [method, 'Bearer t1'],
    ]);
  });

  test('for the gateway itself', async () => {
    await open();
    const layer = randomBytes(100_000);
    const digestOfLayer = `sha256:${createHash('sha256').update(layer).digest('hex')}`;
    inside = ({ method, target }) => {
      if (method === 'POST') return { status: 202, headers: { location: '/v2/team/app/blobs/uploads/1' } };
      if (method === 'PUT') return { status: 201 };
      if (target.includes('/blobs/')) return { status: 200, body: 'blob' };
      if (target.includes('_catalog')) return { status: 200, body: '{"repositories":["team/app"]}' };
      return { status: 200, headers: { 'docker-content-digest': digest } };
    };
    expect(await backend.ping()).toMatchObject({ ok: true });
    expect(await backend.ask.resolveTag('team/app', 'v1')).toMatchObject({ ok: true, digest });
    expect(await backend.ask.repositories(10)).toMatchObject({ ok: true, names: ['team/app'] });
    const reading = await backend.ask.openBlob('team/app', digest);
    expect(reading.ok && reading.blob && (await reading.blob.content.toArray()).join('')).toBe('blob');
    const mounting = await backend.write.mountBlob('team/app', digestOfLayer, 'team/base');
    if (!mounting.ok || mounting.upload === undefined) throw new Error('no upload');
    const blob = { digest: digestOfLayer, size: layer.length };
    expect(await backend.write.sendBlob(mounting.upload, blob, Readable.from([layer]))).toEqual({ ok: true });
    expect(scopesAsked()).toEqual([
      '',
      'repository:team/app:pull',
      'registry:catalog:*',
      'repository:team/app:pull,push repository:team/base:pull',
      'repository:team/app:pull,push',
    ]);
  });

  test('a hundred clients at once cost one token', async () => {
    await open();
    const got = await Promise.all(Array.from({ length: 100 }, () => send('GET', `/v2/team/app/blobs/${digest}`)));
    expect(new Set(got.map(({ status }) => status))).toEqual(new Set([200]));
    expect(scopesAsked()).toEqual(['repository:team/app:pull']);
  });
});

describe('a token that is refused', () => {
  test('is replaced, and what can be sent again is', async () => {
    await open();
    inside = ({ method }) =>
      method === 'POST' ? { status: 202, headers: { location: '/v2/team/app/blobs/uploads/1' } } : { status: 201 };
    for (const [method, target] of [
      ['GET', manifest],
      ['POST', '/v2/team/app/blobs/uploads/'],
      ['DELETE', manifest],
    ] as const) {
      await send(method, target);
      forgetTokens();
      const before = stand.registry.seen.length;
      expect((await send(method, target)).status).toBeLessThan(300);
      expect(stand.registry.seen.length - before).toBe(2);
    }
    await backend.write.putManifest('team/app', 'v1', { digest, mediaType: undefined, content: Buffer.from('{}') });
    forgetTokens();
    expect(
      await backend.write.putManifest('team/app', 'v1', { digest, mediaType: undefined, content: Buffer.from('{}') }),
    ).toEqual({ ok: true });
    expect(await backend.ask.hasManifest('team/app', digest)).toMatchObject({ ok: false, reason: 'broken' });
  });

  test('in the middle of an upload ends that one, and the next has a new one', async () => {
    await open();
    inside = ({ body }) => ({
      status: 202,
      headers: { location: '/v2/team/app/blobs/uploads/1', range: `0-${body.length - 1}` },
    });
    const upload = '/v2/team/app/blobs/uploads/1';
    expect((await send('PATCH', upload, Buffer.alloc(10))).status).toBe(202);
    forgetTokens();
    const cut = await send('PATCH', upload, Buffer.alloc(3_000_000));
    expect(cut).toMatchObject({
      status: 502,
      headers: expect.not.objectContaining({ 'www-authenticate': expect.anything() as unknown }),
    });
    expect(ends.at(-1)).toMatchObject({
      outcome: 'upstream_login_failed',
      detail: expect.stringContaining('the next one has it') as unknown,
    });
    expect((await send('PATCH', upload, Buffer.alloc(3_000_000))).status).toBe(202);
  });

  test('each time is not asked for each time', async () => {
    await open();
    stand.registry.says = () => ({
      status: 401,
      headers: { 'www-authenticate': `Bearer realm="${stand.tokens.url}/token",service="registry.test"` },
    });
    for (let count = 0; count < 10; count++) expect((await send('GET', manifest)).status).toBe(502);
    expect(stand.tokens.seen).toHaveLength(1);
  });
});

describe('a client never hears of a login', () => {
  const secret = 'of-the-registry-alone';

  test('when credentials are refused', async () => {
    await open({ secret: 'wrong' });
    for (const [method, body] of [
      ['GET', undefined],
      ['HEAD', undefined],
      ['PUT', Buffer.from('{}')],
    ] as const) {
      const got = await send(method, manifest, body);
      expect(got.status).toBe(502);
      expect(Object.keys(got.headers)).not.toContain('www-authenticate');
      if (method !== 'HEAD') expect(JSON.parse(got.body)).toMatchObject({ errors: [{ code: 'UNAVAILABLE' }] });
    }
    expect(ends.at(-1)).toMatchObject({
      status: 502,
      outcome: 'upstream_login_failed',
      detail: expect.stringContaining('credentials are refused') as unknown,
    });
    expect(await backend.ping()).toEqual({
      ok: false,
      detail: `its credentials are refused by ${stand.tokens.host}`,
    });
    expect(await backend.ask.resolveTag('team/app', 'v1')).toEqual({ ok: false, reason: 'login_failed' });
    expect(await backend.ask.openBlob('team/app', digest)).toMatchObject({ ok: false, reason: 'login_failed' });
    const written = await backend.write.mountBlob('team/app', digest, 'team/base');
    expect(written).toMatchObject({ ok: false, reason: 'login_failed' });
    expect(JSON.stringify([ends, written])).not.toContain('wrong');
  });

  test('when one repository is forbidden, which says nothing of the others', async () => {
    await open();
    inside = ({ target }) =>
      target.includes('/secret/')
        ? {
            status: 403,
            headers: { 'www-authenticate': `Basic realm="${secret}"` },
            body: `{"errors":[{"code":"DENIED","message":"${secret}"}]}`,
          }
        : { status: 200, body: '{}', headers: { 'docker-content-digest': digest } };
    const got = await send('GET', '/v2/team/secret/manifests/v1');
    expect(got.status).toBe(502);
    expect(JSON.stringify(got)).not.toContain(secret);
    expect(ends.at(-1)).toMatchObject({
      outcome: 'upstream_login_failed',
      detail: "it forbids repository:team/secret:pull to the gateway's account (403)",
    });
    expect((await send('GET', manifest)).status).toBe(200);
    expect(await backend.ping()).toMatchObject({ ok: true });
  });

  test('when another error comes with a challenge', async () => {
    await open();
    inside = () => ({
      status: 404,
      headers: { 'www-authenticate': `Basic realm="${secret}"` },
      body: `{"errors":[{"code":"NAME_UNKNOWN","message":"${secret}"}]}`,
    });
    const got = await send('GET', manifest);
    expect(got.status).toBe(404);
    expect(JSON.parse(got.body)).toMatchObject({ errors: [{ code: 'MANIFEST_UNKNOWN' }] });
    expect(JSON.stringify(got)).not.toContain(secret);
  });
});

describe('a storage that the registry points at', () => {
  test('gets no login, whoever follows', async () => {
    const storage = await startAsked();
    onTestFinished(() => storage.close());
    storage.says = () => ({ status: 200, body: 'layer' });
    await open({ secret: password, options: { redirects: { mode: 'follow', hosts: [storage.host] } } });
    // What came over TLS is not followed without.
    inside = () => ({ status: 307, headers: { location: `${storage.url}/bucket` } });
    expect((await send('GET', `/v2/team/app/blobs/${digest}`)).status).toBe(502);
    expect(storage.seen).toEqual([]);
    const secure = stand.tokens;
    await reopen({ redirects: { mode: 'follow', hosts: [secure.host] } });
    inside = () => ({ status: 307, headers: { location: `${secure.url}/bucket` } });
    const { says } = secure;
    secure.says = (seen) => (seen.target === '/bucket' ? { status: 200, body: 'layer' } : says(seen));
    expect((await send('GET', `/v2/team/app/blobs/${digest}`)).body).toBe('layer');
    const reading = await backend.ask.openBlob('team/app', digest);
    expect(reading.ok && reading.blob && (await reading.blob.content.toArray()).join('')).toBe('layer');
    const there = secure.seen.filter(({ target }) => target === '/bucket');
    expect(there.map(({ authorization }) => authorization)).toEqual([undefined, undefined]);
  });

  async function reopen(options: Partial<BackendOptions>): Promise<void> {
    await front.close();
    backend.close();
    await open({ secret: password, options });
  }
});

describe('without credentials', () => {
  test('a registry with a password of its own is what it always was', async () => {
    await open({});
    stand.registry.says = () => ({ status: 401, headers: { 'www-authenticate': 'Basic realm="x"' } });
    expect((await send('GET', manifest)).status).toBe(502);
    expect(ends.at(-1)).toMatchObject({
      outcome: 'upstream_broken',
      detail: 'the registry itself refuses access (401)',
    });
    expect(await backend.ping()).toMatchObject({
      ok: false,
      detail: expect.stringContaining('access control of its own') as unknown,
    });
    expect(stand.registry.seen.every(({ authorization }) => authorization === undefined)).toBe(true);
  });

  test('tokens are had where everybody gets them', async () => {
    let count = 0;
    await open({});
    stand.tokens.says = ({ authorization }) => ({
      status: 200,
      body: JSON.stringify({ token: authorization ?? `anybody${++count}` }),
    });
    const challenge = { 'www-authenticate': `Bearer realm="${stand.tokens.url}/token",service="registry.test"` };
    stand.registry.says = ({ authorization }) =>
      authorization === 'Bearer anybody1'
        ? { status: 200, body: '{}', headers: { 'docker-content-digest': digest } }
        : { status: 401, headers: challenge };
    expect(await backend.ping()).toMatchObject({ ok: true });
    expect(stand.tokens.seen).toEqual([]);
    expect((await send('GET', manifest)).status).toBe(200);
    expect((await send('GET', manifest)).status).toBe(200);
    expect(scopesAsked()).toEqual(['repository:team/app:pull']);
  });
});

describe('a token server that does not answer', () => {
  test('is a registry that does not answer, and holds nobody longer than it may', async () => {
    await open({ secret: password, tokenMs: 300 });
    stand.tokens.says = () => undefined;
    expect((await send('GET', manifest)).status).toBe(504);
    expect((await send('PATCH', '/v2/team/app/blobs/uploads/1', Buffer.alloc(2_000_000))).status).toBe(504);
    expect(await backend.ask.resolveTag('team/app', 'v1')).toEqual({ ok: false, reason: 'timeout' });
  });

  test('does not hold up a look at how things are', async () => {
    await open();
    stand.tokens.says = () => undefined;
    expect(await backend.ping(100)).toEqual({ ok: false, detail: 'timeout: no answer within 100 ms' });
  });

  test('and a client that leaves meanwhile leaves nothing behind', async () => {
    await open({ secret: password, tokenMs: 300 });
    const arrived = new Promise<void>((resolve) => (stand.tokens.says = () => (resolve(), undefined)));
    const outgoing = httpRequest(front.url + manifest, { agent: false }).on('error', () => {});
    outgoing.end();
    await arrived;
    outgoing.destroy();
    await eventually('it has ended', () => ends.length === 1);
    expect(ends[0]).toMatchObject({ outcome: 'client_gone' });
    expect(stand.registry.seen.map(({ target }) => target)).toEqual(['/v2/']);
  });
});

test('nothing of it is shown by what the gateway says of it', async () => {
  await open();
  await send('GET', manifest);
  forgetTokens();
  await send('PATCH', '/v2/team/app/blobs/uploads/1', Buffer.alloc(10));
  stand.tokens.says = ({ authorization }) => ({ status: 500, body: authorization ?? '' });
  await send('GET', '/v2/team/other/manifests/v1');
  for (const shown of [password, basicOf(account, password), 'Bearer t', 'of-the-client'])
    expect(JSON.stringify(ends)).not.toContain(shown);
  expect(stand.registry.seen.some(({ authorization }) => authorization === 'Bearer of-the-client')).toBe(false);
});
