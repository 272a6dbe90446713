/** Names of several registries as a hostile client writes them: one reading each, and nothing reaches another registry. */
import { request } from 'node:http';
import { afterEach, describe, expect, test } from 'vitest';
import { digestOf } from '../support/registries.ts';
import { makeTempDir, removeTempDir } from '../support/temp-dir.ts';
import { type Behind, type BehindPrefixes, says, startBehindPrefixes } from './support/behind-prefixes.ts';

const everything = `
rules:
  - { name: all, subjects: [authenticated], repositories: ["**"], actions: [pull, push, delete, catalog, promote] }
`;
const digest = `sha256:${'a'.repeat(64)}`;
const manifestType = 'application/vnd.oci.image.manifest.v1+json';
const manifest = JSON.stringify({ schemaVersion: 2, mediaType: manifestType, config: {}, layers: [] });
const found = says(200, manifest, { 'content-type': manifestType, 'docker-content-digest': digestOf(manifest) });
const main = { behave: found };
const mirror = { behave: found, prefix: 'mirror', library: true };

let stand: BehindPrefixes | undefined;
const start = async (behind: Readonly<Record<string, Behind>>, policy = everything, keys?: string) =>
  (stand = await startBehindPrefixes(policy, behind, keys));
afterEach(async () => {
  expect(stand?.front.errors ?? []).toEqual([]);
  await stand?.close();
  stand = undefined;
});

/** The target byte for byte: `fetch` would tidy it. */
function raw(method: string, path: string): Promise<number> {
  const { front } = stand ?? expect.fail('not started');
  const authorization = `Basic ${Buffer.from('dana:correct horse').toString('base64')}`;
  return new Promise((resolve, reject) => {
    const asking = request({ host: '127.0.0.1', port: front.port, method, path, headers: { authorization } });
    asking.on('response', (response) => void response.resume().on('end', () => resolve(response.statusCode ?? 0)));
    asking.on('error', reject);
    asking.end();
  });
}

