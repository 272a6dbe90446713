/** A registry that hangs: what people's pages ask of the others is answered all the same. */
import { describe, expect, test } from 'vitest';
import { createTurns } from '../../src/browse/turns.ts';
import { createUpstreams } from '../../src/distribution/upstreams.ts';
import { listedAt } from '../../src/http/backend/several.ts';
import type { ListPlace } from '../../src/ports.ts';

const upstream = (name: string, prefix: string) =>
  ({ name, prefix, remotePrefix: '', access: 'read-write', library: false }) as const;
const upstreams = createUpstreams([upstream('main', ''), upstream('hub', 'hub'), upstream('other', 'other')]);

/** Four in all, two of each registry, as the gateway has them. */
function stand() {
  const turns = createTurns({
    all: 4,
    registries: {
      each: 2,
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
  test('are two for each: whoever waits for one that hangs holds up nobody at another', async () => {
    const { begun, about, end } = stand();
    for (let at = 0; at < 50; at++) about(`hub/${at}`);
    for (const name of ['app', 'other/a', 'lib']) about(name);
    await settled();
    expect(begun).toEqual(['hub/0', 'hub/1', 'app', 'other/a']);
    end('app');
    await settled();
    expect(begun.slice(4)).toEqual(['lib']);
    end('hub/1');
    await settled();
    expect(begun.slice(5)).toEqual(['hub/2']);
  });

  test('are shared by the walk through all names, by whose list a page is of', async () => {
    const { begun, about, listing, end } = stand();
    about('hub/a');
    about('hub/b');
    listing('first');
    listing('of hub', { next: '/hub' });
    listing('further in hub', { next: '/hub/v2/_catalog?last=x' });
    listing('of other', { next: '/other' });
    await settled();
    expect(begun).toEqual(['hub/a', 'hub/b', 'first', 'of other']);
    end('first');
    end('hub/a');
    await settled();
    expect(begun.slice(4)).toEqual(['of hub']);
  });

  test('are four for all, where there is one registry', async () => {
    const turns = createTurns({ all: 4 });
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
