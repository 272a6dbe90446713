/** 200 images of all kinds before gates of all kinds: each is judged as by a reading of the rules that shares no code. */
import { afterAll, expect, test } from 'vitest';
import { GateMemory } from '../../src/gate/gate-memory.ts';
import { judgeGates } from '../../src/gate/provenance.ts';
import { gatesAt } from '../../src/policy/gates.ts';
import { backendAt } from '../support/backend.ts';
import { World, digestOf } from '../support/image-world.ts';
import { readPolicy } from '../support/policies.ts';
import { type Chance, createChance, kindNames, places, randomPush } from '../support/random-images.ts';
import { startStandIn } from '../support/stand-in.ts';
import { type GateOptions, createOracle } from './provenance-oracle.ts';

let world = new World();
const registry = await startStandIn((request, response) => world.answer(request, response));
const backend = backendAt(registry.url);
afterAll(() => registry.close());

function optionsOf(chance: Chance): GateOptions {
  return {
    target: places.target,
    sources: chance.is(0.3) ? places.sources : ['integration/app'],
    match: chance.is(0.75) ? 'image' : 'digest',
    attachments: chance.is(0.6) ? 'allow' : 'deny',
    fromTags: chance.is(0.4) ? ['approved-'] : undefined,
  };
}

function standing({ sources, match, attachments, fromTags }: GateOptions, tag: string | undefined) {
  const from = sources.map((name) => name.replace('app', '**'));
  const gate = {
    ...{ name: 'approved', repositories: ['release/**'], from, match, attachments },
    ...(fromTags && { fromTags: fromTags.map((begin) => `${begin}*`) }),
  };
  const { gates } = readPolicy(`${JSON.stringify({ gates: [gate], rules: [] })}\n`);
  return gatesAt(gates, { kind: 'anonymous' }, places.target, tag);
}

test('what is said of 200 images is what the rules say', async () => {
  // One memory for all of them: of another registry it must know nothing but what digests stand for.
  const memory = new GateMemory();
  const tally = new Map<string, number>();
  for (let seed = 0; seed < 200; seed++) {
    const kind = kindNames[seed % kindNames.length] ?? '';
    const { world: made, push } = randomPush(seed, kind);
    world = made;
    const options = optionsOf(createChance(seed + 10_000));
    const { image, tag } = push;
    const { content, mediaType } = image;
    const expected = createOracle(world, options)({ content, mediaType, tag });
    const written = { repository: places.target, digest: digestOf(content), content, mediaType, tag };
    const parts = { registry: backend.ask, memory, count: () => {} };
    const [verdict] = await judgeGates(parts, standing(options, tag), written);
    const said = verdict?.kind === 'passed' ? `passed: ${verdict.how}` : (verdict?.kind ?? 'no gate');
    expect({ seed, kind, options, said: said.split(':')[0], why: verdict }).toEqual({
      ...{ seed, kind, options },
      said: expected ? 'passed' : 'refused',
      why: verdict,
    });
    tally.set(said, (tally.get(said) ?? 0) + 1);
  }
  for (const said of ['passed: same_digest', 'passed: same_image', 'passed: attachment', 'refused']) {
    expect([said, (tally.get(said) ?? 0) >= 5]).toEqual([said, true]);
  }
});
