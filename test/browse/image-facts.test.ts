import { Readable } from 'node:stream';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createImageFactsMemory } from '../../src/adapters/memory/image-facts.ts';
import { readImage } from '../../src/browse/image-reader.ts';
import { readConfig } from '../../src/browse/read-config.ts';
import { readManifest } from '../../src/browse/read-manifest.ts';
import type { ImageFacts, ManifestReading, Registry } from '../../src/ports.ts';
import { digestOf, types } from '../support/content.ts';
import { sized } from '../support/size.ts';

const docker = {
  manifest: 'application/vnd.docker.distribution.manifest.v2+json',
  list: 'application/vnd.docker.distribution.manifest.list.v2+json',
  config: 'application/vnd.docker.container.image.v1+json',
  layer: 'application/vnd.docker.image.rootfs.diff.tar.gzip',
};

/** A repository's content, and what was asked of it. */
class Content {
  readonly asked: string[] = [];
  readonly #manifests = new Map<string, { readonly content: Buffer; readonly mediaType: string }>();
  readonly #blobs = new Map<string, Buffer>();

  put(value: unknown, mediaType: string): { digest: string; size: number; mediaType: string } {
    const content = Buffer.from(JSON.stringify(value));
    this.#manifests.set(digestOf(content), { content, mediaType });
    return { digest: digestOf(content), size: content.length, mediaType };
  }

  blob(content: Buffer | object, mediaType: string): { digest: string; size: number; mediaType: string } {
    const bytes = Buffer.isBuffer(content) ? content : Buffer.from(JSON.stringify(content));
    this.#blobs.set(digestOf(bytes), bytes);
    return { digest: digestOf(bytes), size: bytes.length, mediaType };
  }

  image(platform: object, form = { manifest: types.manifest, config: types.config, layer: types.layer } as Form) {
    const config = this.blob({ ...platform, config: { User: 'web', Labels: { a: 'b' } } }, form.config);
    const layers = [1000, 500].map((size) => ({
      digest: digestOf(Buffer.from(String(size))),
      size,
      mediaType: form.layer,
    }));
    return this.put({ schemaVersion: 2, mediaType: form.manifest, config, layers }, form.manifest);
  }

  readonly registry: Pick<Registry, 'manifest' | 'openBlob'> = {
    manifest: (_repository, digest): Promise<ManifestReading> => {
      this.asked.push(`manifest ${digest}`);
      const found = this.#manifests.get(digest);
      return Promise.resolve({ ok: true, manifest: found && { digest, ...found } });
    },
    openBlob: (_repository, digest) => {
      this.asked.push(`blob ${digest}`);
      const found = this.#blobs.get(digest);
      return Promise.resolve({ ok: true, blob: found && { size: found.length, content: Readable.from([found]) } });
    },
  };

  async read(digest: string, isWhole = true): Promise<ImageFacts> {
    const facts = await readImage(this.registry, 'r', digest, isWhole);
    if (facts === 'none' || 'ok' in facts) throw new Error(JSON.stringify(facts));
    return facts;
  }
}
interface Form {
  readonly manifest: string;
  readonly config: string;
  readonly layer: string;
}

const amd64 = { os: 'linux', architecture: 'amd64' };
const arm = { os: 'linux', architecture: 'arm', variant: 'v7' };

