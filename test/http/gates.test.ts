/** Gates on the way of pushes: what clients read, what reaches the registry, what is written down. */
import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import { afterEach, describe, expect, test } from 'vitest';
import { World, digestOf, imageOf, indexOf, layerOf, made, types } from '../support/image-world.ts';
import type { Made } from '../support/image-world.ts';
import { type StandIn, startStandIn } from '../support/stand-in.ts';
import { type Front, credentials, startFront } from './support/front.ts';

const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => void (await Promise.all(closing.splice(0).map((close) => close()))));

interface Place {
  readonly front: Front;
  readonly world: World;
  readonly registry: StandIn;
}

const gate = (more = ''): string => `{ name: approved, repositories: ['release/**'], from: ['integration/**']${more} }`;
const rules = (gates: string, more = ''): string => `gates: [${gates}]
rules: [{ name: all, subjects: [authenticated], repositories: ['**'], actions: [pull, push] }${more}]
`;

async function open(text = rules(gate())): Promise<Place> {
  const world = new World();
  const registry = await startStandIn(world.answer);
  const front = await startFront({ rules: text, upstream: registry.url });
  closing.push(
    () => front.close(),
    () => registry.close(),
  );
  return { front, world, registry };
}

interface Pushed {
  readonly status: number;
  readonly code: string | undefined;
  readonly message: string | undefined;
  readonly retryAfter: string | null;
}

async function push(
  { front }: Place,
  image: Made,
  reference = 'v1.2',
  { repository = 'release/app', account = 'dana' } = {},
): Promise<Pushed> {
  const reply = await fetch(`${front.url}/v2/${repository}/manifests/${reference}`, {
    method: 'PUT',
    body: new Uint8Array(image.content),
    headers: { authorization: `Basic ${credentials(account)}`, 'content-type': image.mediaType },
  });
  const text = await reply.text();
  const [error] = text === '' ? [] : (JSON.parse(text) as { errors: { code: string; message: string }[] }).errors;
  return {
    status: reply.status,
    code: error?.code,
    message: error?.message,
    retryAfter: reply.headers.get('retry-after'),
  };
}

const writes = ({ world }: Place): readonly string[] => world.requests.filter((line) => line.startsWith('PUT'));

const approved = imageOf([layerOf('approved')]);
const own = imageOf([layerOf('own')]);
const why = 'this image is not in integration/app; push the image you pulled, or use promote';

describe('a push of an image that is not where it has to come from', () => {
  test.each<[string, string, string]>([
    ['by tag', 'v1.2', 'release/app:v1.2'],
    ['by digest', own.digest, 'release/app'],
    ['by digest with tags', `${own.digest}?tag=wip&tag=v1.2`, 'release/app:wip'],
  ])('%s is refused in words, and nothing is forwarded', async (_what, reference, target) => {
    const place = await open();
    expect(await push(place, own, reference)).toEqual({
      status: 403,
      code: 'DENIED',
      message: `user "dana" may not push ${target}: ${why}`,
      retryAfter: null,
    });
    expect(writes(place)).toEqual([]);
    await expect
      .poll(() => place.front.records.at(-1))
      .toMatchObject({
        decision: 'deny',
        reason: 'gate_refused',
        rule: 'all',
        gate: 'approved',
        gateFrom: 'integration/app',
        repository: 'release/app',
        status: 403,
      });
  });

  test('is judged by each tag that it sets, and by gates about all pushes where it sets none', async () => {
    const place = await open(rules(gate(", tags: ['v*']")));
    expect((await push(place, own, own.digest)).status).toBe(201);
    expect((await push(place, own, 'wip')).status).toBe(201);
    expect((await push(place, own, `${own.digest}?tag=wip&tag=other`)).status).toBe(201);
    expect((await push(place, own, `${own.digest}?tag=wip&tag=v1`)).message).toContain('release/app:v1: this image');
  });

  test('is refused though the tag names just that: approval may have been withdrawn', async () => {
    const place = await open();
    place.world.put('integration/app', approved, '1.0');
    expect((await push(place, approved)).status).toBe(201);
    expect((await push(place, approved)).status).toBe(201);
    place.world.of('integration/app').manifests.clear();
    expect((await push(place, approved)).status).toBe(403);
  });

  test('is refused in at most 200 characters, whatever is called how', async () => {
    const [long, tag] = ['a/'.repeat(60) + 'app', 'v'.repeat(128)];
    const place = await open(rules(gate(", fromTags: ['approved-and-tested-by-quality-assurance-*']")));
    const { message = '' } = await push(place, own, tag, { repository: `release/${long}` });
    expect(message.length).toBeLessThanOrEqual(200);
    expect(message).toMatch(/^user "dana" may not push there: this image is not where it has to come from; push /);
  });

  test('uses up the budget of a limit: looking for it costs the registry more than writing it', async () => {
    const limit = 'limits: [{ name: pushes, subjects: [authenticated], count: push, per: account, rate: 2/1h }]\n';
    const place = await open(rules(gate()) + limit);
    const statuses = [];
    for (let round = 0; round < 3; round++) statuses.push((await push(place, own)).status);
    expect(statuses).toEqual([403, 403, 429]);
  });

  test('is not looked for where a rule forbids the push', async () => {
    const deny =
      ", { name: no, effect: deny, subjects: [everyone], repositories: ['release/**'], tags: ['v*'], actions: [create] }";
    const place = await open(rules(gate(), deny));
    expect((await push(place, own)).message).toContain('a rule forbids it');
    expect(place.world.requests).toEqual(['HEAD /v2/release/app/manifests/v1.2']);
  });
});

