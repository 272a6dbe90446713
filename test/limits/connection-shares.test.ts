import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { clientSite } from '../../src/limits/client-network.ts';
import { type ConnectionShares, connectionBounds, createConnectionShares } from '../../src/limits/connection-shares.ts';

test.each([
  [256, 64, 80, 160],
  [1024, 256, 448, 896],
  [20_000, 5000, 9936, 19_872],
  [4, 1, 1, 2],
  [8, 2, 2, 5],
  [1_048_576, 16_384, 32_704, 65_408],
  [Infinity, 16_384, 32_704, 65_408],
  [undefined, 1024, 1984, 3968],
])(
  'of %s descriptors one network gets %i connections, one site %i, all together %i descriptors',
  (openFiles, each, site, descriptors) => {
    expect(connectionBounds(openFiles)).toEqual({ each, site, descriptors });
  },
);

/** Opens `name` for the network before its first `-`, with a request under way where it ends in `!`. */
function opened(shares: ConnectionShares<string>, names: readonly string[]): void {
  for (const name of names) {
    expect(shares.open(name, name.split('-')[0], 0)).toEqual([]);
    if (name.endsWith('!')) expect(shares.begin(name, 0)).toEqual([]);
  }
}

describe('of six descriptors, three connections of each network', () => {
  const bounds = { each: 3, site: 3, descriptors: 6 };
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
    const shares = createConnectionShares<string>({ each: 1, site: 1, descriptors: 6 });
    for (const name of ['p1', 'p2', 'p3']) {
      expect(shares.open(name, undefined, 0)).toEqual([]);
      expect(shares.begin(name, 0)).toEqual([]);
    }
    expect(shares.open('a', 'a', 5000)).toEqual(exceeded('a'));
  });
});

describe('of ten descriptors, three connections of each network and four of each site', () => {
  const bounds = { each: 3, site: 4, descriptors: 10 };
  const net = (n: number): string => `2001:db8:1:${n}::/64`;
  const otherSite = '2001:db8:2::/64';

  /** Opens `name` for each network, busy where it ends in `!`; returns what a newcomer then ends, and why. */
  function endedBy(held: readonly (readonly [string, string])[], network: string, now: number): readonly string[] {
    const shares = createConnectionShares<string>(bounds);
    for (const [name, of] of held) {
      expect(shares.open(name, of, 0)).toEqual([]);
      if (name.endsWith('!')) expect(shares.begin(name, 0)).toEqual([]);
    }
    return shares.open('new', network, now).map(({ connection, reason }) => `${connection} ${reason}`);
  }

  const fourNetworks = [1, 2, 3, 4].map((n) => [`${n}!`, net(n)] as const);
  const greedyNetwork = [1, 1, 1, 2].map((n, index) => [`${index}!`, net(n)] as const);
  test.each([
    ['a fifth network of a site is one too many', fourNetworks, net(5), 1000, ['new exceeded']],
    ['in a full site the network with the most makes room for another', greedyNetwork, net(3), 1000, ['2! exceeded']],
    ['in a full site the network with the most gets no more', greedyNetwork, net(1), 1000, ['new exceeded']],
    [
      'in a full site what waits idle ends first, never somebody else’s',
      [
        ['other', 'b'],
        ['1!', net(1)],
        ['2', net(2)],
        ['3!', net(3)],
        ['4!', net(4)],
      ],
      net(5),
      1000,
      ['2 idle'],
    ],
    [
      'the largest site makes room, not the largest network',
      [...fourNetworks, ['b-1', 'b'], ['b-2', 'b']],
      otherSite,
      10,
      ['4! exceeded'],
    ],
    [
      'of the largest site the largest network',
      [...greedyNetwork, ['b-1', 'b'], ['b-2', 'b']],
      otherSite,
      10,
      ['2! exceeded'],
    ],
    [
      'of idle ones, that of the largest site, though another network has more of them and came first',
      [
        ['b-1', 'b'],
        ['b-2', 'b'],
        ['b-3', 'b'],
        ['1', net(1)],
        ['2!', net(2)],
        ['3!', net(3)],
        ['4!', net(4)],
      ],
      otherSite,
      1000,
      ['1 idle'],
    ],
  ] as const)('%s', (_what, held, network, now, ended) => {
    expect(endedBy(held, network, now)).toEqual(ended);
  });
});

