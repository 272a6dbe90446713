import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { digestOf } from '../../src/distribution/digest.ts';
import { judgeDeleteByDigest } from '../../src/gate/delete-by-digest.ts';
import { KnownParts } from '../../src/gate/known-parts.ts';
import type { Registry, StoredManifest } from '../../src/ports.ts';
import { compile, inPolicy, user } from '../support/policies.ts';

const imageType = 'application/vnd.oci.image.manifest.v1+json';
const layerType = 'application/vnd.oci.image.layer.v1.tar+gzip';
const configType = 'application/vnd.oci.image.config.v1+json';
const indexType = 'application/vnd.oci.image.index.v1+json';

type Asked = Pick<Registry, 'resolveTag' | 'tags' | 'manifest'>;

/** A registry of manifests, by the digest of their content. */
function createShelf(): {
  readonly put: (content: object, mediaType?: string) => { readonly digest: string; readonly mediaType: string };
  readonly tags: Map<string, string>;
  readonly questions: string[];
  readonly registry: Asked;
} {
  const stored = new Map<string, StoredManifest>();
  const tags = new Map<string, string>();
  const questions: string[] = [];
  return {
    tags,
    questions,
    put(value, mediaType = 'manifests' in value ? indexType : imageType) {
      const content = Buffer.from(JSON.stringify(value));
      const digest = digestOf(content);
      stored.set(digest, { digest, mediaType, content });
      return { digest, mediaType };
    },
    registry: {
      tags: () => Promise.resolve({ ok: true, names: [...tags.keys()], next: undefined }),
      resolveTag(_repository, tag) {
        questions.push(tag);
        const digest = tags.get(tag);
        if (digest === undefined) return Promise.resolve({ ok: true, digest: undefined });
        return Promise.resolve({ ok: true, digest, mediaType: stored.get(digest)?.mediaType });
      },
      manifest(_repository, reference) {
        questions.push(reference);
        return Promise.resolve({ ok: true, manifest: stored.get(reference) });
      },
    },
  };
}

const people = 'users: { dana: {} }';
const deleter = "{ name: may, subjects: ['user:dana'], repositories: [app], actions: [delete] }";
const immutable =
  "{ name: keep, effect: deny, subjects: [everyone], repositories: [app], tags: ['v*'], actions: [overwrite, delete] }";
const drafts = "{ name: drafts, subjects: ['user:dana'], repositories: [app], tags: ['draft-*'], actions: [delete] }";

/** `allowed`, `denied` with the tag it is for, or `unknown` with why. */
async function judge(registry: Asked, digest: string, ...rules: readonly string[]): Promise<string> {
  return judgeKnowing(new KnownParts(), registry, digest, ...rules);
}

async function judgeKnowing(
  known: KnownParts,
  registry: Asked,
  digest: string,
  ...rules: readonly string[]
): Promise<string> {
  const policy = compile(people, `rules: [${rules.join(', ')}]`);
  const writer = { policy, principal: inPolicy(policy, user('dana')), repository: 'app', circumstances: { now: 0 } };
  const judgement = await judgeDeleteByDigest(registry, writer, digest, known);
  if (judgement.kind === 'denied') return `denied ${judgement.need.tag ?? 'without a tag'}`;
  return judgement.kind === 'unknown' ? `unknown ${judgement.reason}` : judgement.kind;
}

let serial = 0;
const image = (): object => ({ layers: [], annotations: { serial: serial++ } });

