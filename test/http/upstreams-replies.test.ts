/** What registries behind prefixes answer, when one of them is hostile or hangs: none of it is for another one. */
import { afterEach, describe, expect, test } from 'vitest';
import { digestOf } from '../support/registries.ts';
import { type Behave, type Behind, type BehindPrefixes, says, startBehindPrefixes } from './support/behind-prefixes.ts';

const everything = `
rules:
  - { name: all, subjects: [authenticated], repositories: ["**"], actions: [pull, push, delete, catalog, promote] }
  - { name: hidden, effect: deny, subjects: [everyone], repositories: ["shop/hidden"], actions: [pull, catalog] }
`;
const manifestType = 'application/vnd.oci.image.manifest.v1+json';
const manifest = JSON.stringify({ schemaVersion: 2, mediaType: manifestType, config: {}, layers: [] });
const digest = digestOf(manifest);
const blob = digestOf('a layer');
const found = says(200, manifest, { 'content-type': manifestType, 'docker-content-digest': digest });

let stand: BehindPrefixes | undefined;
const start = async (behind: Readonly<Record<string, Behind>>) =>
  (stand = await startBehindPrefixes(everything, behind));
const statusOf = async (path: string, init?: RequestInit) => (await stand?.ask(path, init))?.status;
afterEach(async () => {
  expect(stand?.front.errors ?? []).toEqual([]);
  await stand?.close();
  stand = undefined;
});

describe('words of a registry', () => {
  const rows: readonly (readonly [remotePrefix: string, said: string, told: string])[] = [
    ['', 'no app here', 'no partner/app here'],
    ['', 'this application has no apps', 'this application has no apps'],
    ['', 'not in my-app, app-2, other/app, app/more', 'not in my-app, app-2, other/app, app/more'],
    [
      '',
      'GET /v2/app/manifests/v1: app:v1, app@sha256.',
      'GET /v2/partner/app/manifests/v1: partner/app:v1, partner/app@sha256.',
    ],
    ['team', 'team/app and team/base are not teams', 'partner/app and partner/base are not teams'],
    ['team.a', 'team.a/app, not teamxa/app', 'partner/app, not teamxa/app'],
  ];
  test.each(rows)('behind %j: %s', async (remotePrefix, message, told) => {
    const error = { code: 'NAME_UNKNOWN', message, detail: { name: 'secret/name' } };
    const warning = `299 - "${message}"`;
    const behave = says(404, { errors: [error, { code: 'DENIED', message: null }], host: 'internal' }, { warning });
    await start({ main: { behave: found }, there: { behave, prefix: 'partner', remotePrefix } });
    const reply = await stand?.ask('/v2/partner/app/manifests/v1');
    expect(await reply?.json()).toEqual({
      errors: [
        { code: 'NAME_UNKNOWN', message: told },
        { code: 'DENIED', message: '' },
      ],
    });
    expect(reply?.headers.get('warning')).toBe(`299 - "${told}"`);
  });

  test('in a warning beside what was asked for are told with the names of clients', async () => {
    const headers = {
      'content-type': manifestType,
      'docker-content-digest': digest,
      warning: '299 - "team/app is old"',
    };
    await start({ there: { behave: says(200, manifest, headers), prefix: 'partner', remotePrefix: 'team' } });
    const reply = await stand?.ask('/v2/partner/app/manifests/v1');
    expect([reply?.status, reply?.headers.get('warning')]).toEqual([200, '299 - "partner/app is old"']);
  });
});

describe('a registry that names no digest', () => {
  test('is asked for the content, by the name that it has there', async () => {
    const behave = says(200, manifest, { 'content-type': manifestType });
    await start({ main: { behave: found }, there: { behave, prefix: 'partner', remotePrefix: 'team' } });
    for (const method of ['GET', 'HEAD']) {
      const reply = await stand?.ask('/v2/partner/app/manifests/v1', { method });
      expect([method, reply?.status, reply?.headers.get('docker-content-digest')]).toEqual([method, 200, digest]);
    }
    expect(stand?.asked.every((line) => line.endsWith('/v2/team/app/manifests/v1'))).toBe(true);
  });
});

