import { isIPv6 } from 'node:net';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { clientNetwork, clientSite } from '../../src/limits/client-network.ts';

describe('what an address counts as', () => {
  test.each([
    ['192.0.2.1', '192.0.2.1'],
    ['::ffff:192.0.2.1', '192.0.2.1'],
    ['::FFFF:192.0.2.1', '192.0.2.1'],
    ['::ffff:c000:201', '192.0.2.1'],
    ['0:0:0:0:0:ffff:192.0.2.1', '192.0.2.1'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['2001:DB8:0001:0002::1', '2001:db8:1:2::/64'],
    ['2001:db8::1', '2001:db8::/64'],
    ['2001:db8:0:1::1', '2001:db8:0:1::/64'],
    ['::1', '::/64'],
    ['::', '::/64'],
    ['fe80::1%eth0', 'fe80::/64'],
    ['64:ff9b::192.0.2.1', '64:ff9b::/64'],
    ['', 'unknown'],
    ['192.0.2.256', 'unknown'],
    ['<script>', 'unknown'],
    [undefined, 'unknown'],
  ])('%s is %s', (address, network) => {
    expect(clientNetwork(address)).toBe(network);
  });

  test('of IPv6 is the same within one /64 and another one outside', () => {
    const group = fc.integer({ min: 0, max: 0xffff }).map((value) => value.toString(16));
    const half = fc.array(group, { minLength: 4, maxLength: 4 });
    fc.assert(
      fc.property(half, half, half, half, (network, other, host, hostToo) => {
        const address = [...network, ...host].join(':');
        expect(isIPv6(address)).toBe(true);
        const isMapped = [...network, ...host].slice(0, 5).every((each) => each === '0');
        fc.pre(!isMapped && network.join() !== other.join() && other.join('') !== '0000');
        expect(clientNetwork([...network, ...hostToo].join(':'))).toBe(clientNetwork(address));
        expect(clientNetwork([...other, ...host].join(':'))).not.toBe(clientNetwork(address));
      }),
    );
  });
});

describe('the site of', () => {
  test.each([
    ['192.0.2.1', '192.0.2.1'],
    ['unknown', 'unknown'],
    ['2001:db8:1:2::/64', '2001:db8:1::/48'],
    ['2001:db8:1::/64', '2001:db8:1::/48'],
    ['2001:db8::/64', '2001:db8::/48'],
    ['2001:db8:0:1::/64', '2001:db8::/48'],
    ['2001:0:0:1::/64', '2001::/48'],
    ['0:0:0:1::/64', '::/48'],
    ['::/64', '::/48'],
  ])('%s is %s', (network, site) => {
    expect(clientSite(network)).toBe(site);
  });
});
