/** What one gate says of images of all kinds, asked of a registry over HTTP. */
import { gzipSync } from 'node:zlib';
import { afterAll, beforeEach, describe, expect, test } from 'vitest';
import { GateMemory } from '../../src/gate/gate-memory.ts';
import { type GateVerdict, concludeGates, judgeGates } from '../../src/gate/provenance.ts';
import { summaryOf } from '../../src/gate/source-walk.ts';
import { gatesAt } from '../../src/policy/gates.ts';
import type { Gate } from '../../src/policy/model.ts';
import { backendAt } from '../support/backend.ts';
import { createTar } from '../support/image.ts';
import {
  type Made,
  type Stored,
  World,
  artifactOf,
  attestationEntry,
  attestationOf,
  cosignOf,
  describe as descriptor,
  digestOf,
  imageOf,
  indexOf,
  layerOf,
  made,
  referrersTag,
  types,
} from '../support/image-world.ts';
import { readPolicy } from '../support/policies.ts';
import { startStandIn } from '../support/stand-in.ts';

const standIns: { close: () => Promise<void> }[] = [];
afterAll(async () => void (await Promise.all(standIns.map((each) => each.close()))));

let world = new World();
const registry = await startStandIn((request, response) => world.answer(request, response));
const backend = backendAt(registry.url, { askMs: 1000 });
standIns.push(registry);
let memory = new GateMemory();
beforeEach(() => {
  world = new World();
  memory = new GateMemory();
});

const from = 'integration/app';
const target = 'release/app';

function gateOf(more = ''): Gate {
  const text = `gates: [{ name: approved, repositories: ['release/**'], from: ['integration/**']${more} }]`;
  const [gate] = readPolicy(`${text}\nrules: []\n`).gates;
  if (gate === undefined) throw new Error('there is no gate');
  return gate;
}

interface Judging {
  readonly tag?: string | undefined;
  readonly more?: string;
  readonly gates?: readonly Gate[];
  readonly patience?: { readonly answerMs: number; readonly compareMs: number };
  readonly mediaType?: string | undefined;
}

async function verdictsOn(written: Made | Stored, judging: Judging = {}): Promise<readonly GateVerdict[]> {
  const { gates = [gateOf(judging.more)], patience } = judging;
  const tag = 'tag' in judging ? judging.tag : 'v1';
  if ('blobs' in written) world.putBlobs(target, written);
  const { content } = written;
  const mediaType = 'mediaType' in judging ? judging.mediaType : written.mediaType;
  const standing = gatesAt(gates, { kind: 'anonymous' }, target, tag);
  return judgeGates({ registry: backend.ask, memory, count: () => {}, ...(patience && { patience }) }, standing, {
    repository: target,
    digest: digestOf(content),
    content,
    mediaType,
    tag,
  });
}

/** `how` it passed, why it was refused, or that nobody could tell. */
async function judge(written: Made | Stored, judging: Judging = {}): Promise<string> {
  const [verdict] = await verdictsOn(written, judging);
  if (verdict === undefined) return 'no gate';
  if (verdict.kind === 'passed') return verdict.how;
  return verdict.kind === 'refused' ? verdict.why : `unknown: ${verdict.reason}`;
}

const [one, two] = [layerOf('one'), layerOf('two')];
const approved = imageOf([one, two]);
const withConfigOf = (image: Made, fields: object): Made => {
  const { config, layers } = JSON.parse(image.content.toString()) as { config: object; layers: object[] };
  return made(types.image, { config, layers, ...fields }, image.blobs);
};
/** As docker pushes what it pulled: another manifest of the same image. */
const same = withConfigOf(approved, { annotations: { by: 'docker' } });
const own = imageOf([layerOf('own')]);
const notThere = 'this image is not in integration/app; push the image you pulled, or use promote';