describe('memory', () => {
  test('answers for a registry only what that one has', async () => {
    const layer = says(200, 'a layer', { 'content-type': 'application/octet-stream', 'docker-content-digest': blob });
    const none = says(404, { errors: [{ code: 'BLOB_UNKNOWN' }] });
    const isBlob = (url = ''): boolean => url.includes('/blobs/');
    await start({
      main: { behave: (asking, response) => (isBlob(asking.url) ? layer : found)(asking, response) },
      there: { behave: none, prefix: 'partner' },
    });
    for (const [path, status] of [
      [`app/blobs/${blob}`, 200],
      [`app/manifests/${digest}`, 200],
      ['app/manifests/v1', 200],
    ] as const)
      for (const method of ['GET', 'HEAD', 'GET', 'HEAD']) {
        expect([path, method, await statusOf(`/v2/${path}`, { method })]).toEqual([path, method, status]);
        const other = `/v2/partner/${path}`;
        expect([other, method, await statusOf(other, { method })]).toEqual([other, method, 404]);
      }
  });
});

describe('a redirect', () => {
  /** The registry `main` is open: whoever asks it itself is judged by nobody. */
  const leading =
    (path: string): Behave =>
    (_asking, response) => {
      response.writeHead(307, { location: `${stand?.standIns.get('main')?.url}${path}` }).end();
    };
  const modes = [
    { mode: 'pass', hosts: [] },
    { mode: 'pass', hosts: ['127.0.0.1'] },
    { mode: 'follow', hosts: ['127.0.0.1'] },
  ] as const;
  test.each(modes)('into another registry behind the gateway leads nowhere: %j', async ({ mode, hosts }) => {
    const open = says(200, 'a layer');
    await start({ main: { behave: open }, there: { behave: () => {}, prefix: 'partner' } });
    const port = stand?.standIns.get('main')?.port;
    const listed = hosts.map((host) => `${host}:${port}`);
    await stand?.close();
    const behave: Behave = (asking, response) => leading(`/v2/shop/hidden/blobs/${blob}`)(asking, response);
    await start({
      main: { behave: open },
      there: { behave, prefix: 'partner', redirects: { mode, hosts: listed } },
    });
    // The port is another one now, so the list is made again.
    const now = hosts.map((host) => `${host}:${stand?.standIns.get('main')?.port}`);
    await stand?.restart({ there: { redirects: { mode, hosts: now } } });
    for (const path of [`blobs/${blob}`, 'manifests/v1', `manifests/${digest}`]) {
      const reply = await stand?.ask(`/v2/partner/app/${path}`);
      expect([path, reply?.status, reply?.headers.get('location')]).toEqual([path, 502, null]);
    }
    expect(stand?.asked.filter((line) => line.startsWith('main'))).toEqual([]);
  });

  test('is not followed there for a gate or a promotion either', async () => {
    const layer = { mediaType: 'application/vnd.oci.image.layer.v1.tar', digest: blob, size: 7 };
    const image = JSON.stringify({ schemaVersion: 2, mediaType: manifestType, config: layer, layers: [layer] });
    const behave: Behave = (asking, response) => {
      if (asking.url?.includes('/blobs/')) return leading(`/v2/shop/hidden/blobs/${blob}`)(asking, response);
      says(asking.url?.includes('referrers') || asking.url?.includes('sha256-') ? 404 : 200, image, {
        'content-type': manifestType,
      })(asking, response);
    };
    const main: Behave = (asking, response) => {
      if (asking.method === 'GET' && asking.url?.includes('/hidden/')) return says(200, 'a layer')(asking, response);
      if (asking.method === 'POST')
        return void response.writeHead(202, { location: `${asking.url?.split('?')[0]}u1` }).end();
      says(asking.method === 'PUT' ? 201 : 404, { errors: [{ code: 'MANIFEST_UNKNOWN' }] })(asking, response);
    };
    await start({ main: { behave: main }, there: { behave, prefix: 'partner' } });
    const reply = await stand?.ask('/api/v1/promotions', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ source: 'partner/app:v1', target: 'release/app:v1' }),
    });
    expect(reply?.status).toBe(502);
    expect(stand?.asked.filter((line) => /hidden| PUT /.test(line))).toEqual([]);
  });
});

