/** Promotions in front of registries that refuse, lie, break off, or hold more than anybody would want. */
import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type ContentWriter, type Descriptor, contentWriter, digestOf, named, types } from '../support/content.ts';
import { type MemoryRegistry, startMemoryRegistry } from '../support/memory-registry.ts';
import { type Front, startFront } from './support/front.ts';
import { ask, house } from './support/promotions.ts';

let registry: MemoryRegistry;
let front: Front;
let there: ContentWriter;
beforeEach(async () => {
  registry = await startMemoryRegistry();
  front = await startFront({
    rules: house,
    upstream: registry.url,
    env: { PORTCULLIS_TIMEOUTS_IDLE: '1s', PORTCULLIS_TIMEOUTS_RESPONSE: '1s' },
  });
  there = contentWriter(registry.url);
});
afterEach(async () => {
  const { errors } = front;
  await front.close();
  await registry.close();
  expect(errors).toEqual([]);
});

const wanted = { source: 'integration/app:1.0', target: 'release/app:v1' };
const promoted = async (): Promise<number> => (await ask(front.url, wanted)).status;
const putsOfTag = (): number => registry.requests.filter((line) => line === 'PUT /v2/release/app/manifests/v1').length;

describe('a registry that wants blobs to be sent', () => {
  test('gets them through the gateway, whole and checked, at most two at once', async () => {
    const image = await there.image('integration/app', '1.0', { layers: 5, layerBytes: 300_000 });
    registry.mounts = false;
    let [open, most] = [0, 0];
    registry.intercept = (line, request) => {
      if (!line.startsWith('PUT /v2/release/app/blobs/')) return false;
      most = Math.max(most, ++open);
      request.on('end', () => open--);
      return false;
    };
    const done = await ask(front.url, wanted);
    expect(done).toMatchObject({ status: 201, body: { digest: image.digest, blobs: 6, mounted: 0 } });
    expect(Number(done.body['bytes'])).toBeGreaterThan(1_500_000);
    expect(most).toBeLessThanOrEqual(2);
    expect(registry.openUploads()).toBe(0);
    expect((await there.read('release/app', 'v1'))?.content.equals(image.content)).toBe(true);
  });

  test.each([
    ['other bytes than its digest', (size: number) => randomBytes(size)],
    ['too few', (size: number) => randomBytes(size - 1)],
    ['too many', (size: number) => randomBytes(size + 1)],
  ])('never gets %s finished, and no upload stays open', async (_what, lie) => {
    const image = await there.image('integration/app', '1.0', { layers: 1, layerBytes: 100_000 });
    const { layers } = JSON.parse(image.content.toString()) as { layers: [Descriptor] };
    registry.mounts = false;
    registry.verifies = false;
    registry.intercept = (line, _request, response) => {
      if (line !== `GET /v2/integration/app/blobs/${layers[0].digest}`) return false;
      // Without saying how long it is.
      response.flushHeaders();
      response.end(lie(100_000));
      return true;
    };
    expect(await ask(front.url, wanted)).toMatchObject({ status: 502, body: { type: 'registry' } });
    expect(registry.openUploads()).toBe(0);
    expect((await fetch(`${registry.url}/v2/release/app/blobs/${layers[0].digest}`)).status).toBe(404);
    expect(await there.tags('release/app')).toEqual([]);
  });

  test('of whose source the connection breaks off gets no tag', async () => {
    await there.image('integration/app', '1.0', { layers: 1, layerBytes: 500_000 });
    registry.mounts = false;
    registry.intercept = (line, _request, response) => {
      if (!line.startsWith('GET /v2/integration/app/blobs/')) return false;
      response.writeHead(200, { 'content-length': '500000' });
      response.write(randomBytes(1000), () => response.destroy());
      return true;
    };
    expect((await ask(front.url, wanted)).status).toBe(502);
    expect(registry.openUploads()).toBe(0);
    expect(putsOfTag()).toBe(0);
  });
});

describe('layers that are elsewhere', () => {
  const foreign = async (layer: Descriptor): Promise<void> => {
    const config = await there.blob('integration/app', Buffer.from('{"os":"windows"}'), types.config);
    const layers = [{ ...named(layer), urls: ['https://example.com/base'] }];
    await there.manifest(
      'integration/app',
      { schemaVersion: 2, mediaType: types.manifest, config: named(config), layers },
      '1.0',
    );
  };

  test('are left there where the registry has none of them, and said', async () => {
    const digest = digestOf(randomBytes(8));
    await foreign({ mediaType: types.layer, digest, size: 12 });
    expect(await ask(front.url, wanted)).toMatchObject({ status: 201, body: { blobs: 2, mounted: 1, left: [digest] } });
  });

  test('come along where it has them', async () => {
    await foreign(await there.blob('integration/app', randomBytes(100)));
    const done = await ask(front.url, wanted);
    expect(done).toMatchObject({ status: 201, body: { blobs: 2, mounted: 2 } });
    expect(done.body).not.toHaveProperty('left');
  });

  test('which are none but missing: a registry that lost a layer gets no tag', async () => {
    const image = await there.image('integration/app', '1.0');
    const { layers } = JSON.parse(image.content.toString()) as { layers: [Descriptor] };
    registry.lose('integration/app', layers[0].digest);
    expect(await ask(front.url, wanted)).toMatchObject({ status: 502, body: { type: 'registry' } });
    expect(putsOfTag()).toBe(0);
    expect(registry.openUploads()).toBe(0);
  });
});

