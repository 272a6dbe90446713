import { describe, expect, test } from 'vitest';
import { keepsAttachments } from '../../src/distribution/attachments.ts';

const hex = '0123456789abcdef'.repeat(4);
const list = `sha256-${hex}`;
const indexType = 'application/vnd.oci.image.index.v1+json';
const imageType = 'application/vnd.oci.image.manifest.v1+json';
const entry = (serial: number, more: object = {}): object => ({
  mediaType: imageType,
  digest: `sha256:${String(serial).padStart(64, '0')}`,
  size: 7,
  ...more,
});
const index = (...manifests: readonly unknown[]): object => ({ schemaVersion: 2, mediaType: indexType, manifests });
const signed = (...layers: readonly unknown[]): object => ({
  schemaVersion: 2,
  mediaType: imageType,
  config: { digest: `sha256:${'c'.repeat(64)}`, size: layers.length },
  layers,
});
const signature = (text: string): object => entry(1, { annotations: { 'dev.cosignproject.cosign/signature': text } });

function keeps(tag: string, before: object | string, after: object | string, type?: string): boolean {
  const typed = (value: object | string) => ({
    content: Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)),
    mediaType: type,
  });
  return keepsAttachments(tag, typed(before), typed(after));
}

describe('a list of attachments only grows', () => {
  test.each<[string, string, object | string, object | string]>([
    ['by one', list, index(entry(1)), index(entry(1), entry(2))],
    ['from nothing', list, index(), index(entry(1))],
    ['in another order', list, index(entry(1), entry(2)), index(entry(3), entry(2), entry(1))],
    ['with its members in another order', list, index({ size: 7, digest: 'd' }), index({ digest: 'd', size: 7 })],
    [
      'with members that say nothing',
      list,
      index(entry(1)),
      index(entry(1, { annotations: {}, urls: [], data: null })),
    ],
    ['of another algorithm', `sha512-${'a'.repeat(64)}`, index(entry(1)), index(entry(1), entry(2))],
    ['of signatures', `${list}.sig`, signed(entry(1)), signed(entry(1), entry(2))],
    ['of signatures of one payload', `${list}.sig`, signed(signature('a')), signed(signature('a'), signature('b'))],
    ['of attestations', `${list}.att`, signed(entry(1)), signed(entry(1), entry(2))],
    ['with escapes', list, index(entry(1)), JSON.stringify(index(entry(1), entry(2))).replace('sha', '\\u0073ha')],
  ])('%s', (_how, tag, before, after) => {
    expect(keeps(tag, before, after)).toBe(true);
  });

  test('by the type that it is known by where it names none', () => {
    const bare = { ...index(entry(1)), mediaType: undefined };
    expect(keeps(list, bare, index(entry(1), entry(2)), `${indexType}; charset=utf-8`)).toBe(true);
    expect(keeps(list, bare, index(entry(1), entry(2)))).toBe(false);
  });
});

describe('it is no growth', () => {
  const raw = (text: string): string => `{"schemaVersion":2,"mediaType":"${indexType}",${text}}`;
  const [one, two] = [JSON.stringify(entry(1)), JSON.stringify(entry(2))];
  test.each<[string, string, object | string, object | string]>([
    ['to lose an entry', list, index(entry(1), entry(2)), index(entry(1))],
    ['to swap one', list, index(entry(1)), index(entry(2), entry(3))],
    ['to hold one of two equal ones', list, index(entry(1), entry(1)), index(entry(1), entry(2))],
    ['to alter one', list, index(entry(1)), index(entry(1, { artifactType: 'application/other' }))],
    ['to lose a signature', `${list}.sig`, signed(signature('a'), signature('b')), signed(signature('a'))],
    ['to swap a signature of one payload', `${list}.sig`, signed(signature('a')), signed(signature('b'))],
    ['to lose an attestation', `${list}.att`, signed(entry(1), entry(2)), signed(entry(2))],
    ['where the tag is another one', 'v1', index(entry(1)), index(entry(1), entry(2))],
    ['where the tag only looks like one', `${list}x`, index(entry(1)), index(entry(1), entry(2))],
    ['to become another kind of list', list, index(), signed(entry(1))],
    ['to be of another type', list, index(entry(1)), { ...index(entry(1)), mediaType: imageType }],
    ['where the old one is no list', list, signed(entry(1)), index(entry(1))],
    ['where the new one is two kinds of list', list, index(entry(1)), { ...index(entry(1)), layers: [] }],
    ['where an entry is none', list, index('x'), index('x')],
    ['where the old one cannot be read', list, 'x', index(entry(1))],
    ['where the new one cannot be read', list, index(entry(1)), '{'],
    ['where a name is written twice', list, index(entry(1)), raw(`"manifests":[],"manifests":[${one},${two}]`)],
    ['where it is in two spellings', list, index(entry(1)), raw(`"manifests":[${one},${two}],"Manifests":[]`)],
    [
      'where an entry is in two spellings',
      list,
      index(entry(1)),
      raw(`"manifests":[${one.replace('{', '{"Digest":"x",')}]`),
    ],
  ])('%s', (_how, tag, before, after) => {
    expect(keeps(tag, before, after)).toBe(false);
  });
});