describe('an image', () => {
  test.each<[string, () => Made, string]>([
    ['that is there passes', () => approved, 'same_digest'],
    ['of which another manifest is tagged there passes', () => same, 'same_image'],
    ['that was built by hand does not', () => own, notThere],
    ['with a layer more does not', () => imageOf([one, two, layerOf('three')]), notThere],
    [
      'with the same layers and another configuration does not',
      () => imageOf([one, two], { config: { os: 'plan9' } }),
      notThere,
    ],
  ])('%s', async (_what, image, verdict) => {
    world.put(from, approved, '1.0');
    expect(await judge(image())).toBe(verdict);
  });

  test('passes by the tag of the same name without a look at others', async () => {
    world.put(from, approved, 'v1', 'a', 'b', 'c');
    expect(await judge(same)).toBe('same_image');
    expect(world.requests).toEqual([
      `HEAD /v2/${from}/manifests/${same.digest}`,
      `HEAD /v2/${from}/manifests/v1`,
      `GET /v2/${from}/manifests/${approved.digest}`,
    ]);
  });

  test('costs one question when it is there', async () => {
    world.put(from, approved, 'v1');
    await judge(approved);
    expect(world.requests).toEqual([`HEAD /v2/${from}/manifests/${approved.digest}`]);
  });

  test('passes where it is under a tag, and no longer once the tag is gone: what tags name is asked each time', async () => {
    world.put(from, approved, '1.0');
    expect(await judge(same)).toBe('same_image');
    world.of(from).tags.delete('1.0');
    expect(await judge(same)).toBe(notThere);
  });

  test('whose configuration every repository seems to have does not pass: a blob proves nothing', async () => {
    world.put('sandbox/app', own, 'latest');
    expect(await judge(own)).toBe(notThere);
    expect(world.requests.filter((line) => line.includes('/blobs/'))).toEqual([]);
  });

  test('that is there without a tag passes as it is, not as another manifest', async () => {
    world.put(from, approved);
    expect([await judge(approved), await judge(same)]).toEqual(['same_digest', notThere]);
  });

  test('in an index of the source passes, unless that index has lost it', async () => {
    const index = indexOf([approved, own]);
    for (const part of [approved, own]) world.put(from, part);
    world.put(from, index, '1.0');
    expect(await judge(same)).toBe('same_image');
    world.of(from).manifests.delete(approved.digest);
    expect(await judge(same)).toBe(notThere);
  });

  test('that is known from elsewhere does not count where an index only names it', async () => {
    world.put('elsewhere/app', approved, '1.0');
    world.put(from, indexOf([approved]), '1.0');
    memory.rememberManifest(approved.digest, summaryOf(approved.content, approved.mediaType));
    const packed = imageOf([layerOf('one', (tar) => gzipSync(tar, { level: 1 })), two]);
    expect([await judge(same), await judge(packed)]).toEqual([notThere, notThere]);
  });

  test('counts by what it says of itself where the registry calls it otherwise', async () => {
    world.put(from, approved, '1.0');
    world.of(from).manifests.set(approved.digest, { ...approved, mediaType: types.dockerImage });
    expect(await judge(same)).toBe('same_image');
  });

  test('passes one of several sources', async () => {
    const gate = gateOf().name;
    const policy = `gates: [{ name: ${gate}, repositories: ['release/**'], from: ['integration/**', 'archive/**'] }]\nrules: []`;
    world.put(from, same, '1.0');
    const [verdict] = await verdictsOn(approved, { gates: readPolicy(policy).gates });
    expect(verdict).toMatchObject({ kind: 'passed', how: 'same_image', from });
    const [refused] = await verdictsOn(own, { gates: readPolicy(policy).gates });
    expect(refused).toMatchObject({
      kind: 'refused',
      from: 'archive/app',
      why: 'this image is not in archive/app or integration/app; push the image you pulled, or use promote',
    });
  });

  test('passes `match: digest` by its digest only', async () => {
    world.put(from, approved, '1.0');
    const more = ', match: digest';
    expect(await judge(approved, { more })).toBe('same_digest');
    expect(await judge(same, { more })).toBe('this image is not in integration/app with this digest; use promote');
    expect(world.requests.filter((line) => line.startsWith('GET'))).toEqual([]);
  });

  test('that says it is of another type than it is pushed as, or is read in two ways, is none', async () => {
    world.put(from, approved, '1.0');
    const text = same.content.toString();
    const readings: readonly [string, string | undefined][] = [
      [text, 'application/vnd.docker.distribution.manifest.v1+prettyjws'],
      [text, types.index],
      [text, types.dockerImage],
      [text.replace('{', `{"Config":${JSON.stringify(descriptor(Buffer.from('x'), types.config))},`), types.image],
      [text.replace('{', '{"layer\u017f":[],'), types.image],
      [text.replace('{', '{"layers":[],'), types.image],
      [text.replace('{', '{"fsLayers":[{"blobSum":"x"}],'), types.image],
      [text.replace('{', '{"manifests":[{}],'), types.image],
      [text.replace(`"mediaType":"${types.image}",`, ''), undefined],
    ];
    for (const [content, mediaType] of readings) {
      expect([
        content,
        mediaType,
        await judge({ content: Buffer.from(content), mediaType: mediaType ?? '' }, { mediaType }),
      ]).toEqual([content, mediaType, notThere]);
    }
    expect(await judge(same, { mediaType: `${types.image}; charset=utf-8` })).toBe('same_image');
    expect(await judge(same, { mediaType: undefined })).toBe('same_image');
  });
});