describe('a push that gates let pass', () => {
  test('is written down with the gate, and where the image was found', async () => {
    const place = await open();
    place.world.put('integration/app', approved, '1.0');
    expect((await push(place, approved)).status).toBe(201);
    const { config, layers } = JSON.parse(approved.content.toString()) as { config: object; layers: object[] };
    const rewritten = made(types.image, { config, layers, annotations: { a: 'b' } });
    expect((await push(place, rewritten)).status).toBe(201);
    await expect
      .poll(() => place.front.records.slice(-2))
      .toMatchObject([
        {
          decision: 'allow',
          reason: 'gate_same_digest',
          rule: 'all',
          gate: 'approved',
          gateFrom: 'integration/app',
          status: 201,
        },
        { decision: 'allow', reason: 'gate_same_image', gate: 'approved', gateFrom: 'integration/app', status: 201 },
      ]);
  });

  test('is that of somebody whom the gate does not stop', async () => {
    const place = await open(rules(gate(', except: ["user:tess"]')));
    expect((await push(place, own, 'v1', { account: 'tess' })).status).toBe(201);
    expect((await push(place, own, 'v1')).status).toBe(403);
  });

  test('passes every one of several', async () => {
    const other = "{ name: scanned, repositories: ['release/*'], from: ['scanned/all'], match: digest }";
    const place = await open(rules(`${gate()}, ${other}`));
    place.world.put('integration/app', approved, '1.0');
    expect((await push(place, approved)).message).toContain(
      'this image is not in scanned/all with this digest; use promote',
    );
    place.world.put('scanned/all', approved);
    expect((await push(place, approved)).status).toBe(201);
  });

  test('would not have, had a shadow gate been enforced: that is written down', async () => {
    const place = await open(rules(gate(', mode: shadow')));
    expect((await push(place, own)).status).toBe(201);
    await expect
      .poll(() => place.front.records.at(-1))
      .toMatchObject({
        decision: 'allow',
        reason: 'rule_allows',
        shadow: ['approved'],
        status: 201,
      });
    expect(place.front.records.at(-1)?.gate).toBeUndefined();
  });
});

test('a push where no gate stands costs the registry the same as without any gate in the policy', async () => {
  const asked = [];
  for (const gates of ['', gate()]) {
    const place = await open(rules(gates));
    for (const reference of ['v1', own.digest, `${own.digest}?tag=a`]) {
      await push(place, own, reference, { repository: 'sandbox/app' });
    }
    asked.push(place.world.requests);
  }
  expect(asked[0]).toHaveLength(3);
  expect(asked[1]).toEqual(asked[0]);
});

describe('when the registry does not say what a gate asks, the push is neither refused nor let pass', () => {
  const said = 'the registry did not say whether this image is in integration/app; try again';

  test.each<[string, (place: Place) => void]>([
    ['it fails', ({ world }) => (world.trouble = (line) => (line.startsWith('PUT') ? undefined : 500))],
    ['it breaks off', ({ world }) => (world.trouble = (line) => (line.startsWith('PUT') ? undefined : 'break'))],
    ['it is gone', ({ registry }) => void registry.close()],
    [
      'it gives another manifest than the one that was asked for',
      ({ world }) => (world.lie = (content, line) => (line.startsWith('GET') ? own.content : content)),
    ],
    [
      'it does not answer',
      ({ world }) => (world.trouble = (line) => (line.includes('/manifests/1.0') ? 'hang' : undefined)),
    ],
  ])(
    '%s',
    async (_what, trouble) => {
      const place = await open();
      place.world.put('integration/app', approved, '1.0');
      trouble(place);
      const image = made(types.image, JSON.parse(approved.content.toString()) as object, []);
      const other = made(types.image, {
        ...(JSON.parse(approved.content.toString()) as object),
        annotations: { a: 'b' },
      });
      expect(image.digest).toBe(approved.digest);
      expect(await push(place, other)).toEqual({ status: 503, code: 'UNAVAILABLE', message: said, retryAfter: '5' });
      expect(writes(place)).toEqual([]);
      await expect
        .poll(() => place.front.records.at(-1))
        .toMatchObject({
          decision: 'error',
          reason: 'gate_unknown',
          gate: 'approved',
          gateFrom: 'integration/app',
          status: 503,
        });
    },
    15_000,
  );
});