describe('more than an image has', () => {
  test.each([
    [100, 201],
    [101, 422],
  ])('an index of %i platforms: %i', async (count, status) => {
    const image = await there.image('integration/app');
    const config = named(await there.blob('integration/app', Buffer.from('{}'), types.config));
    const others = await Promise.all(
      Array.from({ length: count - 1 }, (_, x) =>
        there.manifest('integration/app', {
          ...{ schemaVersion: 2, mediaType: types.manifest, config, layers: [] },
          annotations: { x: String(x) },
        }),
      ),
    );
    const manifests = [image, ...others].map(named);
    await there.manifest('integration/app', { schemaVersion: 2, mediaType: types.index, manifests }, '1.0');
    const done = await ask(front.url, { ...wanted, attachments: false });
    expect(done.status).toBe(status);
    if (status === 201) return expect(done.body).toMatchObject({ manifests: 101 });
    expect(done.body).toMatchObject({
      type: 'not-promotable',
      detail: expect.stringContaining('100 manifests') as unknown,
    });
    expect(registry.requests.filter((line) => line.startsWith('P') && line.includes('release/'))).toEqual([]);
  });

  test('a manifest of more than 4 MiB', async () => {
    registry.intercept = (line, _request, response) => {
      if (line !== 'GET /v2/integration/app/manifests/1.0') return false;
      response.end(Buffer.alloc(4_194_305, ' '));
      return true;
    };
    expect(await ask(front.url, wanted)).toMatchObject({ status: 502, body: { type: 'registry' } });
    expect(putsOfTag()).toBe(0);
  });

  test('attachments that go round in a circle are written once each', async () => {
    registry.hasReferrers = true;
    const image = await there.image('integration/app', '1.0');
    const sbom = await there.attach('integration/app', image);
    registry.intercept = (line, _request, response) => {
      const [, subject] = /^GET \/v2\/integration\/app\/referrers\/(.+)$/.exec(line) ?? [];
      if (subject === undefined) return false;
      // Each is attached to the other, and to itself.
      const list = [image, sbom].map(named);
      response.end(JSON.stringify({ schemaVersion: 2, manifests: list }));
      return true;
    };
    expect(await ask(front.url, wanted)).toMatchObject({ status: 201, body: { manifests: 2 } });
  });

  test('more than 100 attachments are told to be left, and can be', async () => {
    registry.hasReferrers = true;
    const image = await there.image('integration/app', '1.0');
    const config = named(await there.blob('integration/app', Buffer.from('{}'), types.empty));
    for (let x = 0; x < 101; x++)
      await there.manifest('integration/app', {
        ...{ schemaVersion: 2, mediaType: types.manifest, config, layers: [], subject: named(image) },
        annotations: { x: String(x) },
      });
    expect(await ask(front.url, wanted)).toMatchObject({
      status: 422,
      body: { type: 'not-promotable', detail: expect.stringContaining('without attachments') as unknown },
    });
    expect((await ask(front.url, { ...wanted, attachments: false })).status).toBe(201);
  });

  test.each([
    ['no JSON', 'hello'],
    ['schema 1', '{"schemaVersion":1,"fsLayers":[{"blobSum":"sha256:00"}]}'],
    ['a digest that is a path', '{"config":{"digest":"sha256:../../x","size":1},"layers":[]}'],
    ['a size that is none', `{"config":{"digest":"sha256:${'0'.repeat(64)}","size":-1},"layers":[]}`],
    ['a child that is a path', '{"manifests":[{"digest":"../../tags/list"}]}'],
    ['a child that is not there', `{"manifests":[{"digest":"sha256:${'0'.repeat(64)}"}]}`],
  ])('a manifest that holds %s is not promoted', async (_what, text) => {
    registry.intercept = (line, _request, response) => {
      if (line !== 'GET /v2/integration/app/manifests/1.0') return false;
      response.end(text);
      return true;
    };
    expect(await ask(front.url, wanted)).toMatchObject({ status: 422, body: { type: 'not-promotable' } });
    expect(registry.requests.filter((line) => line.startsWith('P'))).toEqual([]);
  });
});

