/** A registry that hangs: what people's pages ask of the others is answered all the same. */
import { describe, expect, test } from 'vitest';
import { createTurns } from '../../src/browse/turns.ts';
import { createUpstreams } from '../../src/distribution/upstreams.ts';
import { listedAt } from '../../src/http/backend/several.ts';
import type { ListPlace } from '../../src/ports.ts';

const upstream = (name: string, prefix: string) =>
  ({ name, prefix, remotePrefix: '', access: 'read-write', library: false }) as const;
const upstreams = createUpstreams([upstream('main', ''), upstream('hub', 'hub'), upstream('other', 'other')]);

/** Four of each registry, as the gateway has them. */
function stand() {
  const turns = createTurns({
    each: 4,
    registries: {
      of: (repository) => upstreams.of(repository)?.name,
      listedAt: (place) => listedAt(upstreams, place),
    },
  });
  const begun: string[] = [];
  const ends = new Map<string, () => void>();
  const task = (name: string) => (): Promise<void> => {
    begun.push(name);
    return new Promise((resolve) => ends.set(name, resolve));
  };
  return {
    begun,
    about: (repository: string) => void turns.about(repository, task(repository)),
    listing: (name: string, place?: ListPlace) => void turns.listing(place, task(name)),
    end: (name: string) => ends.get(name)?.(),
  };
}
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('turns at several registries', () => {
  test('are four for each: however many hang, nobody waits for them at another', async () => {
    const { begun, about, end } = stand();
    for (let at = 0; at < 50; at++) for (const hanging of ['hub', 'other']) about(`${hanging}/${at}`);
    for (let at = 0; at < 5; at++) about(`app${at}`);
    await settled();
    const of = (registry: string) => begun.filter((name) => name.startsWith(registry));
    expect([of('hub/').length, of('other/').length]).toEqual([4, 4]);
    expect(of('app')).toEqual(['app0', 'app1', 'app2', 'app3']);
    end('app2');
    await settled();
    expect(begun.slice(12)).toEqual(['app4']);
    end('hub/1');
    await settled();
    expect(begun.slice(13)).toEqual(['hub/4']);
  });

  test('are shared by the walk through all names, by whose list a page is of', async () => {
    const { begun, about, listing, end } = stand();
    for (const name of ['a', 'b', 'c', 'd']) about(`hub/${name}`);
    listing('first');
    listing('of hub', { next: '/hub' });
    listing('further in hub', { next: '/hub/v2/_catalog?last=x' });
    listing('of other', { next: '/other' });
    await settled();
    expect(begun.slice(4)).toEqual(['first', 'of other']);
    end('first');
    end('hub/a');
    await settled();
    expect(begun.slice(6)).toEqual(['of hub']);
  });

  test('are four for all, where there is one registry', async () => {
    const turns = createTurns({ each: 4 });
    let begun = 0;
    for (let at = 0; at < 9; at++)
      void turns.about(String(at), () => {
        begun++;
        return new Promise(() => {});
      });
    await settled();
    expect(begun).toBe(4);
  });
});