describe('layers that were packed anew', () => {
  const again = (text: string, level = 1): ReturnType<typeof layerOf> =>
    layerOf(text, (tar) => gzipSync(tar, { level }));

  test.each<[string, () => Made]>([
    ['with another level of gzip', () => imageOf([again('one'), two])],
    ['not at all', () => imageOf([layerOf('one', (tar) => tar), two])],
    [
      'in two members',
      () =>
        imageOf([
          layerOf('one', (tar) => Buffer.concat([gzipSync(tar.subarray(0, 700)), gzipSync(tar.subarray(700))])),
          two,
        ]),
    ],
  ])('pass when they unpack to what the configuration says: packed %s', async (_what, image) => {
    world.put(from, approved, '1.0');
    expect(await judge(image())).toBe('same_image');
  });

  test('are read once', async () => {
    world.put(from, approved, '1.0');
    const image = imageOf([again('one'), again('two')]);
    await judge(image);
    const blobs = (): number => world.requests.filter((line) => line.includes('/blobs/')).length;
    expect(blobs()).toBe(3);
    await judge(image);
    expect(blobs()).toBe(4);
  });

  const differing = 'layers differ; use promote';
  test.each<[string, (image: Made) => Made, string]>([
    ['one holds something else', (image) => withLayers(image, [again('evil').stored, two.stored]), differing],
    ['they change places', (image) => withLayers(image, [two.stored, one.stored]), differing],
    ['there are too few', (image) => withLayers(image, [one.stored]), differing],
    ['there is one more', (image) => withLayers(image, [one.stored, two.stored, two.stored]), differing],
    [
      'one cannot be unpacked',
      (image) => withLayers(image, [Buffer.from('1f8b0800000000', 'hex'), two.stored]),
      differing,
    ],
    [
      'one is packed as nobody here reads it',
      (image) => withLayers(image, [Buffer.from('BZh91AY'), two.stored]),
      'layers differ; use promote (bzip2 cannot be compared here)',
    ],
  ])('are refused when %s', async (_what, change, why) => {
    world.put(from, approved, '1.0');
    expect(await judge(change(approved))).toBe(why);
  });

  function withLayers(image: Made, layers: readonly Buffer[]): Made {
    const [config = Buffer.alloc(0)] = image.blobs;
    return withConfigOf(
      made(
        types.image,
        {
          config: descriptor(config, types.config),
          layers: layers.map((layer) => descriptor(layer, types.layer)),
        },
        [config, ...layers],
      ),
      {},
    );
  }

  test('are not known when the registry gives others, or none of them', async () => {
    world.put(from, approved, '1.0');
    const image = imageOf([again('one'), two]);
    world.lie = (content, line) => (line.includes('/blobs/') ? Buffer.from(content).reverse() : content);
    expect(await judge(image)).toBe('unknown: broken');
    world.lie = (content, line) =>
      line.includes(digestOf(again('one').stored)) ? gzipSync(one.tar, { level: 2 }) : content;
    expect(await judge(image)).toBe('unknown: broken');
    world.lie = (content) => content;
    world.trouble = (line) => (line.includes('/blobs/') ? 500 : undefined);
    expect(await judge(image)).toBe('unknown: broken');
    world.trouble = () => undefined;
    expect(await judge(image)).toBe('same_image');
  });

  test('with `urls` are refused, even where they are the same', async () => {
    const layers = [
      { ...descriptor(one.stored, types.layer), urls: ['https://elsewhere.test'] },
      descriptor(two.stored, types.layer),
    ];
    world.put(from, approved, '1.0');
    expect(await judge(withConfigOf(approved, { layers }))).toBe(
      'a layer of it is to be fetched from elsewhere (urls); use promote',
    );
    world.put(from, withConfigOf(approved, { layers }), '1.1');
    expect(await judge(withConfigOf(approved, { layers }))).toBe('same_digest');
  });
});