describe('a name is read in one way', () => {
  const rows: readonly (readonly [path: string, status: number, asked: string | undefined])[] = [
    ['/v2/mirror/manifests/v1', 200, 'main GET /v2/mirror/manifests/v1'],
    ['/v2/mirrors/alpine/manifests/v1', 200, 'main GET /v2/mirrors/alpine/manifests/v1'],
    ['/v2/mirror-/alpine/manifests/v1', 400, undefined],
    ['/v2/mirror/alpine/manifests/v1', 200, 'hub GET /v2/library/alpine/manifests/v1'],
    ['/v2/mirror/library/manifests/v1', 200, 'hub GET /v2/library/library/manifests/v1'],
    ['/v2/mirror/mirror/alpine/manifests/v1', 200, 'hub GET /v2/mirror/alpine/manifests/v1'],
    ['/v2/Mirror/alpine/manifests/v1', 400, undefined],
    ['/v2/MIRROR/alpine/manifests/v1', 400, undefined],
    ['/v2/mirror/', 400, undefined],
    ['/v2/mirror', 404, undefined],
    ['/v2/mirror//alpine/manifests/v1', 400, undefined],
    ['/v2//mirror/alpine/manifests/v1', 400, undefined],
    ['/v2/mirror/../shop/manifests/v1', 400, undefined],
    ['/v2/mirror/./alpine/manifests/v1', 400, undefined],
    ['/v2/mirror%2falpine/manifests/v1', 400, undefined],
    ['/v2/mirror%2Falpine/manifests/v1', 400, undefined],
    ['/v2/%6dirror/alpine/manifests/v1', 400, undefined],
    ['/v2/mirror\\alpine/manifests/v1', 400, undefined],
    ['/v2/mirror;x/alpine/manifests/v1', 400, undefined],
    ['/v2/mirror/alpine/manifests/v1#x', 400, undefined],
    ['/v2/mirror/alpine/manifests/v1?ns=docker.io', 200, 'hub GET /v2/library/alpine/manifests/v1'],
    ['/v2/shop/app/manifests/v1?ns=mirror', 200, 'main GET /v2/shop/app/manifests/v1'],
  ];
  test.each(rows)('%s is %i', async (path, status, asked) => {
    await start({ main, hub: mirror });
    expect(await raw('GET', path)).toBe(status);
    expect(stand?.asked).toEqual(asked === undefined ? [] : [asked]);
  });

  const words: readonly (readonly [prefix: string, path: string, asked: string])[] = [
    ['blobs', '/v2/blobs/app/manifests/v1', 'there GET /v2/app/manifests/v1'],
    ['blobs', `/v2/blobs/uploads/blobs/${digest}`, `there GET /v2/uploads/blobs/${digest}`],
    ['blobs/uploads', '/v2/blobs/uploads/app/manifests/v1', 'there GET /v2/app/manifests/v1'],
    ['blobs/uploads', '/v2/blobs/uploads/manifests/v1', 'main GET /v2/blobs/uploads/manifests/v1'],
    ['manifests/x', '/v2/manifests/x/app/manifests/v1', 'there GET /v2/app/manifests/v1'],
    ['manifests/x', '/v2/manifests/x/manifests/v1', 'main GET /v2/manifests/x/manifests/v1'],
    ['tags', '/v2/tags/list/manifests/v1', 'there GET /v2/list/manifests/v1'],
    ['tags', `/v2/tags/app/referrers/${digest}`, `there GET /v2/app/referrers/${digest}`],
    ['referrers', `/v2/referrers/app/referrers/${digest}`, `there GET /v2/app/referrers/${digest}`],
    ['uploads', '/v2/uploads/blobs/uploads/manifests/v1', 'there GET /v2/blobs/uploads/manifests/v1'],
    ['catalog', '/v2/catalog/app/manifests/v1', 'there GET /v2/app/manifests/v1'],
  ];
  test.each(words)('prefix %s: GET %s', async (prefix, path, asked) => {
    await start({ main, there: { behave: found, prefix } });
    expect(await raw('GET', path)).toBe(200);
    expect(stand?.asked).toEqual([asked]);
  });

  test('the longest prefix has a name, also one that only writing it out gives it', async () => {
    const nested = { behave: found, prefix: 'mirror/library' };
    await start({ main, hub: mirror, own: nested });
    for (const path of ['mirror/alpine', 'mirror/library/alpine'])
      expect(await raw('GET', `/v2/${path}/manifests/v1?x=${path}`)).toBe(200);
    expect(new Set(stand?.asked)).toEqual(new Set(['own GET /v2/alpine/manifests/v1']));
  });

  test('a name that has no room for library/ is unknown, and never another repository', async () => {
    await start({ main, hub: mirror });
    expect(await raw('GET', `/v2/mirror/${'a'.repeat(245)}/manifests/v1`)).toBe(404);
    expect(stand?.asked).toEqual([]);
  });
});

