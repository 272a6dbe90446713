import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { readPlainManifest } from '../../src/distribution/plain-manifest.ts';
import { attachmentsTag } from '../../src/distribution/attachments.ts';

const digest = (letter: string): string => `sha256:${letter.repeat(64)}`;
const image = 'application/vnd.oci.image.manifest.v1+json';
const dockerImage = 'application/vnd.docker.distribution.manifest.v2+json';
const index = 'application/vnd.oci.image.index.v1+json';
const artifact = 'application/vnd.oci.artifact.manifest.v1+json';
const config = `"config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"${digest('a')}","size":2}`;
const layers = `"layers":[{"digest":"${digest('b')}"}]`;
const manifests = `"manifests":[{"digest":"${digest('c')}","mediaType":"${image}"}]`;
const read = (text: string, ...types: readonly (string | undefined)[]) => readPlainManifest(Buffer.from(text), types);

test('an image is what it is made of', () => {
  expect(read(`{"schemaVersion":2,${config},${layers},"subject":{"digest":"${digest('d')}"}}`, image)).toEqual({
    kind: 'image',
    config: { digest: digest('a'), mediaType: 'application/vnd.oci.image.config.v1+json' },
    layers: [{ digest: digest('b'), mediaType: undefined }],
    subject: digest('d'),
    hasUrls: false,
  });
});

test('an index is its entries, and what an attestation among them is about', () => {
  const unknown = '"platform":{"architecture":"unknown","os":"unknown"}';
  const about = `"annotations":{"vnd.docker.reference.digest":"${digest('c')}"}`;
  const entries = [
    `{"digest":"${digest('c')}"}`,
    `{"digest":"${digest('d')}",${unknown},${about}}`,
    `{"digest":"${digest('e')}",${about}}`,
    `{"digest":"${digest('f')}",${unknown}}`,
  ];
  const found = read(`{"mediaType":"${index}","manifests":[${entries.join(',')}]}`);
  expect(found?.kind === 'index' && found.entries.map(({ attests }) => attests)).toEqual([
    undefined,
    digest('c'),
    undefined,
    undefined,
  ]);
});

describe('types agree', () => {
  test.each<[string, readonly (string | undefined)[], string | undefined]>([
    [`{${config},${layers}}`, [image], 'image'],
    [`{${config},${layers}}`, [`${dockerImage}; charset=utf-8`], 'image'],
    [`{"mediaType":"${image}",${config},${layers}}`, [], 'image'],
    [`{"mediaType":"${image}",${config},${layers}}`, [image, undefined, image], 'image'],
    [`{"mediaType":"${image}",${config},${layers}}`, [dockerImage], undefined],
    [`{${config},${layers}}`, [image, dockerImage], undefined],
    [`{${config},${layers}}`, [], undefined],
    [`{${config},${layers}}`, [index], undefined],
    [`{${manifests}}`, [index], 'index'],
    [`{${manifests}}`, [image], undefined],
    [`{"blobs":[]}`, [artifact], 'artifact'],
    [`{"blobs":[],${config},${layers}}`, [artifact], undefined],
    [`{${config},${layers}}`, ['application/vnd.docker.distribution.manifest.v1+prettyjws'], undefined],
    [`{${config},${layers}}`, ['text/plain'], undefined],
  ])('%s as %j', (text, types, kind) => {
    expect(read(text, ...types)?.kind).toBe(kind);
  });
});

describe('is not an image:', () => {
  test.each<[what: string, text: string]>([
    ['what has no configuration', `{${layers}}`],
    ['what has no layers', `{${config}}`],
    ['what is an index as well', `{${config},${layers},${manifests}}`],
    ['what has layers of the first schema', `{${config},${layers},"fsLayers":[]}`],
    ['what names a member twice', `{${config},${layers},"layers":[]}`],
    ['what names one twice, once in escapes', `{${config},${layers},"l\\u0061yers":[]}`],
    ['what names one in capitals', `{${config},${layers},"Layers":[]}`],
    ['what names one with the long s', `{${config},${layers},"layer\u017f":[]}`],
    ['what names one with the sign of Kelvin', `{${config},${layers},"blob\u017f":1,"pac\u212aage":1}`],
    ['what names a digest twice', `{${config},"layers":[{"digest":"${digest('b')}","digest":"${digest('c')}"}]}`],
    ['what names a digest in capitals', `{${config},"layers":[{"digest":"${digest('b')}","Digest":"${digest('c')}"}]}`],
    ['what has a digest that is none', `{${config},"layers":[{"digest":"sha256:b"}]}`],
    ['what has a subject that is none', `{${config},${layers},"subject":{"digest":"x"}}`],
    ['what has a subject that is no object', `{${config},${layers},"subject":"x"}`],
    ['what is a list', `[${config}]`.replace('"config":', '')],
    ['what is too deep', `{${config},${layers},"annotations":${'['.repeat(40)}${']'.repeat(40)}}`],
    ['what is no JSON', `{${config},${layers}`],
  ])('%s', (_what, text) => {
    expect(read(text, image)).toBeUndefined();
  });
});

test.each<[urls: string, isElsewhere: boolean]>([
  ['["https://elsewhere.test/"]', true],
  ['"https://elsewhere.test/"', true],
  ['{"a":1}', true],
  ['[]', false],
  ['null', false],
])('layers with urls %s are fetched from elsewhere: %s', (urls, isElsewhere) => {
  const found = read(`{${config},"layers":[{"digest":"${digest('b')}","urls":${urls}}]}`, image);
  expect(found?.kind === 'image' && found.hasUrls).toBe(isElsewhere);
});

test('annotations may be called anything', () => {
  expect(read(`{${config},${layers},"annotations":{"Layers":"x","URLs":"y"}}`, image)?.kind).toBe('image');
});

test('nothing makes it fail', () => {
  fc.assert(
    fc.property(fc.oneof(fc.json(), fc.string()), fc.option(fc.string(), { nil: undefined }), (text, type) => {
      expect(() => read(text, type, image)).not.toThrow();
    }),
  );
});

test.each<[tag: string, expected: object | undefined]>([
  [`sha256-${'a'.repeat(64)}`, { of: digest('a'), form: 'list' }],
  [`sha256-${'a'.repeat(64)}.sig`, { of: digest('a'), form: 'layers' }],
  [`sha256-${'a'.repeat(64)}.att`, { of: digest('a'), form: 'layers' }],
  [`sha512-${'a'.repeat(64)}`, undefined],
  [`sha256-${'a'.repeat(63)}`, undefined],
  [`sha256-${'a'.repeat(64)}.sig.x`, undefined],
  ['v1', undefined],
])('the tag %s', (tag, expected) => {
  expect(attachmentsTag(tag)).toEqual(expected);
});