describe('a manifest is part of what a protected tag is made of', () => {
  test('when the tag points at it', async () => {
    const { put, tags, registry } = createShelf();
    const { digest } = put(image());
    tags.set('nightly', digest);
    expect(await judge(registry, digest, deleter, immutable)).toBe('allowed');
    tags.set('v1', digest);
    expect(await judge(registry, digest, deleter, immutable)).toBe('denied v1');
  });

  test.each([1, 2, 3, 5])('when it lies %i indexes below the tag, and so are those', async (depth) => {
    const { put, tags, registry } = createShelf();
    const chain = [put(image())];
    for (let level = 0; level < depth; level++) {
      const child = chain.at(-1);
      chain.push(put({ manifests: [put(image()), child] }));
    }
    const top = chain.at(-1)?.digest ?? '';
    tags.set('nightly', top);
    for (const { digest } of chain) expect(await judge(registry, digest, deleter, immutable)).toBe('allowed');
    tags.set('v1', top);
    for (const { digest } of chain) expect(await judge(registry, digest, deleter, immutable)).toBe('denied v1');
    expect(await judge(registry, put(image()).digest, deleter, immutable)).toBe('allowed');
  });

  test.each([
    ['of docker', 'application/vnd.docker.distribution.manifest.list.v2+json'],
    ['with a parameter', `${indexType}; charset=utf-8`],
    ['of no known type', 'application/json'],
    ['of a type in capitals', indexType.toUpperCase()],
  ])('when the index is one %s', async (_what, mediaType) => {
    const { put, tags, registry } = createShelf();
    const child = put(image());
    tags.set('v1', put({ manifests: [{ ...child, mediaType: undefined }] }, mediaType).digest);
    expect(await judge(registry, child.digest, deleter, immutable)).toBe('denied v1');
  });

  test.each(['image', 'layer', 'configuration'])('when the index that it lies in is called %s', async (called) => {
    const { put, tags, registry } = createShelf();
    const child = put(image());
    const mediaType = { image: imageType, layer: layerType, configuration: configType }[called];
    tags.set('v1', put({ manifests: [{ ...put({ manifests: [child] }), mediaType }] }).digest);
    expect(await judge(registry, child.digest, deleter, immutable)).toBe('denied v1');
  });

  test('when it has two names, of which the registry uses the other', async () => {
    const { put, tags, registry } = createShelf();
    const content = image();
    tags.set('v1', put(content).digest);
    const other = `sha512:${createHash('sha512').update(JSON.stringify(content)).digest('hex')}`;
    const aliased: Asked = {
      ...registry,
      manifest: (repository, reference) =>
        registry.manifest(repository, reference === other ? (tags.get('v1') ?? '') : reference),
    };
    expect(await judge(aliased, other, deleter, immutable)).toBe('denied v1');
  });

  test('but not when an index of a free tag holds it beside', async () => {
    const { put, tags, registry } = createShelf();
    const child = put(image());
    tags.set('nightly', put({ manifests: [child] }).digest);
    tags.set('v1', put(image()).digest);
    expect(await judge(registry, child.digest, deleter, immutable)).toBe('allowed');
  });

  test('whatever an image that it is attached to, or that is attached to it, is called', async () => {
    const { put, tags, registry } = createShelf();
    const base = put(image());
    tags.set('v1', put({ ...image(), subject: base }).digest);
    expect(await judge(registry, base.digest, deleter, immutable)).toBe('allowed');
  });

  test('an entry that is not there protects nothing below it', async () => {
    const { put, tags, registry } = createShelf();
    const missing = { digest: `sha256:${'0'.repeat(64)}`, mediaType: indexType };
    tags.set('v1', put({ manifests: [missing] }).digest);
    expect(await judge(registry, put(image()).digest, deleter, immutable)).toBe('allowed');
    expect(await judge(registry, missing.digest, deleter, immutable)).toBe('denied v1');
  });
});

describe('a right to delete certain tags', () => {
  test('reaches what such tags alone point at', async () => {
    const { put, tags, registry } = createShelf();
    const { digest } = put(image());
    tags.set('draft-1', digest).set('draft-2', digest);
    expect(await judge(registry, digest, drafts)).toBe('allowed');
    tags.set('final', digest);
    expect(await judge(registry, digest, drafts)).toBe('denied final');
  });

  test('reaches nothing that no tag points at, be it in an index of such a tag', async () => {
    const { put, tags, registry } = createShelf();
    const child = put(image());
    tags.set('draft-1', put({ manifests: [child] }).digest);
    expect(await judge(registry, put(image()).digest, drafts)).toBe('denied without a tag');
    expect(await judge(registry, child.digest, drafts)).toBe('denied without a tag');
  });

  test('reaches nothing that another tag leads to', async () => {
    const { put, tags, registry } = createShelf();
    const child = put(image());
    tags.set('draft-1', child.digest).set('final', put({ manifests: [child] }).digest);
    expect(await judge(registry, child.digest, drafts)).toBe('denied final');
  });
});