describe('`fromTags`', () => {
  const more = ", fromTags: ['approved-*', 'rc-*']";
  const why =
    'this image is not in integration/app under a tag approved-* or rc-*; push the image you pulled, or use promote';

  test.each<[string, (image: Made) => void, string, string]>([
    ['as it is', (image) => world.put(from, image, 'approved-1'), 'same_digest', 'same_image'],
    ['under another tag', (image) => world.put(from, image, '1.0'), why, why],
    ['without a tag', (image) => world.put(from, image), why, why],
    [
      'in an index',
      (image) => {
        world.put(from, image);
        world.put(from, indexOf([image]), 'rc-1');
      },
      'same_digest',
      'same_image',
    ],
    [
      'in an index in an index',
      (image) => {
        world.put(from, image);
        world.put(from, indexOf([image]));
        world.put(from, indexOf([indexOf([image])]), 'rc-1');
      },
      'same_digest',
      'same_image',
    ],
    ['in an index that lost it', (image) => world.put(from, indexOf([image]), 'rc-1'), why, why],
  ])('look for an image that is there %s', async (_what, put, exact, alike) => {
    put(approved);
    expect([await judge(approved, { more }), await judge(same, { more })]).toEqual([exact, alike]);
    expect(await judge(approved, { more: `${more}, match: digest` })).toBe(
      exact === why
        ? 'this image is not in integration/app under a tag approved-* or rc-* with this digest; use promote'
        : exact,
    );
  });

  test('no longer find an image whose tag was moved', async () => {
    world.put(from, approved, 'approved-1');
    expect(await judge(approved, { more })).toBe('same_digest');
    world.put(from, own, 'approved-1');
    expect(await judge(approved, { more })).toBe(why);
  });
});