describe('a registry that fails at any step', () => {
  const failures: readonly (readonly [string, MemoryRegistry['intercept']])[] = [
    ['hangs up', (_line, _request, response) => (response.destroy(), true)],
    ['answers 500', (_line, _request, response) => (response.writeHead(500).end(), true)],
    ['answers 401', (_line, _request, response) => (response.writeHead(401).end(), true)],
    ['redirects', (_line, _request, response) => (response.writeHead(307, { location: 'http://x/' }).end(), true)],
    [
      'names another digest',
      (_line, request, response) => {
        const other = `sha256:${'f'.repeat(64)}`;
        const status = request.method === 'POST' || request.method === 'PUT' ? 201 : 200;
        response.writeHead(status, { 'docker-content-digest': other }).end('{}');
        return true;
      },
    ],
  ];
  test.each(failures)(
    'and %s: a problem of the registry and no tag, then the same again succeeds',
    async (_how, fail) => {
      const index = await there.index('integration/app', '1.0', { layers: 1 });
      await there.attach('integration/app', index);
      const before = registry.requests.length;
      expect((await ask(front.url, { ...wanted, target: 'release/reference:v1' })).status).toBe(201);
      const steps = registry.requests.length - before;
      expect(steps).toBeGreaterThan(20);
      for (let step = 0; step < steps; step++) {
        const once = { ...wanted, target: `release/app:v${step}` };
        let seen = 0;
        registry.intercept = (...given) => (seen++ === step ? fail(...given) : false);
        const failed = await ask(front.url, once);
        registry.intercept = () => false;
        const tag = await there.read('release/app', `v${step}`);
        // Whatever was lost, the tag is the right one or none; only the answer to the last step can be lost behind it.
        if (failed.status === 201) expect(tag?.digest, `step ${step}`).toBe(index.digest);
        else expect([400, 404, 409, 422, 502, 503], `step ${step}`).toContain(failed.status);
        if (failed.status !== 201 && tag !== undefined) expect([step, tag.digest]).toEqual([steps - 1, index.digest]);
        expect(await ask(front.url, once), `step ${step}`).toMatchObject({
          status: 201,
          body: { digest: index.digest },
        });
        expect((await there.read('release/app', `v${step}`))?.digest).toBe(index.digest);
      }
      expect(registry.openUploads()).toBe(0);
    },
  );

  test('and is silent: 503 in time, and what the gateway remembers of the target is forgotten', async () => {
    await there.image('integration/app', '1.0');
    registry.intercept = (line) => line.startsWith('PUT /v2/release/app/manifests/');
    const failed = await ask(front.url, wanted);
    expect(failed).toMatchObject({ status: 503, body: { type: 'registry' } });
    expect(failed.headers.get('retry-after')).toBe('5');
    registry.intercept = () => false;
    expect(await promoted()).toBe(201);
  });
});

test('a client that leaves in the middle leaves a promotion that goes on to its end', async () => {
  const image = await there.image('integration/app', '1.0');
  const leaving = new AbortController();
  let release: () => void = () => {};
  const held = new Promise<void>((resolve) => (release = resolve));
  registry.intercept = async (line) => {
    if (!line.startsWith('PUT /v2/release/app/manifests/sha256')) return false;
    leaving.abort();
    await held;
    return false;
  };
  const request = fetch(`${front.url}/api/v1/promotions`, {
    method: 'POST',
    headers: {
      authorization: `Basic ${Buffer.from('dana:dana-CANARY-password-7f3a').toString('base64')}`,
      'content-type': 'application/json',
    },
    body: JSON.stringify(wanted),
    signal: leaving.signal,
  });
  await expect(request).rejects.toThrow();
  release();
  await expect.poll(async () => (await there.read('release/app', 'v1'))?.digest).toBe(image.digest);
  await expect.poll(() => front.records.find(({ event }) => event === 'promotion')?.reason).toBe('promoted');
});

test('one account has a few promotions under way at once, and is told to come again', async () => {
  await there.image('integration/app', '1.0');
  let release: () => void = () => {};
  const held = new Promise<void>((resolve) => (release = resolve));
  registry.intercept = async (line) => {
    if (line.startsWith('POST /v2/release/')) await held;
    return false;
  };
  const begun = Array.from({ length: 6 }, (_, at) => ask(front.url, { ...wanted, target: `release/app:v${at}` }));
  await expect.poll(() => registry.requests.filter((line) => line.startsWith('POST /v2/release/')).length).toBe(18);
  const refused = await ask(front.url, { ...wanted, target: 'release/app:v7' });
  expect(refused).toMatchObject({ status: 503, body: { type: 'busy' } });
  expect(refused.headers.get('retry-after')).toBe('5');
  release();
  for (const done of await Promise.all(begun)) expect(done.status).toBe(201);
  expect((await ask(front.url, { ...wanted, target: 'release/app:v7' })).status).toBe(201);
});