describe('what cannot be found out is no', () => {
  const failing = (change: (registry: Asked) => Partial<Asked>): [Asked, string] => {
    const { put, tags, registry } = createShelf();
    const child = put(image());
    tags.set('v1', put({ manifests: [child] }).digest);
    return [{ ...registry, ...change(registry) }, put(image()).digest];
  };
  const no = { ok: false, reason: 'timeout' } as const;
  test.each<[string, (registry: Asked) => Partial<Asked>, string]>([
    ['the tags are not listed', () => ({ tags: () => Promise.resolve(no) }), 'unknown timeout'],
    ['a tag is not resolved', () => ({ resolveTag: () => Promise.resolve(no) }), 'unknown timeout'],
    ['an index is not read', () => ({ manifest: () => Promise.resolve(no) }), 'unknown timeout'],
    [
      'an index is gone that its tag points at',
      () => ({ manifest: () => Promise.resolve({ ok: true, manifest: undefined }) }),
      'unknown broken',
    ],
    [
      'an index cannot be understood',
      (registry) => ({
        async manifest(repository, reference) {
          const reading = await registry.manifest(repository, reference);
          if (!reading.ok || reading.manifest === undefined) return reading;
          return { ok: true, manifest: { ...reading.manifest, content: Buffer.from('{"manifests":[1]}') } };
        },
      }),
      'unknown broken',
    ],
  ])('when %s', async (_what, change, outcome) => {
    const [registry, digest] = failing(change);
    expect(await judge(registry, digest, deleter, immutable)).toBe(outcome);
  });

  test('when an index names what cannot be asked for', async () => {
    for (const digest of ['blake3:00', '../../../secret/manifests/latest', 'sha256:AA']) {
      const { put, tags, registry, questions } = createShelf();
      tags.set('v1', put({ manifests: [{ digest }] }).digest);
      expect(await judge(registry, put(image()).digest, deleter, immutable)).toBe('unknown broken');
      expect(questions).not.toContain(digest);
    }
  });
});

describe('the registry is asked', () => {
  test('nothing where no rule speaks of tags', async () => {
    const { put, tags, registry, questions } = createShelf();
    const { digest } = put(image());
    tags.set('v1', digest);
    expect(await judge(registry, digest, deleter)).toBe('allowed');
    expect(questions).toEqual([]);
  });

  test('only about tags that could turn the answer, and once about each manifest', async () => {
    const { put, tags, registry, questions } = createShelf();
    const shared = put({ manifests: [put(image())] });
    for (let index = 0; index < 40; index++) tags.set(`nightly-${index}`, put(image()).digest);
    for (let index = 0; index < 40; index++) tags.set(`v${index}`, put({ manifests: [shared, put(image())] }).digest);
    const known = new KnownParts();
    expect(await judgeKnowing(known, registry, put(image()).digest, deleter, immutable)).toBe('allowed');
    expect(questions.filter((asked) => asked.startsWith('nightly'))).toEqual([]);
    expect(questions.filter((asked) => asked === shared.digest)).toHaveLength(1);
    // An index of each and an image in it, what all share, and what is to go: layers are not to be deleted so.
    expect(questions.splice(0)).toHaveLength(40 + 40 + 40 + 2 + 1);
    // What has a digest never changes.
    expect(await judgeKnowing(known, registry, put(image()).digest, deleter, immutable)).toBe('allowed');
    expect(questions).toHaveLength(40 + 1);
  });

  test('no further once nobody wants the answer, and that is no yes', async () => {
    const { put, tags, registry, questions } = createShelf();
    for (let index = 0; index < 100; index++) tags.set(`v${index}`, put(image()).digest);
    const policy = compile(people, `rules: [${deleter}, ${immutable}]`);
    const writer = { policy, principal: inPolicy(policy, user('dana')), repository: 'app', circumstances: { now: 0 } };
    const digest = put(image()).digest;
    const judgement = await judgeDeleteByDigest(
      registry,
      writer,
      digest,
      new KnownParts(),
      () => questions.length < 20,
    );
    expect(judgement.kind).toBe('unknown');
    expect(questions.length).toBeLessThan(60);
  });
});

describe('what does not show itself a manifest', () => {
  test.each<[string, Awaited<ReturnType<Asked['manifest']>>, string]>([
    ['cannot be looked at', { ok: false, reason: 'broken' }, 'unknown broken'],
    ['is not there', { ok: true, manifest: undefined }, 'absent'],
    [
      'has the type of a layer',
      {
        ok: true,
        manifest: {
          digest: digestOf(Buffer.from('x')),
          mediaType: 'application/octet-stream',
          content: Buffer.from('x'),
        },
      },
      'denied without a tag',
    ],
  ])('is not deleted where layers may not be: it %s', async (_, reading, expected) => {
    const { put, tags, registry } = createShelf();
    tags.set('v1', put(image()).digest);
    const odd: Asked = { ...registry, manifest: () => Promise.resolve(reading) };
    expect(await judge(odd, digestOf(Buffer.from('x')), deleter, immutable)).toBe(expected);
    expect(await judge(odd, digestOf(Buffer.from('x')), deleter)).toBe('allowed');
  });
});