describe('an index', () => {
  const other = imageOf([layerOf('other')], { config: { architecture: 'arm64' } });

  test.each<[string, () => { index: Made; there: readonly Made[] }, string]>([
    [
      'of images that are there passes',
      () => ({ index: indexOf([approved, other]), there: [approved, other] }),
      'same_image',
    ],
    [
      'of other manifests of them passes',
      () => ({ index: indexOf([same, other]), there: [same, other] }),
      'same_image',
    ],
    [
      'in the form of docker passes',
      () => ({ index: indexOf([approved, other], { isDocker: true }), there: [approved] }),
      'same_image',
    ],
    ['with one that is not does not', () => ({ index: indexOf([approved, own]), there: [approved, own] }), notThere],
    [
      'in an index passes',
      () => ({ index: indexOf([indexOf([approved])]), there: [approved, indexOf([approved])] }),
      'same_image',
    ],
    [
      'in an index, with one that is not there, does not',
      () => ({ index: indexOf([indexOf([own])]), there: [own, indexOf([own])] }),
      notThere,
    ],
    ['of nothing does not pass', () => ({ index: indexOf([]), there: [] }), notThere],
    [
      'with a part that is nowhere does not pass',
      () => ({ index: indexOf([approved, own]), there: [approved] }),
      'a part of it is not in release/app; push that first',
    ],
    [
      'whose attestations are new passes',
      () => ({ index: indexOf([approved, attestationOf(approved)]), there: [approved, attestationOf(approved)[0]] }),
      'same_image',
    ],
    [
      'whose attestations are about what it does not have does not pass',
      () => ({ index: indexOf([approved, attestationOf(own)]), there: [approved, attestationOf(own)[0]] }),
      notThere,
    ],
    [
      'with an image called an attestation does not pass',
      () => ({ index: indexOf([approved, [own, attestationEntry(approved.digest)]]), there: [approved, own] }),
      notThere,
    ],
    [
      'with an image called an attestation, and its layers something else, does not pass',
      () => {
        const image = imageOf([layerOf('evil')], { layerType: 'application/vnd.in-toto+json' });
        return { index: indexOf([approved, [image, attestationEntry(approved.digest)]]), there: [approved, image] };
      },
      notThere,
    ],
    [
      'that calls an image what it is not does not pass',
      () => ({ index: indexOf([[same, { mediaType: types.dockerImage }]]), there: [same] }),
      notThere,
    ],
    [
      'of the layers of a build cache does not pass',
      () => ({ index: indexOf([[approved, { mediaType: types.layer }]]), there: [approved] }),
      notThere,
    ],
  ])('%s', async (_what, make, verdict) => {
    const { index, there } = make();
    for (const image of [approved, other]) world.put(from, image, `there-${image.digest.slice(7, 12)}`);
    for (const image of there) world.put(target, image);
    expect(await judge(index)).toBe(verdict);
  });

  test('of a hundred images is looked into, of more it is not, unless it is there as it is', async () => {
    const images = Array.from({ length: 101 }, (_, number) => imageOf([layerOf(`${number}`)]));
    for (const image of images) {
      world.put(from, image);
      world.put(target, image);
    }
    expect(await judge(indexOf(images.slice(0, 100)))).toBe('same_image');
    expect(await judge(indexOf(images))).toContain('an index of more than 100 images');
    expect(await judge(indexOf([indexOf(images.slice(0, 60)), indexOf(images.slice(41))]))).not.toBe('same_image');
    world.put(from, indexOf(images));
    expect(await judge(indexOf(images))).toBe('same_digest');
  });

  test('passes `match: digest` whole only', async () => {
    world.put(from, approved);
    world.put(target, approved);
    const more = ', match: digest';
    expect(await judge(indexOf([approved]), { more })).toContain('with this digest; use promote');
    world.put(from, indexOf([approved]));
    expect(await judge(indexOf([approved]), { more })).toBe('same_digest');
  });
});

/** The archive with another text where the sum of its first block stands, which Go's reader takes for that sum. */
function withSum(tar: Buffer, write: (octal: string) => string): Buffer {
  const archive = Buffer.from(tar);
  const sum = archive
    .fill(' ', 148, 156)
    .subarray(0, 512)
    .reduce((all, byte) => all + byte, 0);
  archive.write(write(sum.toString(8).padStart(6, '0')).padEnd(8, '\0'), 148, 'latin1');
  return archive;
}