test('nobody has more than a share, all fit, idle ones go first, the largest site pays, and a stranger gets in while any site holds two', () => {
  const bounds = { each: 4, site: 6, descriptors: 14 };
  const crowd = Array.from({ length: 8 }, (_, n) => `2001:db8:1:${n}::/64`);
  const networks = ['a', 'b', 'c', '2001:db8:2::/64', '2001:db8:2:1::/64'];
  const sites = new Map([...crowd, ...networks].map((network) => [network, clientSite(network)]));
  const siteOf = (network: string): string | undefined => sites.get(network);
  const step = fc.record({
    kind: fc.constantFrom('open', 'open', 'open', 'begin', 'begin', 'finish', 'close'),
    network: fc.oneof(fc.constantFrom(...crowd), fc.constantFrom(...networks)),
    pick: fc.nat(),
    after: fc.integer({ min: 0, max: 900 }),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80, size: 'max' }), (steps) => {
      const shares = createConnectionShares<number>(bounds);
      const held = new Map<number, { network: string; busy: boolean; since: number }>();
      const ofNetwork = (network: string): number => [...held.values()].filter((one) => one.network === network).length;
      const ofSite = (network: string): number =>
        [...held.values()].filter((one) => siteOf(one.network) === siteOf(network)).length;
      const largest = (): number => Math.max(0, ...[...held.values()].map((one) => ofSite(one.network)));
      const isFull = (): boolean =>
        held.size + [...held.values()].filter((one) => one.busy).length > bounds.descriptors;
      let now = 0;
      for (const [index, { kind, network, pick, after }] of steps.entries()) {
        now += after;
        const chosen = [...held.keys()][pick % Math.max(1, held.size)];
        if (kind === 'open') {
          const [isStranger, before] = [ofSite(network) === 0, largest()];
          const isOverShare = ofNetwork(network) >= bounds.each;
          held.set(index, { network, busy: false, since: now });
          const endings = shares.open(index, network, now);
          if (isOverShare) {
            expect(endings).toEqual([{ connection: index, reason: 'exceeded' }]);
            held.delete(index);
          } else check(endings, index, network);
          if (isStranger && before > 1) expect(held.has(index)).toBe(true);
        } else if (chosen !== undefined) {
          const one = held.get(chosen);
          if (one === undefined) continue;
          if (kind === 'begin' && !one.busy) {
            one.busy = true;
            check(shares.begin(chosen, now), chosen, one.network);
          } else if (kind === 'finish' && one.busy) {
            Object.assign(one, { busy: false, since: now });
            shares.finish(chosen, now);
          } else if (kind === 'close') {
            held.delete(chosen);
            shares.close(chosen);
            shares.close(chosen);
          }
        }
        for (const { network: each } of held.values()) {
          expect(ofNetwork(each)).toBeLessThanOrEqual(bounds.each);
          expect(ofSite(each)).toBeLessThanOrEqual(bounds.site);
        }
        expect(isFull()).toBe(false);
      }

      function check(endings: ReturnType<typeof shares.open>, newcomer: number, own: string): void {
        for (const { connection, reason } of endings) {
          const ended = held.get(connection);
          const isSiteFull = ofSite(own) > bounds.site;
          // Nothing ends in vain, and a full site pays for itself.
          expect(isSiteFull || isFull()).toBe(true);
          const rivals = [...held].filter(([, one]) => !isSiteFull || siteOf(one.network) === siteOf(own));
          const waiting = rivals.filter(([id, one]) => id !== newcomer && !one.busy && now - one.since >= 1000);
          const candidates = waiting.length > 0 ? waiting : rivals;
          expect(reason).toBe(waiting.length > 0 ? 'idle' : 'exceeded');
          expect(candidates.map(([id]) => id)).toContain(connection);
          expect(ofSite(ended?.network ?? '')).toBe(Math.max(...candidates.map(([, one]) => ofSite(one.network))));
          const inSite = candidates.filter(([, one]) => siteOf(one.network) === siteOf(ended?.network ?? ''));
          if (connection !== newcomer || ofNetwork(own) > 1)
            expect(ofNetwork(ended?.network ?? '')).toBe(Math.max(...inSite.map(([, one]) => ofNetwork(one.network))));
          held.delete(connection);
        }
      }
    }),
  );
});
