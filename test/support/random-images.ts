/** Registries and pushes made by chance from a seed: images of all kinds, near misses of each, and what is attached to them. */
import { gzipSync } from 'node:zlib';
import {
  type Made,
  World,
  artifactOf,
  attestationEntry,
  attestationOf,
  cosignOf,
  describe,
  imageOf,
  indexOf,
  layerOf,
  made,
  referrersTag,
  types,
} from './image-world.ts';

/** Numbers from 0 to 1, the same for the same seed (mulberry32). */
export function createChance(seed: number) {
  let state = seed;
  const next = (): number => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
  return {
    is: (likelihood: number): boolean => next() < likelihood,
    one: <T>(of: readonly [T, ...T[]]): T => of[Math.floor(next() * of.length)] ?? of[0],
    some: <T>(of: readonly T[], likelihood: number): readonly T[] => of.filter(() => next() < likelihood),
  };
}

export type Chance = ReturnType<typeof createChance>;

export const places = { target: 'release/app', sources: ['integration/app', 'archive/app'], other: 'sandbox/app' };

export interface RandomPush {
  readonly kind: string;
  readonly image: Made;
  readonly tag: string | undefined;
}

interface Pool {
  readonly images: readonly [Made, ...Made[]];
  readonly chance: Chance;
}

const zstd = Buffer.from('28b52ffd2400010000', 'hex');

function fieldsOf(image: Made): { config: object; layers: object[] } & Record<string, unknown> {
  const { config, layers, ...rest } = JSON.parse(image.content.toString()) as { config: object; layers: object[] };
  return { config, layers, ...rest, schemaVersion: 2 };
}

/** The same image in another manifest. */
function rewritten(image: Made, fields: object = { annotations: { by: 'somebody' } }): Made {
  const { config, layers } = fieldsOf(image);
  return made(types.image, { config, layers, ...fields }, image.blobs);
}

/** The same configuration over other layers. */
function overLayers(image: Made, layers: readonly Buffer[]): Made {
  const [config = Buffer.alloc(0)] = image.blobs;
  const body = { config: describe(config, types.config), layers: layers.map((layer) => describe(layer, types.layer)) };
  return made(types.image, body, [config, ...layers]);
}

function odd(image: Made, change: (text: string) => string): Made {
  const content = Buffer.from(change(rewritten(image).content.toString()));
  return { ...made(types.image, {}, image.blobs), content };
}

const kinds: Readonly<Record<string, (pool: Pool) => { readonly image: Made; readonly tag?: string | undefined }>> = {
  copy: ({ images, chance }) => ({ image: chance.one(images) }),
  rewritten: ({ images, chance }) => ({ image: rewritten(chance.one(images)) }),
  'rewritten by docker': ({ images, chance }) => {
    const image = chance.one(images);
    const { config, layers } = fieldsOf(image);
    const body = {
      config: { ...config, mediaType: types.dockerConfig },
      layers: layers.map((layer) => ({ ...layer, mediaType: types.dockerLayer })),
    };
    return { image: made(types.dockerImage, body, image.blobs) };
  },
  'built by hand': ({ chance }) => ({ image: imageOf([layerOf(`own ${chance.is(0.5)}`)]) }),
  'packed anew': ({ images, chance }) => {
    const image = chance.one(images);
    const [, ...layers] = image.blobs;
    const tars = layers.map((_, at) =>
      layerOf(textOf(image, at), (tar) => (chance.is(0.3) ? tar : gzipSync(tar, { level: 1 }))),
    );
    return {
      image: overLayers(
        image,
        tars.map(({ stored }, at) => (chance.is(0.4) ? (layers[at] ?? stored) : stored)),
      ),
    };
  },
  'with another layer': ({ images, chance }) => {
    const image = chance.one(images);
    const [, first, ...layers] = image.blobs;
    const other = chance.is(0.3) ? zstd : layerOf('evil').stored;
    const changes: readonly [readonly Buffer[], ...(readonly Buffer[])[]] = [
      [other, ...layers],
      [first ?? other, ...layers, other],
      layers.length === 0 ? [other] : [...layers, first ?? other],
      [first ?? other],
    ];
    return { image: overLayers(image, chance.one(changes)) };
  },
  'with urls': ({ images, chance }) => {
    const image = chance.one(images);
    const { config, layers } = fieldsOf(image);
    return {
      image: rewritten(image, { config, layers: layers.map((layer) => ({ ...layer, urls: ['https://x.test'] })) }),
    };
  },
  'read in two ways': ({ images, chance }) => {
    const image = chance.one(images);
    return {
      image: odd(image, (text) =>
        chance.one([
          text.replace('{', '{"layers":[],'),
          text.replace('{', '{"Config":{},'),
          text.replace('{', '{"manifests":[],'),
          text.replace(types.image, types.dockerImage),
        ]),
      ),
    };
  },
  index: ({ images, chance }) => ({
    image: indexOf(chance.some([...images, ...images.map((image) => rewritten(image))], 0.4), {
      isDocker: chance.is(0.3),
    }),
  }),
  'index with one of another kind': ({ images, chance }) => ({
    image: indexOf([
      ...chance.some(images, 0.5),
      chance.one([
        imageOf([layerOf('own')]),
        rewritten(images[0]),
        [images[0], { mediaType: types.dockerImage }],
        artifactOf(images[0]),
      ]),
    ]),
  }),
  'index in an index': ({ images, chance }) => ({
    image: indexOf([indexOf(chance.some(images, 0.5)), ...chance.some(images, 0.3)]),
  }),
  'index with attestations': ({ images, chance }) => {
    const [image, other] = [chance.one(images), chance.one(images)];
    return {
      image: indexOf([
        image,
        chance.one([
          attestationOf(image),
          attestationOf(other, 'other'),
          [imageOf([layerOf('own')]), attestationEntry(image.digest)],
          [imageOf([layerOf('own')], { layerType: 'application/vnd.in-toto+json' }), attestationEntry(image.digest)],
        ]),
      ]),
    };
  },
  artifact: ({ images, chance }) => ({
    image: artifactOf(chance.one(images), chance.one(['sbom', 'other'])),
    tag: undefined,
  }),
  'image with a subject': ({ images, chance }) => {
    const image = chance.one([chance.one(images), imageOf([layerOf('own')])]);
    const subject = describe(images[0].content, images[0].mediaType);
    const { config } = fieldsOf(image);
    return {
      image: rewritten(image, {
        subject,
        ...(chance.is(0.4) && { config: { ...config, mediaType: 'application/octet-stream' } }),
      }),
    };
  },
  signature: ({ images, chance }) => {
    const image = chance.one(images);
    const tag = chance.one([referrersTag(image, '.sig'), referrersTag(image, '.att'), 'v1']);
    const own = imageOf([layerOf('own', (tar) => tar)], {
      layerType: 'application/vnd.dev.cosign.simplesigning.v1+json',
    });
    return { image: chance.is(0.7) ? cosignOf(image) : own, tag };
  },
  'list of what is attached': ({ images, chance }) => {
    const image = chance.one(images);
    const all = [artifactOf(image), artifactOf(image, 'other'), artifactOf(chance.one(images)), image];
    return { image: indexOf(chance.some(all, 0.4)), tag: chance.is(0.8) ? referrersTag(image) : 'v1' };
  },
};

