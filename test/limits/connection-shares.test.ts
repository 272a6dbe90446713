import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type ConnectionShares, connectionBounds, createConnectionShares } from '../../src/limits/connection-shares.ts';

test.each([
  [256, 64, 160],
  [1024, 256, 896],
  [20_000, 5000, 19_872],
  [4, 1, 2],
  [1_048_576, 16_384, 65_408],
  [Infinity, 16_384, 65_408],
  [undefined, 1024, 3968],
])('of %s descriptors one network gets %i connections, all together %i descriptors', (openFiles, each, descriptors) => {
  expect(connectionBounds(openFiles)).toEqual({ each, descriptors });
});

/** Opens `name` for the network before its first `-`, with a request under way where it ends in `!`. */
function opened(shares: ConnectionShares<string>, names: readonly string[]): void {
  for (const name of names) {
    expect(shares.open(name, name.split('-')[0], 0)).toEqual([]);
    if (name.endsWith('!')) expect(shares.begin(name, 0)).toEqual([]);
  }
}

describe('of six descriptors, three connections of each network', () => {
  const bounds = { each: 3, descriptors: 6 };
  const exceeded = (connection: string) => [{ connection, reason: 'exceeded' }];
  const idle = (connection: string) => [{ connection, reason: 'idle' }];
  test.each([
    ['the fourth of a network ends itself', ['a-1', 'a-2', 'a-3'], 'a-4', 0, exceeded('a-4')],
    ['the fourth is no reason to end idle ones', ['a-1', 'a-2', 'a-3'], 'a-4', 5000, exceeded('a-4')],
    ['another network gets through', ['a-1', 'a-2', 'a-3!'], 'b-1', 0, []],
    ['what is idle longest makes room', ['a-1!', 'a-2!', 'a-3', 'b-1'], 'c-1', 1000, idle('a-3')],
    ['an idle one ends before a busy one of who holds more', ['a-1!', 'a-2!', 'b-1', 'c-1'], 'd-1', 1000, idle('b-1')],
    ['of idle ones, that of the largest holder', ['b-1', 'c-1!', 'a-1!', 'a-2'], 'd-1', 1000, idle('a-2')],
    [
      'who has just come is not idle: the largest holder pays',
      ['b-1', 'c-1!', 'a-1!', 'a-2'],
      'd-1',
      10,
      exceeded('a-2'),
    ],
    [
      'where all are busy the newest request of the largest holder',
      ['a-1!', 'a-2!', 'b-1!'],
      'c-1',
      1000,
      exceeded('a-2!'),
    ],
    ['where nobody holds more, nobody makes room', ['a-1!', 'b-1!', 'c-1!'], 'd-1', 1000, exceeded('d-1')],
  ])('%s', (_what, names, newcomer, now, endings) => {
    const shares = createConnectionShares<string>(bounds);
    opened(shares, names);
    expect(shares.open(newcomer, newcomer.split('-')[0], now)).toEqual(endings);
  });

  test('a request that begins needs a second descriptor: another idle one makes room, never the one that asks', () => {
    const shares = createConnectionShares<string>(bounds);
    opened(shares, ['a-1!', 'a-2!', 'a-3', 'b-1']);
    expect(shares.begin('a-3', 1000)).toEqual(idle('b-1'));
    expect(shares.open('c-1', 'c', 1000)).toEqual(exceeded('a-3'));
    expect(shares.begin('a-3', 1000)).toEqual([]);
  });

  test('two requests on one connection are one descriptor, until both have their answers', () => {
    const shares = createConnectionShares<string>(bounds);
    opened(shares, ['a-1!', 'b-1!', 'c-1']);
    shares.begin('a-1!', 0);
    expect(shares.open('d-1', 'd', 0)).toEqual([]);
    shares.finish('a-1!', 0);
    expect(shares.open('e-1', 'e', 0)).toEqual(exceeded('e-1'));
    shares.finish('a-1!', 0);
    expect(shares.open('e-2', 'e', 0)).toEqual([]);
  });

  test('connections of trusted proxies do not add up, and none of them makes room while busy', () => {
    const shares = createConnectionShares<string>({ each: 1, descriptors: 6 });
    for (const name of ['p1', 'p2', 'p3']) {
      expect(shares.open(name, undefined, 0)).toEqual([]);
      expect(shares.begin(name, 0)).toEqual([]);
    }
    expect(shares.open('a', 'a', 5000)).toEqual(exceeded('a'));
  });
});

test('nobody has more than a share, all fit, idle ones go first, and a stranger gets in while anybody holds two', () => {
  const bounds = { each: 4, descriptors: 12 };
  const step = fc.record({
    kind: fc.constantFrom('open', 'open', 'begin', 'finish', 'close'),
    network: fc.constantFrom('a', 'b', 'c', 'd', 'stranger'),
    pick: fc.nat(),
    after: fc.integer({ min: 0, max: 1500 }),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
      const shares = createConnectionShares<number>(bounds);
      const held = new Map<number, { network: string; busy: boolean; since: number }>();
      const heldBy = (network: string): number => [...held.values()].filter((one) => one.network === network).length;
      let now = 0;
      for (const [index, { kind, network, pick, after }] of steps.entries()) {
        now += after;
        const chosen = [...held.keys()][pick % Math.max(1, held.size)];
        if (kind === 'open') {
          const before = Math.max(...['a', 'b', 'c', 'd', 'stranger'].map(heldBy));
          const isStranger = heldBy(network) === 0;
          held.set(index, { network, busy: false, since: now });
          const endings = shares.open(index, network, now);
          check(endings, index);
          if (isStranger && before > 1) expect(held.has(index)).toBe(true);
        } else if (chosen !== undefined) {
          const one = held.get(chosen);
          if (one === undefined) continue;
          if (kind === 'begin' && !one.busy) {
            one.busy = true;
            check(shares.begin(chosen, now), chosen);
          } else if (kind === 'finish' && one.busy) {
            Object.assign(one, { busy: false, since: now });
            shares.finish(chosen, now);
          } else if (kind === 'close') {
            held.delete(chosen);
            shares.close(chosen);
            shares.close(chosen);
          }
        }
        for (const name of ['a', 'b', 'c', 'd', 'stranger']) expect(heldBy(name)).toBeLessThanOrEqual(bounds.each);
        const busy = [...held.values()].filter((one) => one.busy).length;
        expect(held.size + busy).toBeLessThanOrEqual(bounds.descriptors);
      }

      function check(endings: ReturnType<typeof shares.open>, newcomer: number): void {
        for (const { connection, reason } of endings) {
          const ended = held.get(connection);
          held.delete(connection);
          const isOverShare = connection === newcomer && heldBy(ended?.network ?? '') >= bounds.each;
          const waiting = [...held].filter(([id, one]) => id !== newcomer && !one.busy && now - one.since >= 1000);
          if (reason === 'idle') expect(ended).toMatchObject({ busy: false });
          else if (!isOverShare) expect(waiting).toEqual([]);
        }
      }
    }),
  );
});