describe('facts of an image', () => {
  test.each([
    ['OCI', { manifest: types.manifest, config: types.config, layer: types.layer }],
    ['docker', docker],
  ])('of %s have its platform, size, layers and config', async (_kind, form) => {
    const content = new Content();
    const image = content.image(amd64, form);
    const facts = await content.read(image.digest);
    expect(facts).toMatchObject({ digest: image.digest, mediaType: form.manifest, isWhole: true, attestations: [] });
    const [platform] = facts.platforms;
    expect(platform).toMatchObject({
      digest: image.digest,
      name: 'linux/amd64',
      config: { user: 'web', labels: { a: 'b' } },
    });
    expect(platform?.layers.map(({ size }) => size)).toEqual([1000, 500]);
    expect(facts.size).toBeGreaterThan(1500 + image.size);
  });

  test.each([types.index, docker.list])('of an index (%s) have every platform', async (mediaType) => {
    const content = new Content();
    const images = [amd64, arm].map((platform) => ({ ...content.image(platform), platform }));
    const index = content.put({ schemaVersion: 2, mediaType, manifests: images }, mediaType);
    const facts = await content.read(index.digest);
    expect(facts.platforms.map(({ name }) => name)).toEqual(['linux/amd64', 'linux/arm/v7']);
    expect(facts.platforms.every(({ config }) => config?.user === 'web')).toBe(true);
    const sizes = facts.platforms.map(({ size }) => size ?? NaN);
    expect(facts.size).toBe(index.size + sizes.reduce((sum, size) => sum + size));
  });

  test('for a row have no configs of an index’s images, which are not asked for', async () => {
    const content = new Content();
    const images = [amd64, arm].map((platform) => ({ ...content.image(platform), platform }));
    const index = content.put({ schemaVersion: 2, manifests: images }, types.index);
    const facts = await content.read(index.digest, false);
    expect(facts.isWhole).toBe(false);
    expect(facts.size).toBeGreaterThan(3000);
    expect(content.asked.filter((line) => line.startsWith('blob'))).toEqual([]);
  });

  test('count what BuildKit attests as no platform', async () => {
    const content = new Content();
    const image = { ...content.image(amd64), platform: amd64 };
    const attestation = content.put({ schemaVersion: 2, layers: [] }, types.manifest);
    const annotations = {
      'vnd.docker.reference.type': 'attestation-manifest',
      'vnd.docker.reference.digest': image.digest,
    };
    const unknown = { os: 'unknown', architecture: 'unknown' };
    const index = content.put(
      { schemaVersion: 2, manifests: [image, { ...attestation, platform: unknown, annotations }] },
      types.index,
    );
    const facts = await content.read(index.digest);
    expect(facts.platforms.map(({ name }) => name)).toEqual(['linux/amd64']);
    expect(facts.attestations).toEqual([{ digest: attestation.digest, of: image.digest }]);
  });

  test('of an index of forty platforms have forty', async () => {
    const content = new Content();
    const images = Array.from({ length: 40 }, (_, at) => {
      const platform = { os: 'linux', architecture: `cpu${at}` };
      return { ...content.image(platform), platform };
    });
    const facts = await content.read(content.put({ manifests: images }, types.index).digest);
    expect(new Set(facts.platforms.map(({ name }) => name)).size).toBe(40);
  });

  test('of an artifact have its type and layers, and a config that is none of an image is not read', async () => {
    const content = new Content();
    const config = content.blob({ name: 'chart' }, 'application/vnd.cncf.helm.config.v1+json');
    const layers = [{ digest: digestOf(Buffer.from('x')), size: 7, mediaType: 'application/x-tgz' }];
    const subject = { digest: digestOf(Buffer.from('s')), size: 1, mediaType: types.manifest };
    const artifact = content.put(
      { schemaVersion: 2, artifactType: 'application/x-sbom', config, layers, subject, annotations: { k: 'v' } },
      types.manifest,
    );
    const facts = await content.read(artifact.digest);
    expect(facts).toMatchObject({
      artifactType: 'application/x-sbom',
      subject: subject.digest,
      annotations: { k: 'v' },
    });
    expect(facts.platforms).toEqual([{ digest: artifact.digest, name: undefined, size: facts.size, layers }]);
    expect(content.asked).toEqual([`manifest ${artifact.digest}`]);
  });

  test('of an index of layers (BuildKit’s cache) have these, and no platform', async () => {
    const content = new Content();
    const layer = { digest: digestOf(Buffer.from('l')), size: 9, mediaType: types.layer };
    const cache = { digest: digestOf(Buffer.from('c')), size: 3, mediaType: 'application/vnd.buildkit.cacheconfig.v0' };
    const index = content.put({ schemaVersion: 2, manifests: [layer, cache] }, types.index);
    expect(await content.read(index.digest)).toMatchObject({ platforms: [], size: index.size + 12 });
  });

  test('of an image that an index names and the repository does not have are what the index says', async () => {
    const content = new Content();
    const gone = { digest: digestOf(Buffer.from('gone')), size: 10, mediaType: types.manifest, platform: arm };
    const facts = await content.read(content.put({ manifests: [gone] }, types.index).digest);
    expect(facts.platforms).toEqual([{ digest: gone.digest, name: 'linux/arm/v7', size: undefined, layers: [] }]);
    expect(facts.size).toBeUndefined();
  });

  test('have no config of more than 256 kB', async () => {
    const content = new Content();
    const config = content.blob({ ...amd64, comment: 'x'.repeat(262_144) }, types.config);
    const image = content.put({ schemaVersion: 2, config, layers: [] }, types.manifest);
    const facts = await content.read(image.digest);
    expect(facts.platforms).toMatchObject([{ name: undefined, layers: [] }]);
    expect(facts.platforms[0]?.config).toBeUndefined();
    expect(facts.size).toBe(image.size + config.size);
  });

  test('have no config of more than 256 kB of which nobody said the size, and leave one unread that says it', async () => {
    const content = new Content();
    const config = content.blob({ ...amd64, comment: 'x'.repeat(262_144) }, types.config);
    const image = content.put({ schemaVersion: 2, config, layers: [] }, types.manifest);
    for (const size of [undefined, config.size]) {
      let read = 0;
      const endless = new Readable({
        read() {
          read += 65_536;
          this.push(Buffer.alloc(65_536));
        },
      });
      const openBlob = () => Promise.resolve({ ok: true, blob: { size, content: endless } } as const);
      const facts = await readImage({ ...content.registry, openBlob }, 'r', image.digest, true);
      expect(facts).toMatchObject({ platforms: [{ name: undefined }] });
      expect(endless.destroyed).toBe(true);
      expect(read).toBeLessThan(size === undefined ? 1_000_000 : 1);
    }
  });

  test('are none of what is not there, and say what the registry said', async () => {
    const { registry } = new Content();
    expect(await readImage(registry, 'r', digestOf(Buffer.from('x')), true)).toBe('none');
    const down = { ...registry, manifest: () => Promise.resolve({ ok: false, reason: 'timeout' } as const) };
    expect(await readImage(down, 'r', digestOf(Buffer.from('x')), true)).toEqual({ ok: false, reason: 'timeout' });
  });
});