describe('both spellings of a name in a library', () => {
  const spellings = ['mirror/alpine', 'mirror/library/alpine'];

  test('are one name in the log', async () => {
    await start({ main, hub: mirror });
    for (const name of spellings) await stand?.ask(`/v2/${name}/manifests/v1`);
    expect(stand?.front.records.map(({ repository, upstream }) => `${upstream} ${repository}`)).toEqual([
      'hub mirror/library/alpine',
      'hub mirror/library/alpine',
    ]);
  });

  test('are held by one rule about tags', async () => {
    const fixed = `${everything}
  - { name: fixed, effect: deny, subjects: [everyone], repositories: ["mirror/library/**"], tags: ["v*"], actions: [overwrite, delete] }
`;
    await start({ main, hub: mirror }, fixed);
    for (const name of spellings) {
      const path = `/v2/${name}/manifests/v1`;
      const headers = { 'content-type': manifestType };
      const pushed = await stand?.ask(path, { method: 'PUT', headers, body: `${manifest} ` });
      expect([name, pushed?.status]).toEqual([name, 403]);
      expect((await stand?.ask(path, { method: 'DELETE' }))?.status).toBe(403);
    }
    expect(stand?.asked.filter((line) => !/ (?:GET|HEAD) /.test(line))).toEqual([]);
  });

  test('are one to whoever asks who may do what there, what was done, and what is left', async () => {
    const policy = `
rules:
  - { name: reads, subjects: [authenticated], repositories: ["mirror/library/**"], actions: [pull] }
  - { name: looks, subjects: [authenticated], repositories: ["**"], actions: [inspect] }
limits:
  - { name: pulls, subjects: [authenticated], count: pull, per: repository, rate: 5/1h }
`;
    await start({ main, hub: mirror }, policy);
    const api = async (path: string): Promise<unknown> => (await stand?.ask(`/api/v1/${path}`))?.json();
    await stand?.ask('/v2/mirror/alpine/manifests/v1');
    for (const name of spellings) {
      const query = `repository=${name}`;
      const explained = await api(`explain?as=user:dana&action=pull&${query}`);
      expect(explained).toMatchObject({ repository: 'mirror/library/alpine', allowed: true });
      expect(await api(`access?${query}`)).toMatchObject({ repository: 'mirror/library/alpine', rows: [{}] });
      expect(await api(`activity?${query}`)).toMatchObject({ records: [{ repository: 'mirror/library/alpine' }] });
      const state = await api(`limits/state?subject=user:dana&count=pull&${query}`);
      expect(state).toMatchObject({ limits: [{ remaining: 4 }] });
    }
  });

  test('are one to a gate that looks for images there', async () => {
    const gated = `${everything}
gates:
  - { name: known, repositories: ["release/**"], from: ["mirror/**"], match: digest }
`;
    await start({ main, hub: { ...mirror, access: 'read' } }, gated);
    const headers = { 'content-type': manifestType };
    const pushed = await stand?.ask('/v2/release/alpine/manifests/v1', { method: 'PUT', headers, body: manifest });
    expect(pushed?.status).toBe(200);
    expect(stand?.asked).toContain(`hub HEAD /v2/library/alpine/manifests/${digestOf(manifest)}`);
  });

  test('are one in memory: what is deleted by one is not answered by the other', async () => {
    let isThere = true;
    const behave: Behind['behave'] = (asking, response) => {
      if (asking.method === 'DELETE') isThere = false;
      if (asking.method === 'DELETE') return void response.writeHead(202).end();
      (isThere ? found : says(404, { errors: [{ code: 'MANIFEST_UNKNOWN' }] }))(asking, response);
    };
    await start({ hub: { ...mirror, behave } });
    const [short = '', long = ''] = spellings;
    const statusOf = async (name: string, method = 'GET') =>
      (await stand?.ask(`/v2/${name}/manifests/${digestOf(manifest)}`, { method }))?.status;
    expect([await statusOf(short), await statusOf(long), stand?.asked.length]).toEqual([200, 200, 1]);
    expect(await statusOf(short, 'DELETE')).toBe(202);
    expect([await statusOf(long), await statusOf(long, 'HEAD'), await statusOf(short)]).toEqual([404, 404, 404]);
  });

  test('are good for one list, wherever the registry says that it goes on', async () => {
    const opaque = 'token=%7Bopaque%7D';
    const behave: Behind['behave'] = (asking, response) => {
      const next = { link: `</v2/library/alpine/referrers/${digest}?${opaque}>; rel="next"` };
      says(200, { schemaVersion: 2, manifests: [] }, asking.url?.includes(opaque) ? {} : next)(asking, response);
    };
    await start({ hub: { ...mirror, behave } });
    const page = await stand?.ask(`/v2/mirror/alpine/referrers/${digest}`);
    const link = /<([^>]+)>/.exec(page?.headers.get('link') ?? '')?.[1] ?? '';
    for (const path of [link, link.replace('mirror/alpine', 'mirror/library/alpine')]) {
      expect((await stand?.ask(path))?.status).toBe(200);
      expect(stand?.asked.at(-1)).toBe(`hub GET /v2/library/alpine/referrers/${digest}?${opaque}`);
    }
  });

  test('a token reaches as far as the name that it was made for', async () => {
    await start({ main, hub: mirror });
    const query = new URLSearchParams({ service: 'registry.test', scope: 'repository:mirror/alpine:pull' });
    const { token } = (await (await stand?.ask(`/token?${query.toString()}`))?.json()) as { token: string };
    const statusOf = async (name: string, method = 'GET') =>
      (await stand?.ask(`/v2/${name}`, { method, headers: { authorization: `Bearer ${token}` } }))?.status;
    expect(await statusOf('mirror/library/alpine/manifests/v1')).toBe(200);
    for (const name of ['mirror', 'library/alpine', 'alpine', 'mirror/library', 'mirror/library/library/alpine'])
      expect([name, await statusOf(`${name}/manifests/v1`)]).toEqual([name, 401]);
    expect(await statusOf('mirror/alpine/blobs/uploads/', 'POST')).toBe(401);
  });
});