/** A longer name, of bytes that count as negative where bytes are signed. */
function summingToNothing(tar: Buffer): Buffer {
  const archive = Buffer.from(tar).fill(' ', 148, 156);
  let left = archive.subarray(0, 512).reduce((all, byte) => all + (byte < 128 ? byte : byte - 256), 0);
  for (let at = archive.indexOf(0); left > 0; at++) {
    const part = Math.min(128, left);
    archive[at] = 256 - part;
    left -= part;
  }
  return archive;
}

describe('what is attached', () => {
  const absent = 'what it is attached to is not in release/app; push that first';
  const tar = createTar(new Map([['evil', Buffer.from('x')]]));
  const runnable = Buffer.from(JSON.stringify({ rootFS: { diff_ids: [] } }));
  const archives = [
    { how: 'with more behind its sum', bytes: withSum(tar, (sum) => `${sum}\0X`) },
    { how: 'with its sum behind a space', bytes: withSum(tar, (sum) => ` ${sum}\0`) },
    { how: 'whose signed sum of nothing goes without saying', bytes: withSum(summingToNothing(tar), () => '') },
  ];

  test.each<[string, () => Made, tag: string | undefined, allow: string, deny: string]>([
    ['an artifact about an image of the target', () => artifactOf(approved), undefined, 'attachment', 'as well'],
    ['an artifact about one that is not there', () => artifactOf(own), undefined, absent, absent],
    ['an artifact about itself', () => artifactOf(own, 'x', { subject: undefined }), undefined, notThere, notThere],
    [
      'an image with a subject',
      () => withConfigOf(own, { subject: descriptor(approved.content, types.image) }),
      undefined,
      notThere,
      notThere,
    ],
    [
      'an image by its name alone, with a subject',
      () =>
        made(
          types.image,
          {
            config: descriptor(Buffer.from('{"os":"x"}'), types.config),
            layers: [],
            subject: descriptor(approved.content, types.image),
          },
          [Buffer.from('{"os":"x"}')],
        ),
      undefined,
      notThere,
      notThere,
    ],
    [
      'an image whose configuration goes by another name',
      () =>
        made(
          types.image,
          {
            config: descriptor(runnable, 'application/octet-stream'),
            layers: [descriptor(tar, types.plainLayer)],
            subject: descriptor(approved.content, types.image),
          },
          [runnable, tar],
        ),
      undefined,
      notThere,
      notThere,
    ],
    ['a signature of cosign', () => cosignOf(approved), referrersTag(approved, '.sig'), 'attachment', 'as well'],
    ['a signature of cosign under another tag', () => cosignOf(approved), 'v1', notThere, notThere],
    ['a signature of cosign for what is not there', () => cosignOf(own), referrersTag(own, '.sig'), absent, absent],
    ['an image under the tag of a signature', () => own, referrersTag(approved, '.sig'), notThere, notThere],
    [
      'an image under the tag of a signature, its layers called signatures',
      () =>
        imageOf([layerOf('evil', (archive) => archive)], {
          layerType: 'application/vnd.dev.cosign.simplesigning.v1+json',
        }),
      referrersTag(approved, '.att'),
      notThere,
      notThere,
    ],
    ...archives.map((archive): [string, () => Made, string, string, string] => [
      `an image under the tag of a signature, its layer an archive ${archive.how}`,
      () => imageOf([{ tar: archive.bytes, stored: archive.bytes }], { layerType: 'text/plain' }),
      referrersTag(approved, '.sig'),
      notThere,
      notThere,
    ]),
    [
      'what calls its layers those of an image, under the tag of a signature',
      () => {
        const text = Buffer.from('{}');
        const config = Buffer.from('{"os":"x"}');
        const body = { config: descriptor(config, types.config), layers: [descriptor(text, types.layer)] };
        return made(types.image, body, [config, text]);
      },
      referrersTag(approved, '.sig'),
      notThere,
      notThere,
    ],
    ['a list of artifacts', () => indexOf([artifactOf(approved)]), referrersTag(approved), 'attachment', 'as well'],
    ['a list of nothing', () => indexOf([]), referrersTag(approved), 'attachment', 'attachment'],
    [
      'a list of what is not there',
      () => indexOf([artifactOf(approved, 'other')]),
      referrersTag(approved),
      'not in release/app',
      'not in release/app',
    ],
    ['a list with an image', () => indexOf([artifactOf(approved), own]), referrersTag(approved), notThere, 'as well'],
    [
      'a list of artifacts of something else',
      () => indexOf([artifactOf(same)]),
      referrersTag(approved),
      'same_image',
      'as well',
    ],
    ['a list under another tag', () => indexOf([own]), 'v1', notThere, notThere],
  ])('%s', async (_what, make, tag, allow, deny) => {
    world.put(from, approved, '1.0');
    for (const there of [approved, same, own, artifactOf(approved), artifactOf(same)]) {
      if (there !== own) world.put(target, there);
    }
    const written = make();
    if (written.content.includes(own.digest) && written.content.includes('manifests')) world.put(target, own);
    expect(await judge(written, { tag })).toContain(allow);
    expect(await judge(written, { tag, more: ', attachments: deny' })).toContain(deny);
  });

  test('passes `attachments: deny` once the source has it, too, whatever tags say', async () => {
    const list = indexOf([artifactOf(approved)]);
    const more = ", attachments: deny, fromTags: ['approved-*']";
    world.put(target, approved);
    for (const name of [from, target]) world.put(name, artifactOf(approved));
    expect(await judge(artifactOf(approved), { more, tag: undefined })).toBe('attachment');
    expect(await judge(list, { more, tag: referrersTag(approved) })).toBe('attachment');
    expect(await judge(cosignOf(approved), { more, tag: referrersTag(approved, '.sig') })).toContain('as well');
    world.put(from, cosignOf(approved));
    expect(await judge(cosignOf(approved), { more, tag: referrersTag(approved, '.sig') })).toBe('attachment');
  });

  test('a list may have a hundred entries', async () => {
    world.put(target, approved);
    const all = Array.from({ length: 101 }, (_, number) => artifactOf(approved, `${number}`));
    for (const each of all) world.put(target, each);
    expect(await judge(indexOf(all.slice(1)), { tag: referrersTag(approved) })).toBe('attachment');
    expect(await judge(indexOf(all), { tag: referrersTag(approved) })).toBe(
      'a list of more than 100 is not looked into',
    );
  });
});