export const kindNames: readonly string[] = Object.keys(kinds);

/** What stands in the file of a layer of an image of the pool. */
const textOf = (image: Made, at: number): string => texts.get(image.digest)?.[at] ?? '';
const texts = new Map<string, readonly string[]>();

function poolOf(chance: Chance): Pool {
  const make = (number: number): Made => {
    const layers = [`base ${number % 2}`, ...chance.some([`app ${number}`, `more ${number}`], 0.6)];
    const image = imageOf(
      layers.map((text) => layerOf(text)),
      { isDocker: chance.is(0.3), config: { number } },
    );
    texts.set(image.digest, layers);
    return image;
  };
  return { images: [make(0), make(1), make(2), make(3)], chance };
}

/** A registry, and one push of a kind into the target, of which all that it names may be there. */
export function randomPush(seed: number, kind: string): { readonly world: World; readonly push: RandomPush } {
  const chance = createChance(seed);
  const pool = poolOf(chance);
  const world = new World();
  const { images } = pool;
  const tags = ['approved-1', 'approved-2', 'build-1', 'latest', 'v1'] as const;
  for (const source of places.sources) {
    for (const image of chance.some(images, 0.6)) world.put(source, image, ...chance.some(tags, 0.25));
    const index = indexOf(chance.some(images, 0.4));
    if (chance.is(0.4)) world.put(source, index, chance.one(tags));
    if (chance.is(0.3)) {
      world.put(source, index);
      world.put(source, indexOf([index, chance.one(images)]), chance.one(tags));
    }
    const attached = images.flatMap((image) => [artifactOf(image), cosignOf(image), attestationOf(image)[0]]);
    for (const each of chance.some(attached, 0.3)) world.put(source, each);
  }
  const { image, tag = chance.is(0.2) ? undefined : chance.one(['v1', 'latest', 'approved-1']) } = (
    kinds[kind] ?? kinds['copy']
  )?.(pool) ?? { image: images[0] };
  const { target, other } = places;
  for (const each of images) world.put(other, rewritten(each), 'latest');
  for (const each of chance.some(images, 0.6)) world.put(target, each);
  for (const each of images.flatMap((one) => [artifactOf(one), artifactOf(one, 'other')])) {
    if (chance.is(0.6)) world.put(target, each);
  }
  if (chance.is(0.85)) {
    const all = [...images, ...images.map((each) => rewritten(each)), imageOf([layerOf('own')]), artifactOf(images[0])];
    const attested = [...all, imageOf([layerOf('own')], { layerType: 'application/vnd.in-toto+json' })];
    const attestations = images.flatMap((each) => [attestationOf(each)[0], attestationOf(each, 'other')[0]]);
    for (const each of [...attested, ...attestations]) if (image.content.includes(each.digest)) world.put(target, each);
    const inner = JSON.parse(image.content.toString()) as { manifests?: { digest: string }[] };
    for (const subset of subsetsOf(images)) {
      if (inner.manifests?.[0]?.digest !== indexOf(subset).digest) continue;
      world.put(target, indexOf(subset));
      for (const each of subset) world.put(target, each);
    }
  }
  world.putBlobs(target, image);
  return { world, push: { kind, image, tag } };
}

function subsetsOf<T>(all: readonly T[]): readonly (readonly T[])[] {
  return all.reduce<readonly (readonly T[])[]>((sets, each) => [...sets, ...sets.map((set) => [...set, each])], [[]]);
}
