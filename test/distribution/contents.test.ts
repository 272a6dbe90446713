import { describe, expect, test } from 'vitest';
import { onlyHeld, withAttachments } from '../../src/distribution/attachments.ts';
import { contentsOf } from '../../src/distribution/contents.ts';

const digest = (letter: string): string => `sha256:${letter.repeat(64)}`;
const json = (value: object): Buffer => Buffer.from(JSON.stringify(value));
const blob = (letter: string, more: object = {}): object => ({ digest: digest(letter), size: 3, ...more });

describe('what a manifest is made of', () => {
  test.each([
    ['an image', { config: blob('a'), layers: [blob('b'), blob('c')] }, [], ['a', 'b', 'c']],
    ['an image without layers', { config: blob('a') }, [], ['a']],
    ['an artifact of old', { blobs: [blob('a')], subject: blob('f') }, [], ['a']],
    ['an index', { manifests: [blob('a'), blob('b')] }, ['a', 'b'], []],
    ['an empty index', { manifests: [] }, [], []],
    [
      'a cache of BuildKit',
      { manifests: [blob('a', { mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip' }), blob('b')] },
      ['b'],
      ['a'],
    ],
  ])('%s', (_what, value, manifests, blobs) => {
    const contents = contentsOf(json(value));
    expect(contents?.manifests.map((each) => each.digest)).toEqual(manifests.map(digest));
    expect(contents?.blobs.map((each) => each.digest)).toEqual(blobs.map(digest));
  });

  test.each([
    ['nothing', {}],
    ['schema 1', { schemaVersion: 1, fsLayers: [{ blobSum: digest('a') }] }],
    ['layers that are none', { config: blob('a'), layers: {} }],
    ['a layer without a size', { config: blob('a'), layers: [{ digest: digest('b') }] }],
    ['a size that is text', { config: { ...blob('a'), size: '3' } }],
    ['a size below zero', { config: { ...blob('a'), size: -1 } }],
    ['a list', []],
  ])('cannot be told of %s', (_what, value) => expect(contentsOf(json(value))).toBeUndefined());

  test('is elsewhere where it has addresses, and only there', () => {
    const layers = [blob('b', { urls: ['https://x.test/'] }), blob('c', { urls: [] })];
    expect(contentsOf(json({ config: blob('a'), layers }))?.blobs.map(({ isElsewhere }) => isElsewhere)).toEqual([
      ...[false, true, false],
    ]);
  });
});

describe('lists of attachments', () => {
  const tag = `sha256-${'1'.repeat(64)}`;
  const indexType = 'application/vnd.oci.image.index.v1+json';
  const list = (...entries: readonly object[]) => ({
    content: json({ schemaVersion: 2, mediaType: indexType, manifests: entries }),
    mediaType: indexType,
  });
  const all = (): boolean => true;
  const entriesOf = (content: Buffer | undefined): unknown =>
    (JSON.parse(content?.toString() ?? '{}') as { manifests?: unknown }).manifests;

  test('grow by what they lack, in order, and lose nothing', () => {
    const merged = withAttachments(tag, list(blob('a'), blob('b')), list(blob('b'), blob('c'), blob('d')), all);
    expect(entriesOf(merged)).toEqual([blob('a'), blob('b'), blob('c'), blob('d')]);
  });

  test('that lack nothing stay byte for byte', () => {
    const own = list(blob('a'), blob('b'));
    expect(withAttachments(tag, own, list(blob('b')), all)).toBe(own.content);
    expect(onlyHeld(tag, own, all)).toBe(own.content);
  });

  test('grow only by what is there', () => {
    const isHeld = (each: string): boolean => each !== digest('c');
    expect(entriesOf(withAttachments(tag, list(blob('a')), list(blob('b'), blob('c')), isHeld))).toEqual([
      blob('a'),
      blob('b'),
    ]);
    expect(entriesOf(onlyHeld(tag, list(blob('b'), blob('c')), isHeld))).toEqual([blob('b')]);
  });

  test('two signatures that differ in an annotation are two', () => {
    const [one, two] = [blob('a', { annotations: { by: 'x' } }), blob('a', { annotations: { by: 'y' } })];
    const layers = (entries: readonly object[]) => ({
      content: json({ mediaType: 'm', config: blob('f'), layers: entries }),
      mediaType: 'm',
    });
    const merged = withAttachments(`${tag}.sig`, layers([one]), layers([two]), all);
    expect(JSON.parse(merged?.toString() ?? '')).toMatchObject({ config: blob('f'), layers: [one, two] });
  });

  test.each([
    ['another tag', 'v1', list(), list(blob('a'))],
    ['other kinds', tag, { content: json({ mediaType: 'x', manifests: [] }), mediaType: 'x' }, list(blob('a'))],
    ['an image', tag, { content: json({ config: blob('a'), layers: [] }), mediaType: 'x' }, list(blob('a'))],
    [
      'two readings',
      tag,
      { content: json({ mediaType: indexType, manifests: [], Manifests: [blob('a')] }), mediaType: indexType },
      list(blob('b')),
    ],
  ])('cannot be merged for %s', (_what, name, own, more) => {
    expect(withAttachments(name, own, more, all)).toBeUndefined();
  });
});
