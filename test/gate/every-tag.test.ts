import { describe, expect, test } from 'vitest';
import { everyTag } from '../../src/gate/every-tag.ts';
import type { ListPlace, TagsPage } from '../../src/ports.ts';

/** A registry that answers from a script, by the place that is asked for. */
function registryOf(answer: (place: string | undefined) => TagsPage) {
  return {
    tags: (_repository: string, _size: number, place?: ListPlace): Promise<TagsPage> =>
      Promise.resolve(answer(place !== undefined && 'next' in place ? place.next : undefined)),
  };
}

const page = (names: readonly string[], next?: string): TagsPage => ({ ok: true, names, next });

describe('every tag of a repository', () => {
  test('is read page by page to the end that the registry names', async () => {
    const registry = registryOf((place) =>
      place === undefined ? page(['v1'], 'p2') : place === 'p2' ? page([], 'p3') : page(['v1', 'v2']),
    );
    expect(await everyTag(registry, 'a')).toEqual({ ok: true, tags: ['v1', 'v2'] });
  });

  test('is none where the registry says that there is no such repository', async () => {
    expect(
      await everyTag(
        registryOf(() => ({ ok: false, reason: 'unknown' })),
        'a',
      ),
    ).toEqual({ ok: true, tags: [] });
  });

  let serial = 0;
  const unread: readonly (readonly [string, (place: string | undefined) => TagsPage])[] = [
    ['goes round on one page', () => page(['v1'], 'p1')],
    ['goes round on two', (place) => page(['v1'], place === 'p1' ? 'p2' : 'p1')],
    ['goes on for ever with nothing new', () => page(['v1'], `p${serial++}`)],
    ['goes on for ever with new ones', () => page([`v${serial++}`], `p${serial++}`)],
    ['has more than are looked at', () => page(Array.from({ length: 20_001 }, (_, index) => `v${index}`))],
    ['is not there to be asked for', () => ({ ok: false, reason: 'unsupported' })],
    [
      'breaks off on a later page',
      (place) => (place === undefined ? page(['v1'], 'p') : { ok: false, reason: 'broken' }),
    ],
  ];
  test.each(unread)('is unknown when the list %s', async (_how, answer) => {
    expect(await everyTag(registryOf(answer), 'a')).toEqual({ ok: false, reason: 'broken' });
  });
});