describe('a mount', () => {
  const opens: Behind['behave'] = (asking, response) => {
    const path = asking.url?.split('?')[0] ?? '';
    response.writeHead(202, { location: `${path}u1?_state=x` }).end();
  };
  const far = { behave: opens, prefix: 'far', remotePrefix: 'x'.repeat(60) };
  const froms: readonly (readonly [what: string, from: string])[] = [
    ['from a name that would be too long there', `far/${'a'.repeat(240)}`],
    ['from another registry', 'shop/app'],
    ['from a name of none', 'Nobody/app'],
    ['from what is hidden', 'far/hidden'],
  ];
  test.each(froms)('%s is an ordinary upload', async (_what, from) => {
    const hiding = `${everything}
  - { name: hidden, effect: deny, subjects: [everyone], repositories: ["far/hidden"], actions: [pull] }
`;
    await start({ main: { behave: opens }, far }, hiding);
    const reply = await stand?.ask(`/v2/far/app/blobs/uploads/?mount=${digest}&from=${from}`, { method: 'POST' });
    expect(reply?.status).toBe(202);
    expect(stand?.asked).toEqual([`far POST /v2/${far.remotePrefix}/app/blobs/uploads/`]);
  });

  test('within one registry has its names in it', async () => {
    await start({ main: { behave: opens }, far });
    await stand?.ask(`/v2/far/app/blobs/uploads/?mount=${digest}&from=far/base`, { method: 'POST' });
    expect(stand?.asked).toEqual([
      `far POST /v2/${far.remotePrefix}/app/blobs/uploads/?mount=${encodeURIComponent(digest)}&from=${encodeURIComponent(`${far.remotePrefix}/base`)}`,
    ]);
  });
});

describe('an upload goes on where it began', () => {
  const opens: Behind['behave'] = (_asking, response) => {
    response.writeHead(202, { location: '/v2/team/app/blobs/uploads/u1?_state=x' }).end();
  };
  const changes: readonly (readonly [
    what: string,
    change: Parameters<BehindPrefixes['restart']>[0],
    status: number,
  ])[] = [
    ['as long as its name means the same', {}, 202],
    ['and nowhere else once its name means another repository', { there: { remotePrefix: 'other' } }, 404],
    ['nor when it means one of another registry', { there: { prefix: 'old' }, main: { prefix: 'partner' } }, 404],
  ];
  test.each(changes)('%s', async (_what, change, status) => {
    const keys = await makeTempDir('keys');
    try {
      const there = { behave: opens, prefix: 'partner', remotePrefix: 'team' };
      await start({ main: { behave: opens }, there }, everything, keys);
      const opened = await stand?.ask('/v2/partner/app/blobs/uploads/', { method: 'POST' });
      const location = opened?.headers.get('location') ?? '';
      await stand?.restart(change);
      const before = stand?.asked.length;
      expect((await stand?.ask(location, { method: 'PATCH', body: 'x' }))?.status).toBe(status);
      expect(stand?.asked.slice(before)).toEqual(
        status === 202 ? ['there PATCH /v2/team/app/blobs/uploads/u1?_state=x'] : [],
      );
      const elsewhere = location.replace('/partner/app/', '/shop/app/');
      expect((await stand?.ask(elsewhere, { method: 'PATCH', body: 'x' }))?.status).toBe(404);
    } finally {
      await removeTempDir(keys);
    }
  });
});

