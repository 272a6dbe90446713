/** What registries behind prefixes may do, scripted: none of their own names, failures or wishes reaches further than it should. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { afterEach, describe, expect, test } from 'vitest';
import { type UpstreamTerms, soleUpstream } from '../../src/config/upstreams.ts';
import { type GatewayHere, basic, startGatewayHere, testConfig } from '../support/gateway.ts';
import { type StandIn, startStandIn } from '../support/stand-in.ts';

const policies = `
users:
  dana: { password: "$argon2id$v=19$m=8192,t=1,p=1$iKSpCHSoNI8PAz4ateNqYg$M2VJNCPpSgUmYyHR2e/+3dj57D+SFIDZ+OG0HU6URjk" }
rules:
  - { name: all, subjects: ["user:dana"], repositories: ["**"], actions: [pull, push, delete, catalog, promote] }
  - { name: hidden, effect: deny, subjects: [everyone], repositories: ["**/hidden"], actions: [pull, catalog] }
`;
const digest = `sha256:${'a'.repeat(64)}`;
const rules = {
  timeouts: { connectMs: 500, idleMs: 800, responseMs: 800 },
  redirects: { mode: 'pass', hosts: [] },
} as const;

type Behave = (request: IncomingMessage, response: ServerResponse) => void;
let front: GatewayHere | undefined;
let standIns: StandIn[] = [];
let asked: string[] = [];

/** `team` of the second one is `partner` for clients; without a first one, names of nobody else are of none. */
async function start(partner: Behave, first?: Behave, terms: Partial<UpstreamTerms> = {}): Promise<void> {
  const upstreams: UpstreamTerms[] = [];
  const add = async (behave: Behave, more: Partial<UpstreamTerms>): Promise<void> => {
    const standIn = await startStandIn((request, response) => {
      if (request.url !== '/v2/') asked.push(`${request.method} ${request.url}`);
      if (request.url === '/v2/') response.end('{}');
      else behave(request, response);
    });
    standIns.push(standIn);
    upstreams.push({ ...soleUpstream(standIn.url, rules), ...more });
  };
  if (first !== undefined) await add(first, {});
  await add(partner, { name: 'cloud', prefix: 'partner', remotePrefix: 'team', ...terms });
  front = await startGatewayHere({ 'policy.yaml': policies }, testConfig('', {}, undefined, upstreams));
}

afterEach(async () => {
  await front?.close();
  await Promise.all(standIns.map((standIn) => standIn.close()));
  [front, standIns, asked] = [undefined, [], []];
});

const ask = (path: string, init: RequestInit = {}): Promise<Response> =>
  fetch(`${front?.url}${path}`, {
    redirect: 'manual',
    ...init,
    headers: { authorization: `Basic ${basic}`, ...init.headers },
  });

const says =
  (status: number, body: unknown, headers: Record<string, string> = {}): Behave =>
  (_request, response) => {
    response.writeHead(status, { 'content-type': 'application/json', ...headers });
    response.end(typeof body === 'string' ? body : JSON.stringify(body));
  };
const lists = (...repositories: string[]): Behave => says(200, { repositories });
const namesOf = async (reply: Response): Promise<unknown> =>
  ((await reply.json()) as { repositories: unknown }).repositories;

describe('what a registry behind a prefix refuses', () => {
  test('is told with the names of clients, without its details', async () => {
    const detail = { name: 'team/app', internal: 'x' };
    await start(says(404, { errors: [{ code: 'NAME_UNKNOWN', message: 'no team/app here', detail }] }));
    const reply = await ask('/v2/partner/app/manifests/v1');
    expect(reply.status).toBe(404);
    expect(await reply.json()).toEqual({ errors: [{ code: 'NAME_UNKNOWN', message: 'no partner/app here' }] });
    expect(asked).toEqual(['GET /v2/team/app/manifests/v1']);
  });

  for (const [given, told] of [
    ['3600', '60'],
    ['5', '5'],
    [undefined, '60'],
    ['Fri, 31 Dec 2027 23:59:59 GMT', '60'],
  ] as const)
    test(`a limit with Retry-After ${given} is told with ${told}, in words that name it`, async () => {
      await start(
        says(
          429,
          { errors: [{ code: 'TOOMANYREQUESTS', message: 'You have reached your pull rate limit' }] },
          given === undefined ? {} : { 'retry-after': given },
        ),
      );
      const reply = await ask('/v2/partner/app/manifests/v1');
      expect(reply.status).toBe(429);
      expect(reply.headers.get('retry-after')).toBe(told);
      expect(await reply.text()).toContain('the registry behind \\"partner\\" limits pulls');
    });

  test('a limit stays one where the gateway asks for itself, for tags and for a promotion', async () => {
    await start(says(429, {}), lists('app'));
    for (const path of ['tags/list', 'tags/list?n=5']) {
      const reply = await ask(`/v2/partner/app/${path}`);
      expect([reply.status, reply.headers.get('retry-after')]).toEqual([429, '60']);
      expect(await reply.text()).toContain('limits requests');
    }
    expect(front?.records.at(-1)).toMatchObject({ decision: 'error', reason: 'upstream_limited', status: 429 });
    const promoted = await ask('/api/v1/promotions', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ source: 'partner/app:v1', target: 'app:v2' }),
    });
    expect([promoted.status, promoted.headers.get('retry-after')]).toEqual([503, '60']);
    expect(await promoted.text()).toContain('limits requests');
  });

  test('a 401 is never the client’s to answer', async () => {
    await start(says(401, {}, { 'www-authenticate': 'Bearer realm="http://evil.test/"' }));
    const reply = await ask('/v2/partner/app/manifests/v1');
    expect([reply.status, reply.headers.get('www-authenticate')]).toEqual([502, null]);
  });
});

describe('places', () => {
  test('a redirect within the registry leads to the clients’ name, any other place of it nowhere', async () => {
    await start((request, response) => {
      const to = request.url?.includes(digest) ? '/v2/team/app/blobs/sha256:other' : '/v2/other/app/blobs/x';
      response.writeHead(307, { location: to }).end();
    });
    const within = await ask(`/v2/partner/app/blobs/${digest}`);
    expect([within.status, within.headers.get('location')]).toEqual([307, '/v2/partner/app/blobs/sha256:other']);
    expect((await ask('/v2/partner/app/manifests/v1')).status).toBe(502);
  });

  test('an upload goes on where the registry said, under the clients’ name', async () => {
    await start((request, response) => {
      if (request.method === 'POST')
        response.writeHead(202, { location: '/v2/team/app/blobs/uploads/u1?_state=abc' }).end();
      else response.writeHead(201, { location: `/v2/team/app/blobs/${digest}` }).end();
    });
    const opened = await ask('/v2/partner/app/blobs/uploads/', { method: 'POST' });
    const location = opened.headers.get('location') ?? '';
    expect(location).toMatch(/^\/v2\/partner\/app\/blobs\/uploads\/u1\?/);
    expect(location).not.toContain('abc');
    const done = await ask(`${location}&digest=${digest}`, { method: 'PUT', body: 'x' });
    expect([done.status, done.headers.get('location')]).toEqual([201, `/v2/partner/app/blobs/${digest}`]);
    expect(asked.at(-1)).toBe(`PUT /v2/team/app/blobs/uploads/u1?_state=abc&digest=${encodeURIComponent(digest)}`);
  });

  test('lists of what is attached go on under the clients’ name, also where only the registry understands how', async () => {
    for (const mark of ['last=x', 'token=%7Bopaque%7D']) {
      await start((request, response) => {
        const isFirst = !request.url?.includes(mark);
        says(
          200,
          { schemaVersion: 2, manifests: [] },
          isFirst ? { link: `</v2/team/app/referrers/${digest}?${mark}>; rel="next"` } : {},
        )(request, response);
      });
      const page = await ask(`/v2/partner/app/referrers/${digest}`);
      const link = /<([^>]+)>/.exec(page.headers.get('link') ?? '')?.[1] ?? '';
      expect(link).toMatch(new RegExp(`^/v2/partner/app/referrers/${digest}\\?`));
      expect((await ask(link)).status).toBe(200);
      expect(asked.at(-1)).toBe(`GET /v2/team/app/referrers/${digest}?${mark}`);
      await front?.close();
      front = undefined;
    }
  });
});

describe('the list of all repositories', () => {
  test('leaves out a registry that has no such list, and says so', async () => {
    await start(says(404, 'no'), lists('app', 'shop/hidden'));
    const reply = await ask('/v2/_catalog');
    expect(reply.headers.get('warning')).toBe(`299 - "the repositories of 'cloud' cannot be listed now"`);
    expect(await namesOf(reply)).toEqual(['app']);
  });

  test('leaves out one behind a prefix that is down; without the one for everything else there is none', async () => {
    await start(lists('team/app'), lists('app'));
    await standIns[1]?.close();
    const some = await ask('/v2/_catalog');
    expect([some.status, await namesOf(some)]).toEqual([200, ['app']]);
    expect(some.headers.get('warning')).toContain('cloud');
    await standIns[0]?.close();
    expect((await ask('/v2/_catalog')).status).toBeGreaterThanOrEqual(502);
  });

  test('does not wait for one behind a prefix that hangs', async () => {
    await start(() => {}, lists('app'));
    const reply = await ask('/v2/_catalog');
    expect([reply.headers.get('warning'), await namesOf(reply)]).toEqual([expect.stringContaining('cloud'), ['app']]);
  });

  test('goes on behind a name of a registry that is down meanwhile', async () => {
    await start(lists('team/app'), lists('app'), { prefix: 'aaa' });
    await standIns[1]?.close();
    expect(await namesOf(await ask('/v2/_catalog?last=aaa/app'))).toEqual([]);
    expect(await namesOf(await ask('/v2/_catalog?last=app'))).toEqual([]);
  });

  test('1,000 names in each of four are walked once, in pages of any size', async () => {
    const thousand = Array.from({ length: 1000 }, (_, at) => `team/r${String(at).padStart(4, '0')}`);
    const page: Behave = (request, response) => {
      const query = new URL(request.url ?? '', 'http://r').searchParams;
      const [size, last] = [Number(query.get('n') ?? 100), query.get('last') ?? ''];
      const names = thousand.filter((name) => name > last).slice(0, size);
      lists(...names)(request, response);
    };
    const upstreams: UpstreamTerms[] = [];
    for (const prefix of ['', 'b', 'c', 'd']) {
      const standIn = await startStandIn((request, response) =>
        request.url === '/v2/' ? response.end('{}') : page(request, response),
      );
      standIns.push(standIn);
      upstreams.push({
        ...soleUpstream(standIn.url, rules),
        name: prefix || 'main',
        prefix,
        remotePrefix: prefix === '' ? '' : 'team',
      });
    }
    front = await startGatewayHere({ 'policy.yaml': policies }, testConfig('', {}, undefined, upstreams));
    const names: string[] = [];
    let path: string | undefined = '/v2/_catalog?n=333';
    while (path !== undefined) {
      const reply: Response = await ask(path);
      names.push(...((await namesOf(reply)) as string[]));
      path = /<([^>]+)>/.exec(reply.headers.get('link') ?? '')?.[1];
    }
    expect(names).toHaveLength(4000);
    expect(new Set(names).size).toBe(4000);
    expect(names[1000]).toBe('b/r0000');
  });
});

describe('a registry that is down', () => {
  test('is missed behind its prefix only, and named on the page of health and in the metrics', async () => {
    await start(says(200, '{}'), says(200, '{}'));
    await standIns[1]?.close();
    expect((await ask('/v2/partner/app/manifests/v1')).status).toBe(502);
    expect((await ask('/v2/shop/app/manifests/v1')).status).toBe(200);
    const seen = async (path: string): Promise<string> => (await fetch(`${front?.adminUrl}${path}`)).text();
    await expect
      .poll(() => seen('/readyz?verbose'), { interval: 100 })
      .toMatch(/upstream cloud.*degraded|degraded.*upstream cloud/);
    expect((await fetch(`${front?.adminUrl}/readyz`)).status).toBe(200);
    const metrics = await seen('/metrics');
    expect(metrics).toContain('portcullis_upstream_up{upstream="cloud"} 0');
    expect(metrics).toContain('portcullis_upstream_up{upstream="main"} 1');
  });
});

describe('names that no registry has', () => {
  test('are unknown, and no registry is asked', async () => {
    await start(says(200, '{}'));
    const reply = await ask('/v2/shop/app/manifests/v1');
    expect([reply.status, await reply.text()]).toEqual([404, expect.stringContaining('NAME_UNKNOWN')]);
    expect((await ask('/v2/shop/app/blobs/uploads/', { method: 'POST' })).status).toBe(404);
    expect(asked).toEqual([]);
    expect(front?.records.at(-1)).toMatchObject({ decision: 'deny', reason: 'upstream_unknown' });
  });

  test('are unknown where they would be too long there', async () => {
    await start(says(200, '{}'), undefined, { remotePrefix: 'x'.repeat(100) });
    expect((await ask(`/v2/partner/${'a'.repeat(200)}/manifests/v1`)).status).toBe(404);
    expect(asked).toEqual([]);
  });
});

describe('a registry that is read-only here', () => {
  const writes: readonly (readonly [method: string, path: string])[] = [
    ['POST', 'blobs/uploads/'],
    ['PATCH', 'blobs/uploads/u1'],
    ['PUT', 'manifests/v1'],
    ['DELETE', 'manifests/v1'],
    ['DELETE', `manifests/${digest}`],
    ['DELETE', `blobs/${digest}`],
  ];
  for (const [method, path] of writes)
    test(`takes no ${method} ${path}`, async () => {
      await start(says(200, '{}'), undefined, { access: 'read' });
      const body = method === 'DELETE' ? null : 'x';
      const reply = await ask(`/v2/partner/app/${path}`, { method, body });
      expect(reply.status).toBe(403);
      expect(await reply.text()).toContain('the registry behind \\"partner\\" is read-only here');
      expect(asked).toEqual([]);
    });
});