describe('nobody can tell', () => {
  test.each<[string, (line: string) => number | 'hang' | 'break' | undefined, string]>([
    ['the registry fails', () => 500, 'unknown: broken'],
    ['it breaks off', () => 'break', 'unknown: unreachable'],
    ['it does not answer', () => 'hang', 'unknown: timeout'],
    ['tags cannot be listed', (line) => (line.includes('/tags/') ? 500 : undefined), 'unknown: broken'],
    ['one tag cannot be looked at', (line) => (line.endsWith('/manifests/b') ? 500 : undefined), 'unknown: broken'],
    [
      'one manifest cannot be read',
      (line) => (line.startsWith('GET') && line.includes('/manifests/sha256') ? 404 : undefined),
      notThere,
    ],
    ['it redirects', () => 307, 'unknown: broken'],
  ])('when %s', async (_what, trouble, verdict) => {
    world.put(from, own, 'a');
    world.put(from, imageOf([layerOf('b')]), 'b');
    world.trouble = trouble;
    expect(await judge(same)).toBe(verdict);
  });

  test('unless it is found elsewhere', async () => {
    world.put(from, own, 'a');
    world.put(from, approved, 'b');
    world.trouble = (line) => (line.endsWith('/manifests/a') ? 500 : undefined);
    expect(await judge(same)).toBe('same_image');
  });

  test('when the registry gives another manifest than was asked for', async () => {
    world.put(from, own, '1.0');
    world.lie = (_content, line) =>
      line.startsWith('GET') && line.includes('/manifests/') ? approved.content : _content;
    expect(await judge(same)).toBe('unknown: broken');
  });

  test('within five seconds; what was begun goes on, and the next answer comes at once', async () => {
    for (let number = 0; number < 40; number++) world.put(from, imageOf([layerOf(`${number}`)]), `a${number}`);
    world.put(from, approved, 'z');
    let release = (): void => {};
    const held = new Promise<void>((resolve) => (release = resolve));
    world.before = (line) => (line.startsWith('GET') && line.includes('/manifests/') ? held : Promise.resolve());
    expect(await judge(same, { patience: { answerMs: 50, compareMs: 50 } })).toBe('unknown: timeout');
    release();
    await expect.poll(() => memory.manifest(approved.digest)).toBeDefined();
    world.requests.length = 0;
    expect(await judge(same)).toBe('same_image');
    expect(world.requests.filter((line) => line.startsWith('GET') && line.includes('/manifests/'))).toEqual([]);
  });

  test('sixteen questions are asked at once, and two thousand tags looked at', async () => {
    let [now, most] = [0, 0];
    world.before = async () => {
      most = Math.max(most, ++now);
      await new Promise((resolve) => setImmediate(resolve));
      now--;
    };
    for (let number = 0; number < 2100; number++) world.put(from, own, `t${String(number).padStart(4, '0')}`);
    expect(await judge(same)).toContain('under none of the first 2,000 tags of integration/app');
    expect(most).toBeLessThanOrEqual(16);
    expect(world.requests.filter((line) => line.startsWith('HEAD')).length).toBe(2001 + 1);
    world.put(from, approved, 'v1');
    expect(await judge(same)).toBe('same_image');
  });
});