describe('promotions', () => {
  const promote = async (target: string): Promise<readonly [number | undefined, Record<string, unknown>]> => {
    const reply = await stand?.ask('/api/v1/promotions', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ source: 'partner/app:v1', target }),
    });
    return [reply?.status, (await reply?.json()) as Record<string, unknown>];
  };
  const there = { behave: found, prefix: 'partner' };

  test('into what no registry has, or can have, are refused as that', async () => {
    await start({ there, far: { behave: found, prefix: 'far', remotePrefix: 'x'.repeat(60) } });
    for (const target of ['nowhere/app:v1', 'partner:v1', `far/${'a'.repeat(240)}:v1`]) {
      const [status, body] = await promote(target);
      expect([status, body['type']]).toEqual([404, 'target-unknown']);
    }
    expect(stand?.asked).toEqual([]);
    expect(stand?.front.records.at(-1)).toMatchObject({ decision: 'deny', reason: 'upstream_unknown' });
  });

  test('into a registry that is read-only here are refused, whatever the spelling', async () => {
    await start({ there, hub: { ...mirror, access: 'read' } });
    for (const target of ['mirror/alpine:v1', 'mirror/library/alpine:v1']) {
      const [status, body] = await promote(target);
      expect([status, body['type']]).toEqual([403, 'not-allowed']);
    }
    expect(stand?.asked).toEqual([]);
  });
});

describe('what no rule can give', () => {
  const api = async (path: string): Promise<unknown> => (await stand?.ask(`/api/v1/${path}`))?.json();
  const looking = everything.replace('promote]', 'promote, inspect]');

  test('is refused in words on Access, as by `portcullis explain`: writing where the registry is read-only', async () => {
    await start({ main, hub: { ...mirror, access: 'read' } }, looking);
    const asked = 'as=user:dana&action=push&repository=mirror/alpine';
    const reason = 'the registry behind "mirror" is read-only here';
    const refused = { allowed: false, rule: null, sentence: expect.stringContaining('may not push') as string, reason };
    expect(await api(`explain?${asked}`)).toMatchObject(refused);
    const { actions, rows, allowing, explained } = (await api(`access?${asked}`)) as {
      readonly actions: readonly string[];
      readonly rows: readonly {
        readonly cells: readonly { readonly answer: string; readonly note: string | null }[];
      }[];
      readonly allowing: unknown;
      readonly explained: unknown;
    };
    expect(explained).toMatchObject(refused);
    expect(allowing).toMatchObject({ why: reason, lines: '' });
    const [row] = rows;
    const cells = Object.fromEntries(actions.map((action, at) => [action, row?.cells[at]]));
    expect(cells).toMatchObject({
      pull: { answer: 'yes' },
      create: { answer: 'none', note: reason },
      delete: { answer: 'none', note: reason },
      promote: { answer: 'none', note: reason },
      inspect: { answer: 'yes' },
    });
  });

  test('is said of names that no registry has, and the first image is pushed where one takes it', async () => {
    await start({ hub: { ...mirror, access: 'read' }, cloud: { behave: found, prefix: 'partner' } }, looking);
    const asked = 'as=user:dana&action=pull&repository=elsewhere/app';
    expect(await api(`explain?${asked}`)).toMatchObject({
      allowed: false,
      reason: 'no registry behind has such names',
    });
    expect(await api('repositories')).toMatchObject({ total: 0, firstPush: 'partner/hello' });
  });
});
