/** Layers by what they unpack to, within bounds. */
import { Readable } from 'node:stream';
import { gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { readPlainManifest } from '../../src/distribution/plain-manifest.ts';
import type { ImageManifest } from '../../src/distribution/plain-manifest.ts';
import { GateMemory } from '../../src/gate/gate-memory.ts';
import { compareLayers, packingOf } from '../../src/gate/layer-content.ts';
import type { Registry } from '../../src/ports.ts';
import { type Layer, type Made, digestOf, imageOf, layerOf } from '../support/image-world.ts';

const packed = (text: string, level: number): Layer => layerOf(text, (tar) => gzipSync(tar, { level }));

function asImage({ content, mediaType }: Made): ImageManifest {
  const image = readPlainManifest(content, [mediaType]);
  if (image?.kind !== 'image') throw new Error('not an image');
  return image;
}

function registryWith(...images: readonly Made[]) {
  const blobs = new Map(images.flatMap(({ blobs: all }) => all.map((blob) => [digestOf(blob), blob] as const)));
  const opened: string[] = [];
  const registry: Pick<Registry, 'openBlob'> = {
    openBlob: (_repository, digest) => {
      opened.push(digest);
      const blob = blobs.get(digest);
      const content = blob && Readable.from([blob]);
      return Promise.resolve({ ok: true, blob: content && { size: blob.length, content } });
    },
  };
  return { opened, parts: { registry, memory: new GateMemory(), repository: 'release/app' } };
}

const texts = ['one', 'two', 'three'];
const approved = imageOf(texts.map((text) => packed(text, 9)));
const again = imageOf(texts.map((text) => packed(text, 1)));
const layersOf = (made: Made): readonly string[] => asImage(made).layers.map(({ digest }) => digest);
const each = (again.blobs[1] ?? Buffer.alloc(0)).length;
const tarBytes = layerOf('one').tar.length;

test('layers that unpack to the same are the same', async () => {
  const { parts, opened } = registryWith(again);
  const budget = { left: 3 * tarBytes };
  expect(await compareLayers(parts, asImage(again), [layersOf(approved)], budget)).toEqual({ kind: 'same' });
  expect([budget.left, opened.length, each > 0]).toEqual([0, 4, true]);
});

test('what unpacks to more than is left is refused before the rest is read', async () => {
  const bomb = imageOf([layerOf('x'.repeat(50_000_000))]);
  const approvedBomb = imageOf([layerOf('x'.repeat(50_000_000), (tar) => tar)]);
  const { parts } = registryWith(bomb);
  expect(await compareLayers(parts, asImage(bomb), [layersOf(approvedBomb)], { left: 1_000_000 })).toEqual({
    kind: 'differ',
    why: 'layers differ; use promote (they are too large to be compared)',
  });
  const { parts: others } = registryWith(again);
  expect(await compareLayers(others, asImage(again), [layersOf(approved)], { left: 2 * tarBytes })).toMatchObject({
    kind: 'differ',
  });
});

test('only those that differ are read, from the approved image that is most alike', async () => {
  const mixed = imageOf([packed('one', 9), packed('two', 1), packed('three', 9)]);
  const { parts, opened } = registryWith(mixed);
  const nothingAlike = ['a', 'b', 'c'].map((letter) => `sha256:${letter.repeat(64)}`);
  expect(await compareLayers(parts, asImage(mixed), [nothingAlike, layersOf(approved)], { left: tarBytes })).toEqual({
    kind: 'same',
  });
  expect(opened).toEqual([asImage(mixed).config.digest, layersOf(mixed)[1]]);
});

test('one approved image that it is like is enough, though another is more alike', async () => {
  const evil = packed('evil', 1).stored;
  const made = imageOf([packed('one', 1), packed('two', 9), packed('three', 9)]);
  const image = asImage(made);
  const odd = [image.layers[0]?.digest ?? '', digestOf(evil), digestOf(evil)];
  const { parts } = registryWith(made);
  expect(await compareLayers(parts, image, [odd, layersOf(approved)], { left: 3 * tarBytes })).toEqual({
    kind: 'same',
  });
});

test('an approved image with another number of layers than its configuration says vouches for none of them', async () => {
  const evil = packed('evil', 1).stored;
  const image = asImage(again);
  const layers = [{ digest: digestOf(evil), mediaType: undefined }, ...image.layers.slice(1)];
  const { parts } = registryWith(again, { ...again, blobs: [evil] });
  const result = await compareLayers(parts, { ...image, layers }, [[digestOf(evil)]], { left: 1e9 });
  expect(result).toEqual({ kind: 'differ', why: 'layers differ; use promote' });
});

test('a layer is read once at a time, however many wait for it', async () => {
  const { parts, opened } = registryWith(again);
  const both = await Promise.all(
    [1, 2].map(() => compareLayers(parts, asImage(again), [layersOf(approved)], { left: 3 * tarBytes })),
  );
  expect(both).toEqual([{ kind: 'same' }, { kind: 'same' }]);
  expect(opened).toHaveLength(2 + 3);
});

test('a stream that breaks off is not a layer that differs', async () => {
  const { parts } = registryWith(again);
  const broken: Pick<Registry, 'openBlob'> = {
    openBlob: async (repository, digest) => {
      const reading = await parts.registry.openBlob(repository, digest);
      if (!reading.ok || reading.blob === undefined || digest === asImage(again).config.digest) return reading;
      const content = Readable.from(
        (async function* () {
          yield ((await reading.blob?.content.toArray()) as readonly Buffer[])[0]?.subarray(0, 40);
          throw new Error('gone');
        })(),
      );
      return { ok: true, blob: { size: undefined, content } };
    },
  };
  const result = await compareLayers({ ...parts, registry: broken }, asImage(again), [layersOf(approved)], {
    left: 1e9,
  });
  expect(result).toEqual({ kind: 'unknown', reason: 'broken' });
});

test.each([
  ['1f8b08', 'gzip'],
  ['28b52ffd00', 'zstd'],
  ['502a4d1800', 'zstd'],
  ['5f2a4d1800', 'zstd'],
  ['425a6839', 'bzip2'],
  ['fd377a585a00', 'xz'],
  ['', 'none'],
  ['7b7d', 'none'],
])('content that begins with %s is packed as %s', (hex, packing) => {
  expect(packingOf(Buffer.from(hex, 'hex'))).toBe(packing);
});