describe('a manifest and a config of any content', () => {
  /** JSON with the names that are looked for, of any shape below them. */
  const shape = fc.letrec<{ value: unknown }>((tie) => ({
    value: fc.oneof(
      { depthSize: 'small' },
      fc.constantFrom(null, true, -1, 0, 1e308, '', 'a', '\ud800', `sha256:${'0'.repeat(64)}`, 'x'.repeat(9000)),
      fc.array(tie('value'), { maxLength: 4 }),
      fc.dictionary(
        fc.constantFrom(
          ...'mediaType artifactType config layers manifests blobs subject annotations digest size platform os'.split(
            ' ',
          ),
          ...'architecture variant Labels history created created_by empty_layer User Entrypoint Cmd ExposedPorts'.split(
            ' ',
          ),
          ...'vnd.docker.reference.type vnd.docker.reference.digest __proto__ constructor toString'.split(' '),
        ),
        tie('value'),
        { maxKeys: 8, noNullPrototype: true },
      ),
    ),
  })).value;
  const digest = `sha256:${'1'.repeat(64)}`;

  function texts(value: unknown): readonly string[] {
    if (typeof value === 'string') return [value];
    if (typeof value !== 'object' || value === null) return [];
    return Object.entries(value).flatMap(([name, each]) => [name, ...texts(each)]);
  }

  test('say how long they are where they are cut, and together are no page of megabytes', () => {
    const long = 'x'.repeat(65_536);
    const label = readConfig(Buffer.from(JSON.stringify({ config: { Labels: { long } } })))?.facts.labels['long'];
    expect(label).toMatch(/^x{4000,}… \(65,536 characters\)$/);
    const texts = Array.from({ length: 200 }, (_, at) => [`${at}${long}`, `😀${long}`] as const);
    const all = readConfig(
      Buffer.from(
        JSON.stringify({
          config: { Labels: Object.fromEntries(texts), Cmd: texts.flat(), ExposedPorts: Object.fromEntries(texts) },
          history: texts.map(([text]) => ({ created_by: text })),
        }),
      ),
    )?.facts;
    expect(all && [Object.keys(all.labels).length, all.history.length, all.command.length]).toEqual([200, 200, 100]);
    expect(Object.values(all?.labels ?? {}).at(-1)).toMatch(/^😀x{80,}… \(65,538 characters\)$/);
    expect(JSON.stringify(all).length).toBeLessThan(300_000);
  });

  test('are read without a failure, into bounded texts', () => {
    fc.assert(
      fc.property(shape, fc.option(fc.string(), { nil: undefined }), (value, mediaType) => {
        const content = Buffer.from(JSON.stringify(value) ?? 'null');
        const read = [readManifest({ digest, mediaType, content }), readConfig(content)];
        for (const text of texts(read)) expect(text.length).toBeLessThanOrEqual(4096);
      }),
      { numRuns: sized(2000) },
    );
  });

  test('that are no JSON at all are there, and no more', () => {
    for (const content of ['', '{', '[]', 'null', '"x"', '\u0000', '[['.repeat(50_000)]) {
      expect(readManifest({ digest, mediaType: 'text/html; x', content: Buffer.from(content) })).toMatchObject({
        mediaType: 'text/html',
        layers: [],
        images: [],
      });
      expect(readConfig(Buffer.from(content))).toBeUndefined();
    }
  });

  test('are not parsed where they are larger than a megabyte', () => {
    const content = Buffer.from(JSON.stringify({ annotations: { a: 'b' }, pad: 'x'.repeat(1_048_576) }));
    expect(readManifest({ digest, mediaType: types.manifest, content }).annotations).toEqual({});
  });

  test('hold so many entries at most', () => {
    const entry = { digest, size: 1, mediaType: types.layer };
    const content = Buffer.from(JSON.stringify({ layers: Array(3000).fill(entry) }));
    expect(readManifest({ digest, mediaType: types.manifest, content }).layers.length).toBe(500);
    const history = Buffer.from(JSON.stringify({ history: Array(3000).fill({ created_by: 'x' }) }));
    expect(readConfig(history)?.facts.history.length).toBe(500);
  });

  test('say nothing by names that objects have by nature', () => {
    const content = Buffer.from('{"annotations":{"__proto__":"x","constructor":"y"}}');
    const { annotations } = readManifest({ digest, mediaType: types.manifest, content });
    expect(Object.entries(annotations)).toEqual([
      ['__proto__', 'x'],
      ['constructor', 'y'],
    ]);
  });
});

