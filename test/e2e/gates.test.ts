/** Gates before a real registry: images of all kinds as the rules say, and two gateways that know the same at once. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { GateMemory } from '../../src/gate/gate-memory.ts';
import { judgeGates } from '../../src/gate/provenance.ts';
import { gatesAt } from '../../src/policy/gates.ts';
import { createOracle } from '../gate/provenance-oracle.ts';
import { backendAt } from '../support/backend.ts';
import { type Made, World, digestOf, imageOf, layerOf, made, types } from '../support/image-world.ts';
import { quickHash, readPolicy } from '../support/policies.ts';
import { sized } from '../support/size.ts';
import { describeWithPrograms } from '../support/programs.ts';
import { kindNames, places, randomPush } from '../support/random-images.ts';
import { type RegistryProcess, startRegistry } from '../support/registry.ts';
import { type Replicas, startReplicas } from '../support/replicas.ts';

let registry: RegistryProcess;

async function upload(name: string, blob: Buffer): Promise<void> {
  const begun = await fetch(`${registry.url}/v2/${name}/blobs/uploads/`, { method: 'POST' });
  const location = new URL(begun.headers.get('location') ?? '', registry.url);
  location.searchParams.set('digest', digestOf(blob));
  const headers = { 'content-type': 'application/octet-stream' };
  const stored = await fetch(location, { method: 'PUT', headers, body: new Uint8Array(blob) });
  expect(stored.status).toBe(201);
}

async function put(name: string, { content, mediaType }: Pick<Made, 'content' | 'mediaType'>, reference: string) {
  const headers = { 'content-type': mediaType };
  const url = `${registry.url}/v2/${name}/manifests/${reference}`;
  return (await fetch(url, { method: 'PUT', headers, body: new Uint8Array(content) })).status === 201;
}

/** Parts before what they are part of. What the registry does not take is taken out of the model. */
async function store(world: World, called: (name: string) => string): Promise<void> {
  for (const [name, { manifests, tags, blobs }] of world.repositories) {
    for (const blob of blobs.values()) await upload(called(name), blob);
    let left = [...manifests];
    for (let before = -1; left.length !== before;) {
      before = left.length;
      const refused = [];
      for (const entry of left) if (!(await put(called(name), entry[1], entry[0]))) refused.push(entry);
      left = refused;
    }
    for (const [digest] of left) manifests.delete(digest);
    for (const [tag, digest] of tags) {
      const manifest = manifests.get(digest);
      if (manifest === undefined) tags.delete(tag);
      else await put(called(name), manifest, tag);
    }
  }
}

describeWithPrograms(['docker-registry'], 'gates before a real registry', () => {
  beforeAll(async () => void (registry = await startRegistry()));
  afterAll(() => registry.stop());

  test('what is said of an image of each kind is what the rules say', async () => {
    const memory = new GateMemory();
    const backend = backendAt(registry.url);
    const said = new Set<string>();
    for (const [seed, kind] of kindNames.filter((_, at) => at % sized(1, 4) === 0).entries()) {
      const { world, push } = randomPush(seed + 500, kind);
      const called = (name: string): string => name.replace('/', `/${seed}/`);
      await store(world, called);
      const match = 'image';
      const attachments = seed % 3 === 0 ? 'deny' : 'allow';
      const fromTags = seed % 4 === 0 ? ['approved-'] : undefined;
      const options = { target: places.target, sources: places.sources, match, attachments, fromTags } as const;
      const { content, mediaType } = push.image;
      const expected = createOracle(world, options)({ content, mediaType, tag: push.tag });
      const gate = {
        ...{ name: 'g', repositories: ['release/**'], from: ['integration/**', 'archive/**'], match, attachments },
        ...(fromTags && { fromTags: fromTags.map((begin) => `${begin}*`) }),
      };
      const { gates } = readPolicy(`${JSON.stringify({ gates: [gate], rules: [] })}\n`);
      const repository = called(places.target);
      const [verdict] = await judgeGates(
        { registry: backend.ask, memory, count: () => {} },
        gatesAt(gates, { kind: 'anonymous' }, repository, push.tag),
        { repository, digest: digestOf(content), content, mediaType, tag: push.tag },
      );
      expect({ kind, verdict, passed: verdict?.kind === 'passed' }).toEqual({ kind, verdict, passed: expected });
      said.add(verdict?.kind === 'passed' ? verdict.how : (verdict?.kind ?? ''));
    }
    expect(said.size).toBeGreaterThan(2);
  }, 120_000);

  test('a tag that approves is asked for on each push, through whichever gateway', async () => {
    const hash = await quickHash('a password of dana');
    const policy = `users: { dana: { password: '${hash}' } }
rules: [{ name: all, subjects: [authenticated], repositories: ['**'], actions: [pull, push] }]
gates: [{ name: approved, repositories: ['release/**'], from: ['integration/**'], fromTags: ['approved-*'] }]
`;
    const replicas: Replicas = await startReplicas({ upstream: registry.url, policies: { 'policy.yaml': policy } });
    try {
      const approved = imageOf([layerOf('approved')]);
      const { config, layers } = JSON.parse(approved.content.toString()) as { config: object; layers: object[] };
      const rewritten = made(types.image, { config, layers, annotations: { by: 'docker' } });
      const other = imageOf([layerOf('other')]);
      for (const name of ['integration/app', 'release/app']) {
        for (const blob of [...approved.blobs, ...other.blobs]) await upload(name, blob);
      }
      const authorization = `Basic ${Buffer.from('dana:a password of dana').toString('base64')}`;
      const pushAll = (image: Made): Promise<readonly number[]> =>
        Promise.all(
          replicas.gateways.map(async ({ url }) => {
            const reply = await fetch(`${url}/v2/release/app/manifests/v1`, {
              method: 'PUT',
              headers: { authorization, 'content-type': image.mediaType },
              body: new Uint8Array(image.content),
            });
            await reply.body?.cancel();
            return reply.status;
          }),
        );
      await put('integration/app', approved, '1.0');
      expect([await pushAll(approved), await pushAll(rewritten)]).toEqual([
        [403, 403],
        [403, 403],
      ]);
      await put('integration/app', approved, 'approved-1');
      expect([await pushAll(approved), await pushAll(rewritten)]).toEqual([
        [201, 201],
        [201, 201],
      ]);
      await put('integration/app', other, 'approved-1');
      expect([await pushAll(approved), await pushAll(rewritten)]).toEqual([
        [403, 403],
        [403, 403],
      ]);
      expect(await pushAll(other)).toEqual([201, 201]);
    } finally {
      await replicas.stop();
    }
  });
});
