import { describe, expect, test } from 'vitest';
import { IndexWalk, partsOf } from '../../src/gate/contained.ts';
import type { Registry } from '../../src/ports.ts';

const digest = (number: number): string => `sha256:${number.toString(16).padStart(64, '0')}`;
const indexOf = (...entries: readonly object[]): Buffer => Buffer.from(JSON.stringify({ manifests: entries }));
const layer = 'application/vnd.oci.image.layer.v1.tar+gzip';

function createRegistry(answer: Awaited<ReturnType<Registry['manifest']>>) {
  const asked: string[] = [];
  return {
    asked,
    manifest: (_repository: string, reference: string) => {
      asked.push(reference);
      return Promise.resolve(answer);
    },
  };
}

describe('an index that is being pushed', () => {
  test('of 20,000 made-up entries costs the registry fifty questions, and holds a thousand parts', async () => {
    const registry = createRegistry({ ok: true, manifest: undefined });
    const content = indexOf(...Array.from({ length: 20_000 }, (_, number) => ({ digest: digest(number) })));
    const parts = await partsOf(registry, 'app', content, () => true);
    expect([registry.asked.length, parts.size]).toEqual([50, 1000]);
  });

  test('costs nothing once its client has left', async () => {
    const registry = createRegistry({ ok: true, manifest: undefined });
    await partsOf(registry, 'app', indexOf({ digest: digest(1) }), () => false);
    expect(registry.asked).toEqual([]);
  });

  test('whose entries cannot be read is for the registry to judge: they are held as they are', async () => {
    const registry = createRegistry({ ok: false, reason: 'broken' });
    const parts = await partsOf(registry, 'app', indexOf({ digest: digest(1) }, { digest: 'odd' }), () => true);
    expect([...parts]).toEqual([digest(1), 'odd']);
  });
});

test.each([
  layer,
  'application/vnd.docker.image.rootfs.diff.tar.gzip',
  'application/vnd.docker.container.image.v1+json',
  'application/vnd.buildkit.cacheconfig.v0',
])('an index of BuildKit names %s, which is not looked at as a manifest', async (mediaType) => {
  const registry = createRegistry({ ok: false, reason: 'broken' });
  const cache = indexOf({ digest: digest(2), mediaType });
  const asked: string[] = [];
  const walk = new IndexWalk(
    {
      manifest: (_repository, reference) => {
        asked.push(reference);
        return reference === digest(1)
          ? Promise.resolve({ ok: true, manifest: { digest: digest(1), mediaType: undefined, content: cache } })
          : registry.manifest('app', reference);
      },
    },
    'app',
  );
  expect(await walk.below({ digest: digest(1), mediaType: undefined })).toEqual({
    ok: true,
    digests: new Set([digest(1), digest(2)]),
  });
  expect(asked).toEqual([digest(1)]);
});