describe('the memory for images', () => {
  const facts = (number: number, text = ''): ImageFacts => ({
    digest: `sha256:${number}`,
    mediaType: 'm',
    size: 1,
    platforms: [],
    attestations: [],
    annotations: { text },
    isWhole: true,
  });

  test('gives what a repository has to that repository alone', () => {
    const memory = createImageFactsMemory();
    memory.put('a', facts(1));
    expect(memory.get('a', 'sha256:1')).toEqual(facts(1));
    expect(memory.get('b', 'sha256:1')).toBeUndefined();
  });

  test('holds so many images, and so many bytes of them', () => {
    const few = createImageFactsMemory({ images: 2 });
    for (const number of [1, 2, 3]) few.put('a', facts(number));
    expect([1, 2, 3].map((number) => few.get('a', `sha256:${number}`)?.digest)).toEqual([
      undefined,
      'sha256:2',
      'sha256:3',
    ]);
    const small = createImageFactsMemory({ bytes: 100_000 });
    for (let number = 0; number < 1000; number++) small.put('a', facts(number, 'x'.repeat(1000)));
    expect(small.bytes()).toBeLessThanOrEqual(100_000);
    expect(small.get('a', 'sha256:999')).toBeDefined();
    small.put('a', facts(1000, 'x'.repeat(100_000)));
    expect(small.get('a', 'sha256:1000')).toBeUndefined();
  });
});