describe('the list of all repositories', () => {
  test('comes to its end behind any number of names that are none of ours', async () => {
    const names = [...Array.from({ length: 120 }, (_, at) => `others/${String(at).padStart(3, '0')}`), 'team/app'];
    /** One at a time, whatever it is asked for; on by a word of its own, or by the last name. */
    const paging =
      (word: (at: number) => string): Behave =>
      (asking, response) => {
        const at = Number(/(?:at|last)=[^0-9]*(\d+)/.exec(decodeURIComponent(asking.url ?? ''))?.[1] ?? -1) + 1;
        const next = at < names.length - 1 ? { link: `</v2/_catalog?${word(at)}>; rel="next"` } : {};
        says(200, { repositories: [names[at]] }, next)(asking, response);
      };
    for (const word of [
      (at: number) => `at=${at}`,
      (at: number) => `last=others%2F${String(at).padStart(3, '0')}&n=1`,
    ]) {
      await start({ there: { behave: paging(word), prefix: 'partner', remotePrefix: 'team' } });
      const seen: string[] = [];
      let pages = 0;
      for (let path: string | undefined = '/v2/_catalog'; path !== undefined && pages < 10; pages++) {
        const reply: Response | undefined = await stand?.ask(path);
        expect([reply?.status, reply?.headers.get('warning')]).toEqual([200, null]);
        const link: string = reply?.headers.get('link') ?? '';
        expect(link).not.toContain('others');
        seen.push(...((await reply?.json()) as { repositories: string[] }).repositories);
        path = /<([^>]+)>/.exec(link)?.[1];
      }
      expect([seen, pages]).toEqual([['partner/app'], 3]);
      await stand?.close();
      stand = undefined;
    }
  });

  test('goes on behind a prefix that a client says', async () => {
    const app = says(200, { repositories: ['app'] });
    await start({ a: { behave: app, prefix: 'a' }, b: { behave: app, prefix: 'b' } });
    const behind = async (last: string) =>
      ((await (await stand?.ask(`/v2/_catalog?last=${last}`))?.json()) as { repositories: unknown }).repositories;
    expect(await behind('a')).toEqual(['a/app', 'b/app']);
    expect(await behind('b')).toEqual(['b/app']);
    expect(await behind('c')).toEqual([]);
  });
});

describe('a registry that hangs', () => {
  test('holds up no page about another one, however many hang, and has four questions of pages at most', async () => {
    const timeouts = { connectMs: 500, idleMs: 60_000, responseMs: 60_000 };
    await start({
      main: { behave: says(200, { name: 'shop/app', tags: [] }) },
      one: { behave: () => {}, prefix: 'one', timeouts },
      two: { behave: () => {}, prefix: 'two', timeouts },
    });
    const waiting = ['one', 'two'].flatMap((prefix) =>
      Array.from({ length: 6 }, (_, at) => statusOf(`/api/v1/tags?repository=${prefix}/app${at}`)),
    );
    const askedOf = (name: string): number => (stand?.asked ?? []).filter((line) => line.startsWith(name)).length;
    await expect.poll(() => [askedOf('one'), askedOf('two')]).toEqual([4, 4]);
    const shown = await stand?.ask('/api/v1/tags?repository=shop/app');
    expect([shown?.status, (await shown?.json()) as object]).toMatchObject([200, { repository: 'shop/app' }]);
    await Promise.all(waiting);
    expect([askedOf('one'), askedOf('two')]).toEqual([4, 4]);
  });

  test('is waited for behind its prefix only, and what waited is given back', async () => {
    await start({ main: { behave: found }, there: { behave: () => {}, prefix: 'partner' } });
    const waiting = Array.from({ length: 100 }, (_, at) => statusOf(`/v2/partner/app/manifests/v${at}`));
    await expect.poll(() => stand?.asked.length).toBe(100);
    for (let at = 0; at < 20; at++) expect(await statusOf(`/v2/shop/app/manifests/v${at}`)).toBe(200);
    expect(await stand?.front.inFlight()).toBe(100);
    expect(new Set(await Promise.all(waiting))).toEqual(new Set([504]));
    expect(await stand?.front.inFlight()).toBe(0);
  });
});