test('a refusal outweighs what nobody can tell, and that outweighs what passes', async () => {
  const named = (name: string, source: string, more = ''): string =>
    `{ name: ${name}, repositories: ['release/**'], from: ['${source}/**'], match: digest${more} }`;
  world.put('passing/app', approved);
  world.trouble = (line) => (line.includes('/dark/') ? 500 : undefined);
  const all = [named('a', 'dark'), named('b', 'empty'), named('c', 'passing'), named('d', 'passing')];
  const decisiveOf = async (...gates: readonly string[]): Promise<string | undefined> => {
    const policy = readPolicy(`gates: [${gates.join(', ')}]\nrules: []`);
    const { decisive, shadow } = concludeGates(await verdictsOn(approved, { gates: policy.gates }));
    return `${decisive?.standing.gate.name} ${decisive?.kind}; ${shadow.join(' ')}`;
  };
  expect(await decisiveOf(...all)).toBe('b refused; ');
  expect(await decisiveOf(...all.filter((_, at) => at !== 1))).toBe('a unknown; ');
  expect(await decisiveOf(...all.slice(2))).toBe('d passed; ');
  const shadows = all.map((gate) => gate.replace(' }', ', mode: shadow }'));
  expect(await decisiveOf(...shadows)).toBe('undefined undefined; a b');
});

test('several gates ask each thing once, and each says its own', async () => {
  world.put(from, approved, '1.0');
  const names = (name: string, more = ''): string =>
    `{ name: ${name}, repositories: ['release/**'], from: ['integration/**']${more} }`;
  const { gates } = readPolicy(
    `gates: [${names('a')}, ${names('b', ', match: digest')}, ${names('c', ', mode: shadow, match: digest')}]\nrules: []`,
  );
  const verdicts = await verdictsOn(same, { gates });
  expect(verdicts.map(({ standing, kind }) => `${standing.gate.name} ${kind}`)).toEqual([
    'a passed',
    'b refused',
    'c refused',
  ]);
  expect(world.requests.length).toBe(new Set(world.requests).size);
  expect(concludeGates(verdicts)).toMatchObject({ decisive: { kind: 'refused' }, shadow: ['c'] });
});
