import { describe, expect, test } from 'vitest';
import { digestOf } from '../../src/distribution/digest.ts';
import { IndexWalk, deletionOf, everyDeletion, partsOf } from '../../src/gate/contained.ts';
import { KnownParts } from '../../src/gate/known-parts.ts';
import type { ManifestReading, Registry } from '../../src/ports.ts';

const digest = (number: number): string => `sha256:${number.toString(16).padStart(64, '0')}`;
const indexOf = (...entries: readonly object[]): Buffer => Buffer.from(JSON.stringify({ manifests: entries }));
const layer = 'application/vnd.oci.image.layer.v1.tar+gzip';
const image = 'application/vnd.oci.image.manifest.v1+json';
const found = (content: Buffer): ManifestReading => ({
  ok: true,
  manifest: { digest: digestOf(content), mediaType: undefined, content },
});
const missing: ManifestReading = { ok: true, manifest: undefined };
const failed: ManifestReading = { ok: false, reason: 'broken' };

function createRegistry(answers: Readonly<Record<string, ManifestReading>>, other: ManifestReading = failed) {
  const asked: string[] = [];
  const registry: Pick<Registry, 'manifest'> = {
    manifest: (_repository, reference) => {
      asked.push(reference);
      return Promise.resolve(answers[reference] ?? other);
    },
  };
  return { asked, registry, known: new KnownParts(), repository: 'app', isWanted: () => true };
}

describe('an index that is being pushed holds', () => {
  test('its parts and all that lies below them, whatever it calls them', async () => {
    const inner = indexOf({ digest: digest(1) });
    const walk = createRegistry({ [digestOf(inner)]: found(inner), [digest(1)]: found(Buffer.from('{}')) });
    const parts = await partsOf(indexOf({ digest: digestOf(inner), mediaType: image }), walk);
    expect(parts).toEqual(new Set([digestOf(inner), digest(1)]));
  });

  test('what came through here without asking the registry', async () => {
    const [child, inner] = [Buffer.from('{}'), indexOf({ digest: digestOf(Buffer.from('{}')) })];
    const walk = createRegistry({});
    for (const content of [child, inner]) walk.known.learn('app', content);
    const parts = await partsOf(indexOf({ digest: digestOf(inner) }), walk);
    expect([parts, walk.asked]).toEqual([new Set([digestOf(inner), digestOf(child)]), []]);
  });

  test.each<[string, readonly object[], ManifestReading, asked: number]>([
    ['names 1,001', Array.from({ length: 1001 }, (_, number) => ({ digest: digest(number) })), missing, 0],
    [
      'names more than fifty that have to be looked at',
      Array.from({ length: 1000 }, (_, number) => ({ digest: digest(number) })),
      found(Buffer.from('{}')),
      50,
    ],
    ['names one that cannot be read', [{ digest: digest(1) }], failed, 1],
    ['names one that is not there yet', [{ digest: digest(1) }], missing, 1],
    ['names what cannot be asked for', [{ digest: 'odd' }], missing, 0],
    ['names layers', [{ digest: digest(1), mediaType: layer }], missing, 0],
    ['names what is no part', [7 as unknown as object], missing, 0],
  ])('off every deletion in the repository when it %s', async (_what, entries, answer, asked) => {
    const walk = createRegistry({}, answer);
    expect(await partsOf(indexOf(...entries), walk)).toBeUndefined();
    expect(walk.asked).toHaveLength(asked);
  });

  test('nothing when it is an image', async () => {
    expect(await partsOf(Buffer.from('{"layers":[]}'), createRegistry({}))).toEqual(new Set());
  });

  test('and costs nothing once its client has left', async () => {
    const walk = createRegistry({}, missing);
    await partsOf(indexOf({ digest: digest(1) }), { ...walk, isWanted: () => false });
    expect(walk.asked).toEqual([]);
  });

  test('every deletion by holding as many names as there are for one', () => {
    expect(new Set(everyDeletion).size).toBe(256);
    for (const one of ['sha256:00ab', 'sha256:ffab', `sha512:${'7'.repeat(128)}`])
      expect(everyDeletion).toContain(deletionOf(one));
  });
});

test.each([
  layer,
  'application/vnd.docker.image.rootfs.diff.tar.gzip',
  'application/vnd.docker.container.image.v1+json',
  'application/vnd.buildkit.cacheconfig.v0',
])('an index of BuildKit names %s, which no registry shows as a manifest', async (mediaType) => {
  const cache = indexOf({ digest: digest(2), mediaType });
  for (const answer of [failed, missing, found(Buffer.from('gzip'))]) {
    const walk = new IndexWalk(createRegistry({ [digest(1)]: found(cache) }, answer));
    expect(await walk.ofTag({ digest: digest(1), mediaType: undefined })).toEqual({
      ok: true,
      digests: new Set([digest(1), digest(2)]),
    });
  }
});

test('what may be a layer is not one when nobody answers, nor is an image that cannot be read', async () => {
  for (const [mediaType, answer] of [
    [layer, { ok: false, reason: 'timeout' }],
    [layer, { ok: false, reason: 'unreachable' }],
    [image, failed],
    [layer, found(indexOf(7 as unknown as object))],
  ] as const) {
    const walk = new IndexWalk(
      createRegistry({ [digest(1)]: found(indexOf({ digest: digest(2), mediaType })) }, answer),
    );
    expect(await walk.ofTag({ digest: digest(1), mediaType: undefined })).toMatchObject({ ok: false });
  }
});