describe('a push is judged by the policy of the moment at which it is written', () => {
  test.each<[string, string, string, number]>([
    ['a gate that came while its body was on the way refuses it', rules(''), rules(gate()), 403],
    ['one that went lets it pass', rules(gate()), rules(''), 201],
  ])('%s', async (_what, before, after, status) => {
    const place = await open(before);
    const sent = request(`${place.front.url}/v2/release/app/manifests/v1`, {
      method: 'PUT',
      headers: {
        ...{ authorization: `Basic ${credentials('dana')}`, 'content-type': own.mediaType },
        ...{ expect: '100-continue', 'content-length': own.content.length },
      },
    });
    sent.flushHeaders();
    await once(sent, 'continue');
    await place.front.setPolicy(after);
    sent.end(own.content);
    const [reply] = (await once(sent, 'response')) as [IncomingMessage];
    reply.resume();
    expect(reply.statusCode).toBe(status);
    expect(writes(place)).toHaveLength(status === 201 ? 1 : 0);
  });
});

describe('what is too large, too much or elsewhere', () => {
  test('a manifest over 4 MiB is refused before anything is asked', async () => {
    const place = await open();
    const huge = { ...own, content: Buffer.alloc(4_194_305, ' ') };
    expect((await push(place, huge)).status).toBe(413);
    expect(place.world.requests).toEqual([]);
  });

  test('an index over 100 images is refused in words', async () => {
    const place = await open();
    const images = Array.from({ length: 101 }, (_, number) => imageOf([layerOf(`${number}`)]));
    for (const image of images) place.world.put('integration/app', image);
    const { status, message } = await push(place, indexOf(images));
    expect([status, message]).toEqual([
      403,
      'user "dana" may not push release/app:v1.2: an index of more than 100 images, or of indexes in indexes, passes only as it was pulled; use promote',
    ]);
  });

  test('a layer with urls is refused in words', async () => {
    const place = await open();
    place.world.put('integration/app', approved, '1.0');
    const { config, layers } = JSON.parse(approved.content.toString()) as { config: object; layers: object[] };
    const image = made(types.image, {
      config,
      layers: layers.map((layer) => ({ ...layer, urls: ['https://x.test'] })),
    });
    expect((await push(place, image)).message).toContain('a layer of it is to be fetched from elsewhere (urls)');
  });

  test('layers that are not those of the image are refused in words', async () => {
    const place = await open();
    place.world.put('integration/app', approved, '1.0');
    const { config } = JSON.parse(approved.content.toString()) as { config: object };
    const evil = layerOf('evil').stored;
    const layer = { mediaType: types.layer, digest: digestOf(evil), size: evil.length };
    const image = made(types.image, { config, layers: [layer] }, [evil]);
    place.world.putBlobs('release/app', image);
    place.world.putBlobs('release/app', approved);
    expect((await push(place, image)).message).toBe(
      'user "dana" may not push release/app:v1.2: layers differ; use promote',
    );
  });
});

test('what gates said is counted by gate and result, and forgotten with the gate', async () => {
  const place = await open(rules(`${gate()}, ${gate(', mode: shadow').replace('approved', 'planned')}`));
  place.world.put('integration/app', approved, '1.0');
  await push(place, approved);
  await push(place, own);
  const samples = async (): Promise<readonly string[]> => {
    const text = await (await fetch(`${place.front.adminUrl}/metrics`)).text();
    return text.split('\n').filter((line) => line.startsWith('portcullis_gate_total'));
  };
  expect(await samples()).toEqual(
    ['approved', 'planned'].flatMap((name) =>
      ['refused', 'same_digest'].map((result) => `portcullis_gate_total{gate="${name}",result="${result}"} 1`),
    ),
  );
  await place.front.setPolicy(rules(gate()));
  expect((await samples()).filter((line) => line.includes('planned'))).toEqual([]);
  expect(await samples()).toHaveLength(2);
});
