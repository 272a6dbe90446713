/** Promotions through the gateway, in front of a real registry. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type ContentWriter, contentWriter, named, types } from '../support/content.ts';
import { describeWithPrograms } from '../support/programs.ts';
import { type RegistryProcess, startRegistry } from '../support/registry.ts';
import { type Front, startFront } from './support/front.ts';
import { ask, house, look } from './support/promotions.ts';

describeWithPrograms(['docker-registry'], 'a promotion', () => {
  let registry: RegistryProcess;
  let front: Front;
  let there: ContentWriter;
  beforeAll(async () => {
    registry = await startRegistry();
    front = await startFront({ rules: house, upstream: registry.url });
    there = contentWriter(registry.url);
  });
  afterAll(async () => {
    await front.close();
    await registry.stop();
  });

  test('puts an image under its new tag, byte for byte, without moving its layers', async () => {
    const image = await there.image('integration/one', '1.0', { layerBytes: 200_000 });
    const done = await ask(front.url, { source: 'integration/one:1.0', target: 'release/one:v1.0', reason: 'CHG-1' });
    expect(done).toMatchObject({
      status: 201,
      body: {
        digest: image.digest,
        source: 'integration/one:1.0',
        target: 'release/one:v1.0',
        ...{ manifests: 1, blobs: 3, mounted: 3, bytes: 0 },
      },
    });
    expect(Object.keys(done.body)).toEqual(
      'id digest source target manifests blobs mounted bytes durationMs'.split(' '),
    );
    expect(done.headers.get('location')).toBe(`/api/v1/promotions/${String(done.body['id'])}`);
    expect((await there.read('release/one', 'v1.0'))?.content.equals(image.content)).toBe(true);
    expect(front.records.filter(({ event }) => event === 'promotion').at(-1)).toMatchObject({
      decision: 'allow',
      reason: 'promoted',
      rule: 'dana-promotes',
      account: 'dana',
      kind: 'user',
      method: 'password',
      action: 'promote',
      repository: 'release/one',
      reference: 'v1.0',
      from: 'integration/one:1.0',
      digest: image.digest,
      detail: 'CHG-1',
      status: 201,
    });
    expect(await look(front.url, `/${String(done.body['id'])}`)).toMatchObject({
      status: 200,
      body: { id: done.body['id'], account: 'dana', reason: 'CHG-1', digest: image.digest },
    });
  });

  test('brings along platforms, SBOMs and signatures, and keeps what the target has of those', async () => {
    const index = await there.index('integration/two', '1.0');
    const sbom = await there.attach('integration/two', index);
    const ofSbom = await there.attach('integration/two', sbom, 'application/vnd.cncf.notary.signature');
    await there.sign('integration/two', index);
    const [child] = (
      JSON.parse(index.content.toString()) as { manifests: { digest: string; mediaType: string; size: number }[] }
    ).manifests;
    const ofChild = await there.attach('integration/two', child ?? index, 'application/sarif+json');
    // Something attached in the target by somebody else.
    const own = await there.index('release/two');
    await there.manifest(
      'release/two',
      { schemaVersion: 2, mediaType: types.index, manifests: [named(own)] },
      index.digest.replace(':', '-'),
    );

    const done = await ask(front.url, { source: 'integration/two:1.0', target: 'release/two:v1.0' });
    expect(done.status).toBe(201);
    expect(done.body).toMatchObject({ bytes: 0, digest: index.digest });
    for (const each of [index, sbom, ofSbom, ofChild]) {
      expect((await there.read('release/two', each.digest))?.content.equals(each.content)).toBe(true);
    }
    const list = await there.read('release/two', index.digest.replace(':', '-'));
    expect(JSON.parse(list?.content.toString() ?? '')).toMatchObject({
      manifests: [{ digest: own.digest }, { digest: sbom.digest }],
    });
    for (const tag of [sbom.digest, child?.digest ?? '', `${index.digest}.sig`].map((name) => name.replace(':', '-'))) {
      expect((await there.read('release/two', tag))?.digest, tag).toBe(
        (await there.read('integration/two', tag))?.digest,
      );
    }
  });

  test('done again does nothing; another image under a tag that stays is told so', async () => {
    await there.image('integration/three', '1.0');
    await there.image('integration/three', '2.0');
    const wanted = { source: 'integration/three:1.0', target: 'release/three:v1' };
    expect((await ask(front.url, wanted)).status).toBe(201);
    expect(await ask(front.url, wanted)).toMatchObject({ status: 201, body: { manifests: 0, blobs: 0 } });
    const taken = await ask(front.url, { ...wanted, source: 'integration/three:2.0' });
    expect(taken.status).toBe(409);
    expect(taken.headers.get('content-type')).toBe('application/problem+json');
    expect(taken.body).toMatchObject({ type: 'tag-taken', status: 409 });
  });

  test('within one repository gives an image another tag', async () => {
    const image = await there.image('release/four', 'rc1');
    const done = await ask(front.url, { source: `release/four@${image.digest}`, target: 'release/four:v4' });
    expect(done).toMatchObject({ status: 201, body: { digest: image.digest, blobs: 0, bytes: 0 } });
    expect((await there.read('release/four', 'v4'))?.digest).toBe(image.digest);
  });

  test('may be tried without being done', async () => {
    const image = await there.image('integration/five', '1.0');
    const tried = await ask(front.url, { source: 'integration/five:1.0', target: 'release/five', dryRun: true });
    expect(tried).toMatchObject({
      status: 200,
      body: { dryRun: true, digest: image.digest, target: 'release/five:1.0', blobs: 3 },
    });
    expect(await there.tags('release/five')).toEqual([]);
  });
});
